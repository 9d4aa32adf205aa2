"""The memory plan: its sizes against the real architectures, and what it chooses for every size of GPU."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.cli.casting import wishes_of
from voxterm.config import Settings
from voxterm.engines.declared import kokoro, model, orpheus, voxtral
from voxterm.engines.declared.declaration import STAND_INS
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.model import Model
from voxterm.engines.declared.need import ModelNeed
from voxterm.engines.declared.shapes import Tensors, config_tensors, matrix_bytes
from voxterm.engines.protocols import Placement, Precision
from voxterm.engines.registry import profiles
from voxterm.errors import ConfigError
from voxterm.gpu import GB, GpuInfo, Ram, typical_gpu
from voxterm.plan import (
    Device,
    Machine,
    Plan,
    Wishes,
    imagined_machine,
    make_plan,
    outlooks,
    plan_for,
    preview,
    taken,
    this_machine,
)
from voxterm.plan.choice import CPU

VOXTRAL, ORPHEUS = voxtral.MODEL, orpheus.MODEL
MODELS = {"voxtral": VOXTRAL, "orpheus": ORPHEUS}
PROFILES = profiles(
    {"voxtral-orpheus": ["voxtral", "orpheus"], "embedded": ["pocketsphinx", "eliza", "espeak"]},
    EngineSettings(),
)
RANK: Mapping[Precision, int] = {"bf16": 0, "int8": 1, "int4": 2}


def need_of(
    of: Model, config: Mapping[str, object] | None = None, tensors: Tensors | None = None
) -> ModelNeed:
    """Voxtral's need counts more than the voice's."""
    importance = 2 if of is VOXTRAL else 1
    return model.need_of(of, STAND_INS["synthesizer"], importance, config=config, tensors=tensors)


NEEDS = (need_of(VOXTRAL), need_of(ORPHEUS))


def asked(**wishes: Any) -> Wishes:
    return Wishes(profiles=PROFILES, **wishes)


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An environment whose cache is empty."""
    return {"HF_HOME": str(tmp_path)}


def gpu(free_gb: float, bandwidth_bytes_s: float | None = 3e12) -> Device:
    return Device("cuda:0", "a GPU", round(free_gb * GB), bandwidth_bytes_s, 500_000_000)


def cpu(bandwidth_bytes_s: float | None, free_gb: float = 64) -> Device:
    return Device(CPU, "the CPU", round(free_gb * GB), bandwidth_bytes_s, 700_000_000)


def precisions(plan: Plan) -> dict[str, str]:
    return {name: place.precision for name, place in plan.placements.items()}


# Sizes


def test_the_published_shapes_are_those_of_the_architectures() -> None:
    """Every tensor of the full-size models, built without memory, against what the table says."""
    import torch
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        VoxtralConfig,
        VoxtralForConditionalGeneration,
    )

    of_voxtral, of_orpheus = VOXTRAL.config, ORPHEUS.config
    with torch.device("meta"):
        models = {
            "voxtral": VoxtralForConditionalGeneration(
                VoxtralConfig(
                    text_config={"model_type": "llama", **of_voxtral["text_config"]},
                    audio_config={"model_type": "voxtral_encoder", **of_voxtral["audio_config"]},
                )
            ),
            "orpheus": LlamaForCausalLM(LlamaConfig(**of_orpheus)),
        }
    for name, one in models.items():
        theirs = sorted(tuple(parameter.shape) for parameter in one.parameters())
        ours = sorted(shape for _, shape in config_tensors(MODELS[name].config))
        assert ours == theirs, name
        model_bytes = 2 * sum(parameter.numel() for parameter in one.parameters())
        assert need_of(MODELS[name]).weights_bytes["bf16"] == model_bytes


def test_the_codec_is_as_large_as_it_is_said_to_be() -> None:
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        from snac import SNAC  # type: ignore[import-untyped]

    with torch.device("meta"):
        codec = SNAC(
            sampling_rate=24_000,
            encoder_dim=48,
            encoder_rates=[2, 4, 8, 8],
            decoder_dim=1024,
            decoder_rates=[8, 8, 4, 2],
            attn_window_size=None,
            codebook_size=4096,
            codebook_dim=8,
            vq_strides=[4, 2, 1],
            noise=True,
            depthwise=True,
        )
    assert 4 * sum(parameter.numel() for parameter in codec.parameters()) == orpheus.SNAC_BYTES


