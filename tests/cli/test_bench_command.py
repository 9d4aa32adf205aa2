"""`voxterm bench` on models: its flags, its document and its table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from voxterm.__main__ import main
from voxterm.bench.conversation.measurement import SHIPPED
from voxterm.bench.models import with_stand_ins
from voxterm.config import Settings
from voxterm.gpu import Nvml

Bench = Callable[..., Any]
CLIP = str(SHIPPED / "speech-lj001-0002.flac")


@pytest.fixture
def bench(
    voxtral_folder: Path,
    orpheus_folder: Path,
    snac_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Bench:
    """Run a measurement that must succeed on tiny checkpoints; what it printed, parsed where it is JSON."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*argv: str) -> Any:
        flags = [
            f"engines.voxtral.checkpoint={voxtral_folder}",
            f"engines.orpheus.checkpoint={orpheus_folder}",
            f"engines.orpheus.codec={snac_folder}",
            "engines.voxtral.reply_tokens=24",
            "engines.voxtral.temperature=0",
        ]
        sets = [part for flag in flags for part in ("--set", flag)]
        code = main(["bench", *argv, *sets])
        said = capsys.readouterr()
        assert (code, said.err) == (0, "")
        return json.loads(said.out) if "--json" in argv else said.out

    return run


def test_decode_gives_one_document(bench: Bench) -> None:
    found = bench("decode", "--model", "orpheus", "--tokens", "4", "--device", "cpu", "--json")
    assert found["bench"] == "decode"
    assert set(found["models"]) == {"orpheus"}
    assert "bf16 on cpu" in found["models"]["orpheus"]
    assert {"torch", "transformers", "python", "processor"} <= set(found["machine"])
    figure = found["figures"]["orpheus_tokens_per_s"]
    assert set(figure) == {"p50", "p95", "n", "unit"}
    assert (figure["unit"], figure["n"] >= 1) == ("tokens/s", True)
    assert any("orpheus 1 at once" in note for note in found["notes"])


def test_tts_prints_a_table(bench: Bench) -> None:
    text = bench("tts", "--text", "Hello.", "--runs", "1", "--device", "cpu")
    assert "time_to_first_audio_ms" in text
    assert "least_buffered_ms" in text


@pytest.mark.parametrize(
    ("kind", "engine", "figure"),
    [
        ("stt", "pocketsphinx", "transcript_wait_ms"),
        ("llm", "eliza", "first_delta_late_ms"),
        ("tts", "espeak", "time_to_first_audio_ms"),
    ],
)
def test_one_engine_in_a_table_and_a_document(bench: Bench, kind: str, engine: str, figure: str) -> None:
    argv = [kind, "--engine", engine, "--device", "cpu", *([CLIP] if kind == "stt" else [])]
    found = bench(*argv, "--json")
    assert (found["bench"], set(found["models"])) == (kind, {engine})
    assert "needs no checkpoint" in found["models"][engine]
    assert set(found["figures"][figure]) == {"p50", "p95", "n", "unit"}
    assert figure in bench(*argv)


def test_an_engine_without_weights_says_that_it_was_measured_as_it_is(bench: Bench) -> None:
    found = bench("tts", "--engine", "espeak", "--weights", "random", "--runs", "1", "--json")
    assert any("eSpeak NG has no weights" in note for note in found["notes"])


def test_words_that_are_given_are_counted(bench: Bench, tmp_path: Path) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("file\ttext\nspeech-lj001-0002.flac\tin being comparatively modern\n")
    found = bench("stt", CLIP, "--engine", "pocketsphinx", "--transcripts", str(words), "--json")
    assert found["figures"]["word_errors"]["n"] == 4
    assert "word_errors" not in bench("stt", CLIP, "--engine", "pocketsphinx", "--json")["figures"]


def test_the_turns_of_a_dialogue_are_told_one_by_one(bench: Bench) -> None:
    found = bench("llm", "--engine", "eliza", "--turns", "3", "--json")
    lengths = [turn["history_characters"] for turn in found["turns"]]
    assert (len(lengths), lengths) == (3, sorted(lengths))


def test_without_a_name_it_is_the_engine_that_plays(bench: Bench) -> None:
    played = bench("llm", "--profile", "embedded", "--turns", "1", "--json")
    assert list(played["models"]) == ["eliza"]
    named = bench("llm", "--profile", "voxtral-orpheus", "--turns", "1", "--device", "cpu", "--json")
    assert list(named["models"]) == ["voxtral"]
    assert named["figures"]["tokens_per_s"]["p50"] > 0


def test_what_is_under_way_is_told_to_who_watches(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["bench", "tts", "--engine", "espeak", "--runs", "2", "--json"]) == 0
    assert "voxterm: speaking, 2 of 2\n" in capsys.readouterr().err


def test_memory_in_another_precision(bench: Bench) -> None:
    found = bench("memory", "--device", "cpu", "--precision", "float32", "--json")
    assert "float32 on cpu" in found["models"]["voxtral"]
    assert found["figures"]["whole_planned_mb"]["p50"] > 0


def test_random_weights_take_stand_ins_and_remove_them(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small ones here: the flag itself writes those of the published sizes."""

    def small(settings: Settings, engines: Collection[str], folder: Path) -> Settings:
        made = with_stand_ins(settings, engines, folder)
        path = folder / "orpheus" / "config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        config.update(num_hidden_layers=1, hidden_size=64, intermediate_size=128, head_dim=16)
        config.update(num_attention_heads=4, num_key_value_heads=2)
        path.write_text(json.dumps(config), encoding="utf-8")
        return made

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("voxterm.bench.models.with_stand_ins", small)
    found = bench("tts", "--weights", "random", "--text", "Hi.", "--runs", "1", "--device", "cpu", "--json")
    assert found["figures"]["stray_tokens"]["p50"] == 0
    assert any("random" in note for note in found["notes"])
    assert list(tmp_path.glob("voxterm-bench-*")) == []


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        (["decode", "--model", "whisper"], ["whisper"]),
        (["decode", "--tokens", "0"], ["--tokens"]),
        (["decode", "--rows", "9"], ["--rows", "1 to 8"]),
        (["tts", "--precision", "int2"], ["int2"]),
        (["tts", "--device", "gpu"], ["--device", "cpu"]),
        (["tts", "--weights", "tiny"], ["tiny"]),
        (["reply", "--gpu-memory", "lots"], ["lots", "8GB"]),
        (["reply", "/no/such.wav"], ["/no/such.wav"]),
        (["stt", "/no/such.wav"], ["/no/such.wav"]),
        (["stt", "--transcripts", "/no/such.tsv", CLIP], ["/no/such.tsv"]),
        (["stt", "--engine", "pocketsfinx"], ['"pocketsfinx"', 'did you mean "pocketsphinx"']),
        (["llm", "--engine", "espeak"], ["language model", '"espeak"', "eliza"]),
        (["tts", "--engine", "orfeus"], ['did you mean "orpheus"']),
        (["llm", "--turns", "0"], ["--turns"]),
    ],
)
def test_wrong_usage(argv: list[str], names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["bench", *argv])
    said = capsys.readouterr()
    assert (code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert all(name in said.err for name in names)


@pytest.mark.skipif(bool(Nvml().gpus(os.environ)), reason="there is a GPU")
def test_a_gpu_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "memory", "--device", "cuda:0"]) == 2
    assert "no cuda:0 here" in capsys.readouterr().err


def test_a_checkpoint_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert main(["bench", "tts", "--engine", "orpheus", "--device", "cpu"]) == 1
    assert "voxterm fetch" in capsys.readouterr().err
