"""Every measurement runs, and its figures are those that are documented and hang together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from subjects import subject_of, without_weights
from torch.utils.flop_counter import FlopCounterMode

from voxterm.bench import ceilings, decode, memory, reply, transformers_view, tts
from voxterm.bench.models import Subject, built, loaded
from voxterm.bench.report import Figure
from voxterm.cli.wiring import demo_clips
from voxterm.decoding import Prompt, Sampling
from voxterm.engines.protocols import Placement, Samples, SpeechChunk, SpeechTokens, Spoken, Voice
from voxterm.errors import EngineError, EngineMemoryError, InputError

NAMES = ("voxtral", "orpheus")
CLIP = demo_clips()[1]

DECODE_FIGURES = {
    "tokens_per_s",
    "plain_tokens_per_s",
    "greedy_tokens_per_s",
    "transformers_tokens_per_s",
    "together_tokens_per_s",
    "times_transformers",
    "token_ms",
    "token_floor_ms",
    "token_gb",
    "prefill_ms",
    "bandwidth_gb_s",
    "bandwidth_share",
}
TTS_FIGURES = {
    "first_tokens_ms",
    "time_to_first_audio_ms",
    "real_time_factor",
    "tokens_per_s",
    "least_buffered_ms",
    "underruns",
    "speech_s",
    "stray_tokens",
    "memory_mb",
}


@pytest.fixture(scope="session")
def real(voxtral_folder: Path, orpheus_folder: Path, snac_folder: Path) -> Subject:
    """With weights from files; they babble too, but nobody replaces what they say."""
    return subject_of(voxtral_folder, orpheus_folder, snac_folder)


@pytest.fixture(scope="session")
def random(
    voxtral_folder: Path, orpheus_folder: Path, snac_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Subject:
    """With weights that are drawn."""
    folder = tmp_path_factory.mktemp("stand-ins")
    return subject_of(
        without_weights(voxtral_folder, folder / "voxtral"),
        without_weights(orpheus_folder, folder / "orpheus"),
        without_weights(snac_folder, folder / "snac"),
    )


def value(figures: dict[str, Figure], name: str) -> float:
    return sorted(figures[name].readings)[len(figures[name].readings) // 2]


class TestDecode:
    @pytest.fixture(scope="class")
    def figures(self, random: Subject) -> dict[str, Figure]:
        return decode.measure(random, NAMES, tokens=8, rows=None, together=True)

    @pytest.mark.parametrize("name", NAMES)
    def test_figures_of_each_model(self, figures: dict[str, Figure], name: str) -> None:
        found = {key.removeprefix(f"{name}_") for key in figures if key.startswith(name)}
        assert found == DECODE_FIGURES
        assert all(value(figures, f"{name}_{key}") > 0 for key in found)

    def test_share_is_of_the_bandwidth_measured_in_the_same_run(self, figures: dict[str, Figure]) -> None:
        used = value(figures, "orpheus_bandwidth_gb_s") / value(figures, "bandwidth_gb_s")
        assert value(figures, "orpheus_bandwidth_share") == pytest.approx(100 * used)
        read_gb = value(figures, "orpheus_tokens_per_s") * value(figures, "orpheus_token_gb")
        assert value(figures, "orpheus_bandwidth_gb_s") == pytest.approx(read_gb)

    def test_quantised_weights_have_no_twin_in_transformers(self, random: Subject) -> None:
        places = {"orpheus": Placement("cpu", "int8", 2048)}
        given = replace(random, plan=replace(random.plan, placements=places, load_order=("orpheus",)))
        figures = decode.measure(given, ("orpheus",), tokens=4, rows=3, together=True)
        assert not [name for name in figures if "transformers" in name or "together" in name]
        assert value(figures, "orpheus_tokens_per_s") > 0

    @pytest.mark.parametrize("tokens", [1, 5000])
    def test_refuses_tokens_that_cannot_be_measured(self, random: Subject, tokens: int) -> None:
        with pytest.raises(InputError, match="ask for 2 to"):
            decode.measure(random, ("orpheus",), tokens=tokens, rows=None, together=False)

    def test_rate_within_counts_steps_between_two_moments(self) -> None:
        run = decode.Run(0.0, [1.0, 2.0, 3.0, 4.0, 5.0])
        assert run.tokens_per_s == pytest.approx(1.0)
        assert run.rate_within(2.0, 4.0) == pytest.approx(1.0)
        assert run.prefill_ms == pytest.approx(1000.0)

    def test_a_model_that_fails_does_not_let_the_other_wait(
        self, random: Subject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with loaded(random, NAMES, warm=False) as engines:
            models = [decode.model_of(n, engines[n], random.settings.engines, None, 4) for n in NAMES]
            monkeypatch.setitem(decode.PROMPT_TOKENS, "voxtral", 4000)
            with pytest.raises(EngineError, match="more than"):
                decode._together(models, 4)


class TestTransformersView:
    def test_generates_what_the_loop_does_from_the_same_memory(self, real: Subject) -> None:
        """In float32, where no rounding makes two ways to compute differ."""
        places = {name: Placement("cpu", "float32", 2048) for name in NAMES}
        given = replace(real, plan=replace(real.plan, placements=places))
        with loaded(given, ("voxtral",), warm=False) as engines:
            loop = engines["voxtral"]._loaded.loop
            theirs = transformers_view.lent(loop._decoder)
            weight = theirs.model.layers[1].self_attn.v_proj.weight
            assert weight.untyped_storage().data_ptr() == (
                loop._decoder.layers[1].qkv.data.untyped_storage().data_ptr()
            )
            asked = [list(range(1000, 1040)), list(range(2000, 2040))]
            steps = loop.generate([Prompt(ids) for ids in asked], [Sampling()] * 2, [12] * 2)
            ours = torch.tensor(list(steps)).T
            assert torch.equal(transformers_view.generated(theirs, asked, 12), ours)


class Synthesizer:
    """Gives chunks of 0.1 s at planned moments, on a clock of its own."""

    name, rate_hz = "fake", 1000

    def __init__(self, moments_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
        self.moments_s = moments_s
        self.now_s = 0.0
        monkeypatch.setattr("voxterm.bench.tts.time.monotonic", lambda: self.now_s)

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
        for number, moment_s in enumerate(self.moments_s):
            self.now_s = moment_s
            if number == 0:
                yield SpeechTokens()
            yield SpeechChunk(np.zeros(100, np.float32))


class TestTts:
    def test_figures(self, random: Subject) -> None:
        figures = tts.measure(random, "orpheus", "Hello there, how are you?", 2)
        assert set(figures) == TTS_FIGURES
        assert value(figures, "stray_tokens") == 0
        assert value(figures, "speech_s") == pytest.approx(24 * 2048 / 24_000)  # 31 letters with "tara: "
        assert value(figures, "first_tokens_ms") < value(figures, "time_to_first_audio_ms")
        assert len(figures["underruns"].readings) == 2

    def test_weights_from_a_file_are_left_alone(self, real: Subject) -> None:
        """The tiny model speaks out of place, and that is told."""
        figures = tts.measure(real, "orpheus", "Hello.", 1)
        assert value(figures, "stray_tokens") > 0
        assert tts.notes(real, "orpheus") == []

    def test_a_planted_gap_is_found(self, monkeypatch: pytest.MonkeyPatch, real: Subject) -> None:
        late: object = Synthesizer([0.2, 0.25, 0.5], monkeypatch)
        speech = tts.speak(late, "x", real.voice)  # type: ignore[arg-type]
        figures = tts.figures([speech], [])
        assert value(figures, "time_to_first_audio_ms") == pytest.approx(200.0)
        assert (value(figures, "underruns"), value(figures, "least_buffered_ms")) == (1.0, 0.0)

    def test_nothing_to_say_is_an_error(self, random: Subject) -> None:
        with pytest.raises(EngineError, match="nothing to say"):
            tts.measure(random, "orpheus", "…", 1)


class TestReply:
    @pytest.fixture(scope="class")
    def figures(self, random: Subject) -> dict[str, Figure]:
        return reply.measure(random, [CLIP], 2)

    def test_every_stage_and_its_floor(self, figures: dict[str, Figure]) -> None:
        stages = ["audio_encode", "first_text", "first_sentence", "first_speech", "codec", "response"]
        for stage in stages:
            assert 0 < value(figures, f"{stage}_floor_ms") <= value(figures, f"{stage}_ms"), stage
        assert value(figures, "transcript_ms") > value(figures, "first_text_ms")
        assert value(figures, "first_token_ms") <= value(figures, "first_text_ms")
        assert {len(figures[f"{stage}_ms"].readings) for stage in stages} == {2}

    def test_the_stages_add_up_to_the_response(self, figures: dict[str, Figure]) -> None:
        stages = ["audio_encode", "first_text", "first_sentence", "first_speech", "codec"]
        for turn in range(2):
            whole_ms = sum(figures[f"{stage}_ms"].readings[turn] for stage in stages)
            assert whole_ms == pytest.approx(figures["response_ms"].readings[turn])

    def test_memory_is_told_early_and_late(self, figures: dict[str, Figure]) -> None:
        assert value(figures, "memory_settled_mb") > 50
        assert value(figures, "memory_last_turn_mb") > 50

    def test_silence_has_no_answer(self, random: Subject) -> None:
        silence: Samples = np.zeros(16_000, np.float32)
        with pytest.raises(EngineError, match="person who speaks"):
            reply.measure(random, [silence], 1)


class TestMemory:
    def test_planned_beside_used(self, real: Subject) -> None:
        figures = memory.measure(real, CLIP)
        for part in ("voxtral_weights", "orpheus_weights"):
            assert abs(value(figures, f"{part}_deviation")) < 2, part
        assert value(figures, "voxtral_kv_cache_used_mb") > 0
        assert value(figures, "orpheus_codec_planned_mb") > 0
        peaks = [value(figures, f"{what}_mb") for what in ("voxtral_load_peak", "turn_peak", "whole_used")]
        assert min(peaks) > 50

    def test_stand_ins_are_planned_by_their_config(self, random: Subject, real: Subject) -> None:
        """Without files the plan once took the weights to be nothing."""
        for model in NAMES:
            drawn, read = random.plan.needs[model], real.plan.needs[model]
            assert drawn.weights_bytes == pytest.approx(read.weights_bytes, rel=0.01)

    def test_deviation(self) -> None:
        figures = memory.compared("x", 200_000_000, 210_000_000)
        assert value(figures, "x_deviation") == pytest.approx(5.0)


class TestCeilings:
    def test_the_larger_of_reading_and_computing(self) -> None:
        best = ceilings.Ceilings(bandwidth_bytes_s=100.0, operations_s=1000.0)
        assert best.seconds(50.0, 100.0) == 0.5
        assert best.seconds(5.0, 500.0) == 0.5

    def test_a_prefill_counts_its_operations(self, random: Subject) -> None:
        """All matrices as torch counts them; on a CPU it leaves attention out."""
        tokens = 128
        with loaded(random, ("orpheus",), warm=False) as engines:
            loop = engines["orpheus"]._model._loop
            decoder = loop._decoder
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                x = torch.zeros(tokens, decoder.shape.hidden, dtype=decoder.dtype)
                decoder.prefill(x, decoder.rotation(tokens), 0, loop._cache.row(0))
            attention = 2 * decoder.shape.layers * decoder.shape.heads * decoder.shape.head_size * tokens**2
            counted = counter.get_total_flops()
            assert ceilings.prefill_operations(decoder, tokens) - attention == pytest.approx(counted)


def test_a_model_without_a_place_is_refused(random: Subject) -> None:
    left_out = replace(random, plan=replace(random.plan, placements={}, gives_up=("it is too large",)))
    with pytest.raises(EngineMemoryError, match="too large"):
        left_out.placement("orpheus")
    assert built(random, "orpheus").memory_bytes == {}, "nothing is loaded before it is asked for"