@pytest.mark.parametrize("precision", ["float32", "bf16", "int8", "int4"])
@pytest.mark.parametrize(("rows", "columns"), [(48, 256), (16, 512), (24, 64)])
def test_a_quantised_matrix_takes_what_the_decoder_makes_of_it(
    precision: Precision, rows: int, columns: int
) -> None:
    """24 × 64 has no two halves of whole groups and stays in int8."""
    import torch

    from voxterm.decoding.weights import quantised

    dtype = torch.float32 if precision == "float32" else torch.bfloat16
    weight = quantised(torch.randn(rows, columns).to(dtype), precision)
    assert matrix_bytes((rows, columns), precision) == weight.memory_bytes


def test_the_weights_in_each_precision() -> None:
    """By hand: 106,954,752 and 100,663,296 weights a layer, and int8 tables beside quantised layers."""
    hears, speaks = NEEDS
    layers = 30 * 106_954_752
    groups_bytes = layers // 128 * 4
    tables, table_rows = 2 * 131_072 * 3072, 2 * 131_072
    norms = (2 * 30 + 1) * 3072
    audio = 636_968_960 + 5120 * 3072 + 3072 * 3072
    rows = 30 * (4096 + 2 * 1024 + 3072 + 2 * 8192 + 3072)
    assert hears.weights_bytes["bf16"] == 2 * (layers + tables + norms + audio)
    assert hears.weights_bytes["int8"] == layers + 2 * rows + tables + 2 * table_rows + 2 * (norms + audio)
    assert hears.weights_bytes["int4"] == layers // 2 + groups_bytes + tables + 2 * table_rows + 2 * (
        norms + audio
    )
    assert speaks.weights_bytes["bf16"] == 2 * (28 * 100_663_296 + 156_940 * 3072 + (2 * 28 + 1) * 3072)


def test_the_cache_and_the_bytes_read_for_a_token() -> None:
    hears, speaks = NEEDS
    assert hears.parts("bf16", 4096).kv_cache_bytes == 2 * 30 * 8 * 128 * 2 * 2 * 4096
    assert speaks.parts("int4", 2048).kv_cache_bytes == 2 * 28 * 8 * 128 * 2 * 2048
    assert speaks.step_bytes["bf16"] == 2 * (28 * 100_663_296 + 28_684 * 3072)
    speed = speaks.tokens_per_s("bf16", 2048, 3e12)
    assert speed == pytest.approx(3e12 / (speaks.step_bytes["bf16"] + 114_688 * 1024))
    assert speaks.tokens_per_s("bf16", 2048, None) is None


def test_checkpoints_are_weighed_by_their_headers(
    voxtral_folder: Path, orpheus_folder: Path, snac_folder: Path, nowhere: dict[str, str]
) -> None:
    """What the files hold is what is planned, in bf16 to the byte: both are stored so."""
    import torch
    from safetensors import safe_open

    folders = {"voxtral": voxtral_folder, "orpheus": orpheus_folder, "snac": snac_folder}
    wishes = asked(checkpoints={name: str(folder) for name, folder in folders.items()})
    plan = plan_for("auto", wishes, nowhere, imagined_machine(24 * GB))
    assert plan.missing == {}
    assert plan.profile == "voxtral-orpheus"
    for name in ("voxtral", "orpheus"):
        numbers = 0
        for path in folders[name].glob("*.safetensors"):
            with safe_open(path, framework="pt") as file:
                numbers += sum(file.get_tensor(key).numel() for key in file.keys())  # noqa: SIM118
        assert plan.needs[name].weights_bytes == 2 * numbers
        config = json.loads((folders[name] / "config.json").read_text())
        assert need_of(MODELS[name], config).weights_bytes["bf16"] == 2 * numbers, "and by the config alone"
        assert plan.needs[name].kv_cache_bytes < 3_000_000, "of the tiny model, not of the published one"
    held = torch.load(snac_folder / "pytorch_model.bin", weights_only=True)
    codec_bytes = sum(tensor.nbytes for tensor in held.values())
    assert 0 < plan.needs["orpheus"].codec_bytes - codec_bytes < 42_000_000


