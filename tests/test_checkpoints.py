"""Checkpoints found, checked and read: the tiny ones whole, then broken in every way a download can break."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import copied

from voxterm.checkpoints import Checkpoint, find, read_header, require, state_dict, unpickled
from voxterm.checkpoints.reading import COPY_AGAIN
from voxterm.errors import CheckpointError

VOXTRAL = "VoxtralForConditionalGeneration"
LLAMA = "LlamaForCausalLM"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def voxtral(voxtral_folder: Path, tmp_path: Path) -> Path:
    """A copy to break, of links where a file stays whole."""
    return linked(voxtral_folder, tmp_path / "voxtral")


def linked(folder: Path, into: Path) -> Path:
    into.mkdir(parents=True)
    for file in folder.iterdir():
        (into / file.name).symlink_to(file)
    return into


def rewritten(link: Path, contents: bytes) -> Path:
    """The file with other contents; what it linked to stays as it was."""
    link.unlink(missing_ok=True)
    link.write_bytes(contents)
    return link


def in_cache(folder: Path, cache: Path, name: str) -> Path:
    """A checkpoint laid out as the hub's library keeps it: snapshots of links to blobs."""
    repo = cache / f"models--{name.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    (repo / "blobs").mkdir()
    snapshot = repo / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for number, file in enumerate(folder.iterdir()):
        blob = repo / "blobs" / str(number)
        os.link(file, blob)
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    return snapshot


def failure(call: Callable[[], object]) -> CheckpointError:
    """What a call that must fail says: one line of plain text, with a remedy."""
    with pytest.raises(CheckpointError) as caught:
        call()
    assert str(caught.value).isprintable()
    assert caught.value.remedy
    return caught.value


def header_of(entries: dict[str, Any], weights: bytes = b"") -> bytes:
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + weights


def test_costs_nothing_to_import() -> None:
    """The plan of what fits reads headers before torch is imported, and without it."""
    heavy = "{'torch', 'transformers', 'safetensors', 'huggingface_hub'}"
    code = f"import sys, voxterm.checkpoints; print(sys.modules.keys() & {heavy})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "set()\n"


# Found


def test_finds_a_folder_and_all_its_shards(voxtral_folder: Path) -> None:
    found = find(str(voxtral_folder), [VOXTRAL])
    assert found.folder == voxtral_folder
    assert [path.name for path in found.weights] == list(SHARDS)
    assert found.weight_bytes == sum((voxtral_folder / shard).stat().st_size for shard in SHARDS)
    assert found.config["audio_token_id"] == 24


def test_finds_a_single_file_and_a_pickled_one(orpheus_folder: Path, snac_folder: Path) -> None:
    assert [path.name for path in find(str(orpheus_folder), [LLAMA]).weights] == ["model.safetensors"]
    snac = find(str(snac_folder))
    assert [path.name for path in snac.weights] == ["pytorch_model.bin"]
    require(snac, "sampling_rate", 24_000)


def test_a_pickled_file_beside_safetensors_is_not_touched(orpheus_folder: Path, tmp_path: Path) -> None:
    folder = linked(orpheus_folder, tmp_path / "orpheus")
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    assert [path.name for path in find(str(folder)).weights] == ["model.safetensors"]


def test_a_model_for_ctranslate2_is_found_where_its_config_may_say_nothing(tmp_path: Path) -> None:
    """So `voxterm plan` and `doctor` know a Whisper that was converted for faster-whisper."""
    (tmp_path / "config.json").write_text('{"lang_ids": [50259]}')
    (tmp_path / "model.bin").write_bytes(b"0123456789")
    found = find(str(tmp_path), ("WhisperForConditionalGeneration", ""))
    assert [path.name for path in found.weights] == ["model.bin"]
    assert found.weight_bytes == 10
    error = failure(lambda: find(str(tmp_path), ("WhisperForConditionalGeneration",)))
    assert "its config.json does not name where WhisperForConditionalGeneration is needed" in error.what


def test_the_only_pth_is_the_weights_and_of_two_none_is(tmp_path: Path) -> None:
    """Kokoro's weights are one `.pth` that names its version."""
    folder = pickled(tmp_path / "kokoro", {"a": torch.zeros(1)}, "kokoro-v1_0.pth")
    assert [path.name for path in find(str(folder)).weights] == ["kokoro-v1_0.pth"]
    torch.save({}, folder / "optimizer.pth")
    assert "holds no weights" in failure(lambda: find(str(folder))).what
    torch.save({}, folder / "pytorch_model.bin")
    assert [path.name for path in find(str(folder)).weights] == ["pytorch_model.bin"]
    (folder / "pytorch_model.bin").unlink()
    (folder / "optimizer.pth").unlink()
    (folder / "kokoro-v1_0.pth").write_bytes(b"short")
    assert "is no PyTorch file" in failure(lambda: find(str(folder))).what