def test_weights_that_only_torch_can_read_are_weighed_by_the_config(
    orpheus_folder: Path, tmp_path: Path, nowhere: dict[str, str]
) -> None:
    import torch

    (tmp_path / "config.json").write_text((orpheus_folder / "config.json").read_text())
    torch.save({"model.norm.weight": torch.ones(64)}, tmp_path / "pytorch_model.bin")
    sizes = [
        preview("auto", asked(checkpoints={"orpheus": str(folder)}), nowhere, imagined_machine(80 * GB))
        for folder in (orpheus_folder, tmp_path)
    ]
    assert sizes[0].needs["orpheus"] == sizes[1].needs["orpheus"]


def test_a_tied_output_layer_counts_once_even_if_a_file_holds_it_twice() -> None:
    tensors = [*config_tensors(ORPHEUS.config), ("lm_head.weight", (156_940, 3072))]
    assert need_of(ORPHEUS, tensors=tensors).weights_bytes == need_of(ORPHEUS).weights_bytes


def test_a_config_may_leave_out_what_is_as_published() -> None:
    config = {"text_config": {"num_hidden_layers": 15, "head_dim": None}, "audio_config": {}}
    assert need_of(VOXTRAL, config).kv_bytes == need_of(VOXTRAL).kv_bytes // 2


# The choice


@pytest.mark.parametrize(
    ("free_gb", "voxtral", "orpheus"),
    [
        (80, Placement("cuda:0", "bf16", 4096), Placement("cuda:0", "bf16", 2048)),
        (24, Placement("cuda:0", "bf16", 4096), Placement("cuda:0", "bf16", 2048)),
        (16, Placement("cuda:0", "int8", 4096), Placement("cuda:0", "bf16", 2048)),
        (12, Placement("cuda:0", "int8", 4096), Placement("cuda:0", "int8", 2048)),
        (8, Placement("cuda:0", "int4", 2048), Placement("cuda:0", "int4", 2048)),
        (6, Placement("cuda:0", "int4", 2048), None),
        (4, None, Placement("cuda:0", "int4", 2048)),
        (2, None, None),
    ],
)
def test_what_cards_of_common_sizes_get(
    free_gb: int, voxtral: Placement | None, orpheus: Placement | None, nowhere: dict[str, str]
) -> None:
    plan = preview("auto", asked(), nowhere, imagined_machine(free_gb * GB))
    assert (plan.placements.get("voxtral"), plan.placements.get("orpheus")) == (voxtral, orpheus)
    assert plan.fits == (voxtral is not None and orpheus is not None)
    assert plan.profile == ("voxtral-orpheus" if plan.placements else "embedded")
    assert set(plan.stand_ins) == {"voxtral", "orpheus"} - set(plan.placements)
    assert bool(plan.gives_up) == (free_gb < 24)


def test_eight_gigabytes_say_what_they_give_up(nowhere: dict[str, str]) -> None:
    lines = preview("auto", asked(), nowhere, imagined_machine(8 * GB)).gives_up
    assert [line.partition(":")[0] for line in lines] == ["Voxtral", "Voxtral", "Orpheus"]
    assert "4 bits" in lines[0]
    assert "2048 tokens of dialogue instead of 4096" in lines[1]


@given(free_gb=st.floats(0, 90), bandwidth=st.sampled_from([None, 0.2e12, 0.4e12, 3e12]))
def test_a_plan_is_always_found_and_stays_below_what_is_free(free_gb: float, bandwidth: float | None) -> None:
    device = gpu(free_gb, bandwidth)
    plan = make_plan("p", NEEDS, [device])
    for use in plan.uses.values():
        total_bytes = device.process_bytes + sum(need.total_bytes for need in plan.needs.values())
        assert use.planned_bytes == total_bytes
        assert total_bytes <= min(device.free_bytes * 0.97 + 1, device.free_bytes - 150_000_000)
    assert set(plan.placements) == set(plan.needs) == set(plan.tokens_per_s) == set(plan.load_order)
    assert set(plan.placements) | set(plan.stand_ins) == {"voxtral", "orpheus"}


@given(
    free_gb=st.floats(0, 30),
    more_gb=st.floats(0, 30),
    bandwidth=st.sampled_from([None, 0.1e12, 0.3e12, 0.5e12, 3e12]),
    slow=st.booleans(),
)
def test_more_memory_never_gives_a_worse_plan(
    free_gb: float, more_gb: float, bandwidth: float | None, slow: bool
) -> None:
    def worth(plan: Plan) -> tuple[int, int]:
        """Roles that a model has, then what is left after all that was given up."""
        roles = {"voxtral": 2, "orpheus": 1}
        losses = {
            ("voxtral", "int8"): 1,
            ("voxtral", "int4"): 4,
            ("orpheus", "int8"): 1,
            ("orpheus", "int4"): 5,
        }
        loss = sum(losses.get((name, place.precision), 0) for name, place in plan.placements.items())
        shrunk = {2048: 1, 1024: 5}
        context = plan.placements.get("voxtral", Placement()).context_tokens
        return sum(roles[name] for name in plan.placements), -loss - shrunk.get(context, 0)

    small = make_plan("p", NEEDS, [gpu(free_gb, bandwidth)], takes_slow=slow)
    large = make_plan("p", NEEDS, [gpu(free_gb + more_gb, bandwidth)], takes_slow=slow)
    if not slow:  # else a voice in real time is worth more than precision
        assert worth(large) >= worth(small)
    assert worth(large)[0] >= worth(small)[0]


@pytest.mark.parametrize(("bandwidth", "precision"), [(3e12, "bf16"), (0.32e12, "int8"), (0.2e12, "int4")])
def test_a_slow_gpu_gives_the_voice_fewer_bits_to_keep_up(bandwidth: float, precision: str) -> None:
    plan = make_plan("p", NEEDS, [gpu(80, bandwidth)])
    assert precisions(plan) == {"voxtral": "bf16", "orpheus": precision}
    speed = plan.tokens_per_s["orpheus"]
    assert speed is not None
    assert speed >= 82
    assert any("tokens/s" in line for line in plan.gives_up) == (precision != "bf16")


def test_a_gpu_too_slow_for_speech_leaves_the_voice_to_the_embedded_engine() -> None:
    plan = make_plan("p", NEEDS, [gpu(80, 0.1e12)])
    assert set(plan.placements) == {"voxtral"}
    assert "eSpeak NG" in plan.gives_up[-1]
    assert "of 82 tokens/s" in plan.gives_up[-1]
    asked = make_plan("p", NEEDS, [gpu(80, 0.1e12)], takes_slow=True)
    assert precisions(asked) == {"voxtral": "bf16", "orpheus": "int4"}, "as fast as it can be"
    assert "where a conversation needs 82" in asked.gives_up[-1]


def test_a_cpu_is_used_where_it_is_fast_enough_or_asked_for() -> None:
    slow, fast = cpu(40e9), cpu(1e12)
    assert make_plan("p", NEEDS, [slow]).placements == {}
    assert make_plan("p", NEEDS, [cpu(None)]).placements == {}, "not known to be fast enough"
    assert {p.device for p in make_plan("p", NEEDS, [fast]).placements.values()} == {"cpu"}
    asked = make_plan("p", NEEDS, [slow], takes_slow=True)
    assert precisions(asked) == {"voxtral": "bf16", "orpheus": "bf16"}
    assert all("where a conversation needs 82" in line for line in asked.gives_up)
    assert make_plan("p", NEEDS, [cpu(40e9, free_gb=4)], takes_slow=True).placements == {}


def test_models_go_to_the_gpu_before_the_cpu() -> None:
    plan = make_plan("p", NEEDS, [gpu(8, 0.272e12), cpu(1e12)])
    assert {place.device for place in plan.placements.values()} == {"cuda:0"}
    mixed = make_plan("p", NEEDS, [gpu(6, 0.272e12), cpu(1e12)])
    assert sorted(place.device for place in mixed.placements.values()) == ["cpu", "cuda:0"]
    assert mixed.uses["cpu"].planned_bytes > 700_000_000


def test_beside_a_gpu_no_model_goes_to_a_cpu_that_is_too_slow_for_it() -> None:
    """Not even by name: eSpeak NG speaks at once, Orpheus there a word in seconds."""
    plan = make_plan("p", NEEDS, [gpu(6), cpu(None)], takes_slow=True)
    assert {name: place.device for name, place in plan.placements.items()} == {"voxtral": "cuda:0"}
    assert plan.too_slow == {}


WITH_KOKORO = (NEEDS[0], need_of(kokoro.MODEL))