@pytest.mark.parametrize("variable", ["HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"])
def test_finds_a_repository_in_the_hubs_cache(snac_folder: Path, tmp_path: Path, variable: str) -> None:
    caches = {"HF_HOME": "hub", "HF_HUB_CACHE": "", "XDG_CACHE_HOME": "huggingface/hub"}
    snapshot = in_cache(snac_folder, tmp_path / caches[variable], "somebody/snac_24khz")
    environ = {variable: str(tmp_path), "HF_HUB_OFFLINE": "1"}
    assert find("somebody/snac_24khz", environ=environ).folder == snapshot


def test_a_folder_that_is_there_wins_over_the_cache(
    snac_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(snac_folder, tmp_path / "somebody" / "snac")
    monkeypatch.chdir(tmp_path)
    assert find("somebody/snac", environ={}).folder == Path("somebody/snac")


def test_a_home_folder_is_found_by_its_tilde(
    snac_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(snac_folder, tmp_path / "models")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find("~/models").folder == tmp_path / "models"


# Not found


def test_says_which_command_fetches_what_is_not_there(tmp_path: Path) -> None:
    error = failure(lambda: find("canopylabs/orpheus-3b", environ={"HF_HOME": str(tmp_path)}))
    assert str(error) == (
        "the checkpoint canopylabs/orpheus-3b is not on this machine;"
        " run `voxterm fetch canopylabs/orpheus-3b`"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["orpheus", "./orpheus", "a/b/c", "~nobody-of-that-name/x", "../../x/y"])
def test_a_path_with_nothing_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert failure(lambda: find(name)).what == f"there is no folder {name}"


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("")
    assert failure(lambda: find(f"{tmp_path}/model")).what.endswith("model is no folder")


def test_a_folder_that_links_to_itself(tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to(tmp_path / "model")
    assert failure(lambda: find(f"{tmp_path}/model")).what.startswith("there is no folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read(snac_folder: Path, tmp_path: Path) -> None:
    folder = linked(snac_folder, tmp_path / "snac")
    folder.chmod(0)
    try:
        assert "cannot be read: Permission denied" in failure(lambda: find(str(folder))).what
    finally:
        folder.chmod(0o700)


def test_a_config_that_cannot_be_read(voxtral: Path) -> None:
    (voxtral / "config.json").unlink()
    (voxtral / "config.json").mkdir()
    error = failure(lambda: find(str(voxtral)))
    assert error.what == f"{voxtral}/config.json cannot be read: Is a directory"


def test_a_config_that_links_to_itself(voxtral: Path) -> None:
    (voxtral / "config.json").unlink()
    (voxtral / "config.json").symlink_to("config.json")
    assert "config.json cannot be read: Too many levels" in failure(lambda: find(str(voxtral))).what


def test_an_empty_folder(tmp_path: Path) -> None:
    error = failure(lambda: find(str(tmp_path)))
    assert str(error) == f"{tmp_path}/config.json is missing; copy the whole checkpoint there"


def test_a_config_without_weights(voxtral: Path) -> None:
    for file in [*SHARDS, "model.safetensors.index.json"]:
        (voxtral / file).unlink()
    assert "holds no weights: neither model.safetensors nor" in failure(lambda: find(str(voxtral))).what


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"1" * 5000 + b"}"])
def test_a_config_that_is_no_json(voxtral: Path, text: bytes) -> None:
    config = rewritten(voxtral / "config.json", text)
    error = failure(lambda: find(str(voxtral)))
    assert str(error) == f"{config} is no JSON; {COPY_AGAIN}", "nothing is fetched into this folder"


def test_a_config_that_is_no_object(voxtral: Path) -> None:
    rewritten(voxtral / "config.json", b"[]")
    assert failure(lambda: find(str(voxtral))).what.endswith("config.json is no JSON object")


# Of another model


def test_another_models_checkpoint(orpheus_folder: Path, snac_folder: Path) -> None:
    error = failure(lambda: find(str(orpheus_folder), [VOXTRAL]))
    assert error.what == f"{orpheus_folder} holds {LLAMA} where {VOXTRAL} is needed"
    unnamed = failure(lambda: find(str(snac_folder), [VOXTRAL, LLAMA]))
    assert "a model that its config.json does not name" in unnamed.what


@pytest.mark.parametrize("named", ["LlamaForCausalLM", None, {"a": 1}, [[1]]])
def test_architectures_of_a_wrong_kind_are_none(voxtral: Path, named: object) -> None:
    rewritten(voxtral / "config.json", json.dumps({"architectures": named}).encode())
    failure(lambda: find(str(voxtral), [LLAMA]))


def test_another_vocabulary(voxtral_folder: Path) -> None:
    found = find(str(voxtral_folder))
    require(found, "text_config.vocab_size", 131_072)
    error = failure(lambda: require(found, "text_config.vocab_size", 156_940))
    assert error.what == (
        f"{voxtral_folder}/config.json has 131072 for text_config.vocab_size where 156940 is needed"
    )
    assert "has no value for audio_token_id.x" in failure(lambda: require(found, "audio_token_id.x", 1)).what


# Not whole


def test_a_shard_that_is_missing_in_a_folder_and_in_the_cache(voxtral: Path, tmp_path: Path) -> None:
    """A download that was broken off leaves the index and some of its shards."""
    (voxtral / SHARDS[1]).unlink()
    error = failure(lambda: find(str(voxtral)))
    assert str(error) == f"{voxtral}/{SHARDS[1]} is missing; copy the whole checkpoint there"
    in_cache(voxtral, tmp_path / "cache", "mistralai/Voxtral")
    cached = failure(lambda: find("mistralai/Voxtral", environ={"HF_HUB_CACHE": f"{tmp_path}/cache"}))
    assert cached.remedy == "`voxterm fetch mistralai/Voxtral` gets what is missing"


def test_a_link_to_a_blob_that_is_gone(snac_folder: Path, tmp_path: Path) -> None:
    snapshot = in_cache(snac_folder, tmp_path, "somebody/snac")
    (snapshot / "pytorch_model.bin").resolve().unlink()
    error = failure(lambda: find("somebody/snac", environ={"HF_HUB_CACHE": str(tmp_path)}))
    assert error.what.endswith("pytorch_model.bin is missing")
    assert error.remedy == "`voxterm fetch somebody/snac` gets what is missing"


@pytest.mark.parametrize("kept_bytes", [0, 7, 8, 100, 10_000, 1_000_000, -1])
def test_a_shard_that_is_cut_short(voxtral: Path, kept_bytes: int) -> None:
    whole = (voxtral / SHARDS[0]).read_bytes()
    cut = rewritten(voxtral / SHARDS[0], whole[:kept_bytes])
    error = failure(lambda: find(str(voxtral)))
    assert str(cut) in error.what
    assert "cut short" in error.what or "bytes of weights where its header promises" in error.what
    assert error.remedy == COPY_AGAIN


def test_the_remedy_for_a_broken_blob_names_the_blob(snac_folder: Path, tmp_path: Path) -> None:
    """The hub's library takes a blob that is there for whole: only without it is it fetched anew."""
    copy = copied(snac_folder, tmp_path / "copy")
    rewritten(copy / "pytorch_model.bin", (snac_folder / "pytorch_model.bin").read_bytes()[:-500])
    snapshot = in_cache(copy, tmp_path / "cache", "somebody/snac")
    blob = (snapshot / "pytorch_model.bin").resolve()
    error = failure(lambda: find("somebody/snac", environ={"HF_HUB_CACHE": f"{tmp_path}/cache"}))
    assert error.remedy == f"delete {blob} and fetch it again"
    assert "blobs" in blob.parts


def test_an_index_that_no_longer_fits_its_shards(voxtral: Path) -> None:
    shutil.copyfile((voxtral / SHARDS[1]).resolve(), voxtral / "other")
    rewritten(voxtral / SHARDS[0], (voxtral / "other").read_bytes())
    assert f"{SHARDS[0]} lacks audio_tower.conv1.bias" in failure(lambda: find(str(voxtral))).what


@pytest.mark.parametrize(
    "places",
    [None, [], {}, {"a": 1}, {"a": None}, {"a": "../x.safetensors"}, {"a": "/etc/passwd"}, {"a": ".."}],
)
def test_an_index_that_names_no_files_of_its_folder(voxtral: Path, places: object) -> None:
    index = json.dumps({"weight_map": places}).encode()
    rewritten(voxtral / "model.safetensors.index.json", index)
    assert "index.json names no files of weights" in failure(lambda: find(str(voxtral))).what


# Headers


def test_a_header_tells_types_shapes_and_bytes(orpheus_folder: Path) -> None:
    path = orpheus_folder / "model.safetensors"
    tensors = read_header(path)
    embedding = tensors["model.embed_tokens.weight"]
    assert (embedding.dtype, embedding.shape, embedding.bytes) == ("BF16", (156_940, 64), 156_940 * 64 * 2)
    assert "lm_head.weight" not in tensors  # tied
    assert 0 < path.stat().st_size - sum(tensor.bytes for tensor in tensors.values()) < 8192


SOUND = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    "entries",
    [
        [],
        {"a": 1},
        {"a": {}},
        {"a": {**SOUND, "dtype": "PICKLE"}},
        {"a": {**SOUND, "dtype": []}},
        {"a": {**SOUND, "shape": [2, 3]}},
        {"a": {**SOUND, "shape": [-2, -2]}},
        {"a": {**SOUND, "shape": [2.0, 2]}},
        {"a": {**SOUND, "shape": [True, 4]}},
        {"a": {**SOUND, "shape": 4}},
        {"a": {**SOUND, "data_offsets": [16, 0]}},
        {"a": {**SOUND, "data_offsets": [0, 16, 32]}},
        {"a": SOUND, "b": SOUND},
        {"a": {**SOUND, "data_offsets": [8, 24]}},
    ],
)
def test_a_header_that_lies(tmp_path: Path, entries: Any) -> None:
    path = rewritten(tmp_path / "model.safetensors", header_of(entries, bytes(16)))
    assert failure(lambda: read_header(path)).what == f"{path} has a header that makes no sense"


def test_a_header_of_endless_brackets_or_a_huge_length(tmp_path: Path) -> None:
    deep = b"[" * 50_000
    path = rewritten(tmp_path / "deep", struct.pack("<Q", len(deep)) + deep)
    assert "makes no sense" in failure(lambda: read_header(path)).what
    path = rewritten(tmp_path / "huge", struct.pack("<Q", 2**63) + bytes(100))
    assert "is no safetensors file" in failure(lambda: read_header(path)).what


def test_weights_behind_the_last_tensor_are_refused(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "m", header_of({"__metadata__": {"format": "pt"}, "a": SOUND}, bytes(17)))
    assert failure(lambda: read_header(path)).what == (
        f"{path} holds 17 bytes of weights where its header promises 16"
    )


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_make_a_header_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, framed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.safetensors"
    path.write_bytes(struct.pack("<Q", len(noise)) + noise if framed else noise)
    with suppress(CheckpointError):
        assert read_header(path) == {}


# Read


def loaded(
    folder: Path, seen: list[tuple[int, int]] | None = None
) -> tuple[Checkpoint, dict[str, torch.Tensor]]:
    found = find(str(folder))
    return found, state_dict(found, None if seen is None else lambda done, total: seen.append((done, total)))


def test_reads_every_tensor_by_the_names_of_the_hub(voxtral_folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    found, tensors = loaded(voxtral_folder, seen)
    assert tensors["language_model.model.embed_tokens.weight"].shape == (131_072, 64)
    assert tensors["language_model.lm_head.weight"].shape == (131_072, 64)
    assert tensors["audio_tower.embed_positions.weight"].shape == (1500, 64)
    assert tensors["multi_modal_projector.linear_1.weight"].shape == (64, 256)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    assert seen == sorted(seen)
    assert seen[-1] == (found.weight_bytes, found.weight_bytes)


def test_the_tensors_are_those_that_transformers_loads(orpheus_folder: Path) -> None:
    from transformers import LlamaForCausalLM

    _, tensors = loaded(orpheus_folder)
    theirs = LlamaForCausalLM.from_pretrained(orpheus_folder, dtype=torch.bfloat16).state_dict()
    assert tensors.keys() == theirs.keys() - {"lm_head.weight"}
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in tensors.items())


def test_weights_are_mapped_and_not_copied(orpheus_folder: Path) -> None:
    """Copied, the weights would take as much of the machine's memory as they take on the GPU."""
    _, tensors = loaded(orpheus_folder)
    address = tensors["model.embed_tokens.weight"].data_ptr()
    lines = Path("/proc/self/maps").read_text().splitlines()
    mapped = [line.split()[0].split("-") for line in lines if line.endswith("model.safetensors")]
    assert any(int(begin, 16) <= address < int(end, 16) for begin, end in mapped)


def test_writing_into_a_tensor_leaves_the_file_alone(orpheus_folder: Path) -> None:
    _, tensors = loaded(orpheus_folder)
    before = tensors["model.norm.weight"].clone()
    tensors["model.norm.weight"].zero_()
    assert torch.equal(loaded(orpheus_folder)[1]["model.norm.weight"], before)


def test_a_pickled_checkpoint_gives_its_tensors(snac_folder: Path) -> None:
    _, tensors = loaded(snac_folder)
    assert tensors["quantizer.quantizers.0.codebook.weight"].shape == (4096, 8)


class Attack:
    """Unpickled without care this makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def pickled(folder: Path, contents: object, file: str = "pytorch_model.bin") -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    torch.save(contents, folder / file)
    return folder


def test_a_pickled_file_may_hold_each_part_of_the_model_by_itself(tmp_path: Path) -> None:
    parts = {
        "bert": {"module.weight": torch.ones(2)},
        "scale": torch.ones(1),
        "decoder": {"bias": torch.ones(3)},
    }
    _, tensors = loaded(pickled(tmp_path / "model", parts, "model.pth"))
    assert {name: len(tensor) for name, tensor in tensors.items()} == {
        "bert.module.weight": 2,
        "scale": 1,
        "decoder.bias": 3,
    }


def test_what_a_file_of_torch_holds_or_why_it_does_not(tmp_path: Path) -> None:
    file = tmp_path / "voice.pt"
    assert failure(lambda: unpickled(file)).what == f"{file} is missing"
    torch.save(torch.ones(3), file)
    assert unpickled(file).tolist() == [1.0, 1.0, 1.0]
    torch.save(Attack(tmp_path / "ran"), file)
    assert "holds code" in failure(lambda: unpickled(file)).what
    assert not (tmp_path / "ran").exists()
    file.write_bytes(b"PK")
    assert failure(lambda: unpickled(file)).what == f"{file} is damaged"


def test_code_in_a_pickled_checkpoint_is_refused_and_not_run(tmp_path: Path) -> None:
    folder = pickled(tmp_path / "model", {"weight": torch.zeros(2), "x": Attack(tmp_path / "ran")})
    error = failure(lambda: loaded(folder))
    assert str(error) == (
        f"{folder}/pytorch_model.bin holds code beside its tensors and is refused;"
        " take a checkpoint in safetensors"
    )
    assert not (tmp_path / "ran").exists()


def test_a_bare_pickle_is_refused_unread(tmp_path: Path) -> None:
    folder = pickled(tmp_path / "model", {})
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Attack(tmp_path / "ran")))
    assert "is no PyTorch file" in failure(lambda: find(str(folder))).what
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("contents", [[torch.zeros(1)], {"a": 1}, {"a": {"b": 1}}, torch.zeros(1)])
def test_a_pickled_file_without_named_tensors(tmp_path: Path, contents: object) -> None:
    folder = pickled(tmp_path / "model", contents)
    assert "holds something else than tensors by name" in failure(lambda: loaded(folder)).what


def damaged_zips() -> Iterable[Callable[[Path], None]]:
    def of_another_kind(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "hello")

    def without_storages(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            kept = {name: archive.read(name) for name in archive.namelist() if "/data/" not in name}
        with zipfile.ZipFile(path, "w") as archive:
            for name, contents in kept.items():
                archive.writestr(name, contents)

    return of_another_kind, without_storages


@pytest.mark.parametrize("damage", damaged_zips(), ids=lambda damage: damage.__name__)
def test_a_pickled_file_that_is_damaged(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = pickled(tmp_path / "model", {"weight": torch.zeros(100)})
    damage(folder / "pytorch_model.bin")
    assert failure(lambda: loaded(folder)).what == f"{folder}/pytorch_model.bin is damaged"


def test_what_changes_between_finding_and_reading(orpheus_folder: Path, tmp_path: Path) -> None:
    folder = linked(orpheus_folder, tmp_path / "orpheus")
    found = find(str(folder))
    (folder / "model.safetensors").unlink()
    assert failure(lambda: state_dict(found)).what == f"{folder}/model.safetensors is missing"
    (folder / "model.safetensors").write_bytes(b"short")
    assert "is refused by the safetensors library" in failure(lambda: state_dict(found)).what