@pytest.mark.parametrize(
    ("free_gb", "voxtral_gets", "kokoro_on"),
    [
        (1, None, "cpu"),
        (2, None, "cuda:0"),
        (6, ("int4", 2048), "cpu"),
        (6.3, ("int4", 4096), "cpu"),  # beside it on the GPU Voxtral would have a quarter of the dialogue
        (7, ("int4", 2048), "cuda:0"),
        (8, ("int8", 2048), "cuda:0"),
        (24, ("bf16", 4096), "cuda:0"),
    ],
)
def test_a_model_that_suits_a_cpu_leaves_a_small_gpu_to_the_others(
    free_gb: float, voxtral_gets: tuple[str, int] | None, kokoro_on: str
) -> None:
    plan = make_plan("p", WITH_KOKORO, [gpu(free_gb), cpu(None, free_gb=8)])
    place = plan.placements.get("voxtral")
    assert (place and (place.precision, place.context_tokens)) == voxtral_gets
    assert plan.placements["kokoro"].device == kokoro_on
    told = [line for line in plan.gives_up if line.startswith("Kokoro: runs on the CPU")]
    assert bool(told) == (kokoro_on == "cpu")


@given(free_gb=st.floats(0, 20), more_gb=st.floats(0, 10))
def test_beside_a_cpu_too_more_memory_never_gives_a_worse_plan(free_gb: float, more_gb: float) -> None:
    def worth(plan: Plan) -> tuple[int, int]:
        """Roles that a model has, then what Voxtral has of bits and dialogue; on the GPU Kokoro is sooner."""
        place = plan.placements.get("voxtral")
        loss = {"bf16": 0, "int8": 1, "int4": 4}[place.precision] if place else 0
        loss += {4096: 0, 2048: 1, 1024: 5}[place.context_tokens] if place else 0
        loss += 3 * (plan.placements["kokoro"].device == CPU)
        return 2 * ("voxtral" in plan.placements), -loss

    small, large = (
        make_plan("p", WITH_KOKORO, [gpu(size_gb), cpu(None, free_gb=8)])
        for size_gb in (free_gb, free_gb + more_gb)
    )
    assert worth(large) >= worth(small)


def test_a_larger_gpu_leaves_no_more_roles_to_the_embedded_engines(nowhere: dict[str, str]) -> None:
    """Of 4 GB `auto` took the profile whose ears and voice both had no room."""
    wishes = wishes_of(Settings())
    left = []
    for size_gb in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24):
        best = taken(outlooks(wishes, nowhere, imagined_machine(size_gb * GB), as_if_here=True))
        assert best is not None
        left.append(best.embedded)
    assert left == sorted(left, reverse=True)
    assert left[3] == 2, "ears alone"
    assert left[5:] == [0] * 7


@pytest.mark.parametrize("wish", ["int8", "int4"])
def test_a_wish_for_fewer_bits_is_met_and_is_nothing_given_up(wish: Precision) -> None:
    plan = make_plan("p", NEEDS, [gpu(80)], precision=wish)
    assert precisions(plan) == {"voxtral": wish, "orpheus": wish}
    assert plan.gives_up == ()


def test_the_largest_is_loaded_first() -> None:
    assert make_plan("p", NEEDS, [gpu(80)]).load_order == ("voxtral", "orpheus")
    assert make_plan("p", NEEDS[::-1], [gpu(80)]).load_order == ("voxtral", "orpheus")
    mixed = make_plan("p", NEEDS, [gpu(12)])
    assert mixed.load_order[0] == max(mixed.needs, key=lambda name: mixed.needs[name].weights_bytes)


def test_another_model_is_planned_beside_them() -> None:
    """A model without a cache, like Kokoro, is one need more."""
    small = ModelNeed(
        model="kokoro",
        title="Kokoro",
        weights_bytes={"float32": 330_000_000},
        step_bytes={"float32": 0},
        contexts=(0,),
        stand_in="eSpeak NG speaks",
        importance=1,
    )
    plan = make_plan("voxtral-kokoro", (NEEDS[0], small), [gpu(80)])
    assert precisions(plan) == {"voxtral": "bf16", "kokoro": "float32"}, "the only one that it has"
    assert plan.gives_up == ()
    assert plan.needs["kokoro"].total_bytes == 330_000_000 + small.graphs_bytes


# This machine


def test_auto_loads_nothing_without_checkpoints(nowhere: dict[str, str]) -> None:
    plan = plan_for("auto", asked(), nowhere, imagined_machine(80 * GB))
    assert (plan.profile, plan.placements, plan.fits) == ("embedded", {}, False)
    assert "voxterm fetch" in plan.reason
    assert len(plan.missing) == 3


def test_a_profile_by_name_is_planned_even_without_checkpoints(nowhere: dict[str, str]) -> None:
    """The engine itself then says which file is missing."""
    plan = plan_for("voxtral-orpheus", asked(), nowhere, imagined_machine(80 * GB))
    assert set(plan.placements) == {"voxtral", "orpheus"}


def test_tiny_checkpoints_run_on_a_cpu(
    voxtral_folder: Path, orpheus_folder: Path, snac_folder: Path, nowhere: dict[str, str]
) -> None:
    wishes = asked(
        checkpoints={
            "voxtral": str(voxtral_folder),
            "orpheus": str(orpheus_folder),
            "snac": str(snac_folder),
        }
    )
    machine = Machine(None, "there is no GPU", Ram(16 * GB, 8 * GB, 0), 10e9)
    plan = plan_for("auto", wishes, nowhere, machine)
    assert {place.device for place in plan.placements.values()} == {"cpu"}


def test_a_limit_holds_for_the_plan(nowhere: dict[str, str]) -> None:
    wishes = asked(memory_limit_bytes=8 * GB)
    plan = preview("auto", wishes, nowhere, imagined_machine(80 * GB))
    assert precisions(plan) == {"voxtral": "int4", "orpheus": "int4"}
    assert plan.uses["cuda:0"].planned_bytes < 8 * GB


def test_the_context_that_is_wished_for_is_the_first_tried(nowhere: dict[str, str]) -> None:
    wishes = asked(context_tokens={"voxtral": 16_384, "orpheus": 1024})
    plan = preview("auto", wishes, nowhere, imagined_machine(80 * GB))
    assert [place.context_tokens for place in plan.placements.values()] == [16_384, 1024]
    tight = preview("auto", wishes, nowhere, imagined_machine(8 * GB))
    assert tight.placements.get("voxtral", Placement(context_tokens=0)).context_tokens <= 8192


def test_embedded_needs_nothing(nowhere: dict[str, str]) -> None:
    plan = plan_for("embedded", asked(), nowhere, imagined_machine(80 * GB))
    assert (plan.placements, plan.fits, plan.gives_up) == ({}, True, ())


def test_an_unknown_profile_is_named(nowhere: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match='did you mean "voxtral-orpheus"'):
        plan_for("voxtral-orfeus", asked(), nowhere)


def test_a_gpu_without_bf16_is_not_planned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A T4 would load everything and then be too slow for a word."""
    old = replace(typical_gpu(16 * GB), name="Tesla T4", capability=(7, 5))
    monkeypatch.setattr("voxterm.plan.here.Nvml", lambda: FoundGpus((old,)))
    machine = this_machine({})
    assert machine.gpu is None
    assert "Tesla T4 does not compute in bf16" in machine.why_no_gpu
    plan = preview("auto", asked(), {"HF_HOME": "/nonexistent"}, replace(machine, ram=None))
    assert plan.profile == "embedded"
    assert "Tesla T4" in plan.reason
    assert all("Tesla T4" in line for line in plan.gives_up)


def test_of_several_gpus_the_freest_that_can_is_planned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = tuple(
        GpuInfo(i, "a GPU", 80 * GB, free_gb * GB, 0, 3e12, capability)
        for i, (free_gb, capability) in enumerate([(20, (8, 0)), (40, (8, 6)), (60, (7, 5))])
    )
    found = FoundGpus(gpus)
    monkeypatch.setattr("voxterm.plan.here.Nvml", lambda: found)
    machine = this_machine({})
    assert machine.gpu is gpus[1]
    assert found.closed
    plan = preview("auto", asked(), {"HF_HOME": "/nonexistent"}, machine)
    assert plan.placements["voxtral"].device == "cuda:1"


def test_a_machine_without_a_gpu_measures_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxterm.plan.here.Nvml", lambda: FoundGpus(()))
    machine = this_machine({})
    assert machine.gpu is None
    assert machine.why_no_gpu == "there is no GPU to use: none was found"
    assert machine.ram is not None
    assert machine.ram.free_bytes > 0
    assert machine.ram_bandwidth_bytes_s is not None
    assert 1e8 < machine.ram_bandwidth_bytes_s < 1e13


class FoundGpus:
    """Stands for Nvml."""

    def __init__(self, gpus: tuple[GpuInfo, ...]) -> None:
        self._gpus = gpus
        self.unavailable = "" if gpus else "none was found"
        self.closed = False

    def gpus(self, environ: Mapping[str, str]) -> tuple[GpuInfo, ...]:
        return self._gpus

    def close(self) -> None:
        self.closed = True
