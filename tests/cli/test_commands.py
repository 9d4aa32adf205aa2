"""The commands on real input, with the engines that run anywhere."""

from __future__ import annotations

import gc
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
import soundfile  # type: ignore[import-untyped]

from voxterm.__main__ import main
from voxterm.audio.wav import read_audio
from voxterm.conversation import Conversation
from voxterm.engines.silero_vad import SileroVad
from voxterm.events import Event, TurnFinished
from voxterm.headless import Talked, talk_through
from voxterm.latency import STAGES

DATA = Path(__file__).parents[2] / "voxterm" / "data"
CLIPS = [str(DATA / "demo-1.flac"), str(DATA / "demo-2.flac")]
SAID = [
    "produced the block books which were the immediate predecessors of the true printed book",
    "has never been surpassed",
]
Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command that must succeed; its stdout, parsed where it is JSON."""

    def run(*argv: object) -> Any:
        code = main([str(argument) for argument in argv])
        said = capsys.readouterr()
        assert code == 0, said.err
        assert said.err == ""
        return json.loads(said.out) if "--json" in argv else said.out

    return run


def word_errors(truth: str, heard: str) -> int:
    """Levenshtein distance in words."""
    row = list(range(len(heard.split()) + 1))
    for i, true_word in enumerate(truth.split(), 1):
        diagonal, row[0] = row[0], i
        for j, word in enumerate(heard.split(), 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (true_word != word))
    return row[-1]


def recognised_by_hand(file: str) -> str:
    """PocketSphinx, fed the whole file."""
    from pocketsphinx import Decoder  # type: ignore[import-untyped]

    decoder = Decoder(samprate=16_000, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(soundfile.read(file, dtype="int16")[0].tobytes(), full_utt=True)
    decoder.end_utt()
    return re.sub(r"\(\d+\)", "", decoder.hyp().hypstr)


def test_two_files_are_two_turns_with_every_stage_a_number(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "a.wav"
    document = command("talk", *CLIPS, "--out", out, "--json")
    assert document["profile"] == "embedded"
    assert set(document["engines"]) == {"vad", "understand", "speak"}
    assert [turn["number"] for turn in document["turns"]] == [1, 2]
    for turn in document["turns"]:
        assert turn["reply"]
        assert turn["heard_reply"] == turn["reply"]
        assert turn["interrupted"] is False
        assert set(turn["latency_ms"]) == {stage.key for stage in STAGES}
        assert all(isinstance(value, int | float) for value in turn["latency_ms"].values())
    words = sum(len(text.split()) for text in SAID)
    ours = sum(map(word_errors, SAID, [turn["transcript"] for turn in document["turns"]]))
    by_hand = sum(map(word_errors, SAID, map(recognised_by_hand, CLIPS)))
    assert ours / words <= by_hand / words + 0.02


def test_the_answer_in_the_file_is_speech(command: Command, tmp_path: Path) -> None:
    """A VAD hears speech where the file is loud, as long as it takes to say the words of the answer."""
    out = tmp_path / "a.wav"
    turn = command("talk", CLIPS[0], "--out", out, "--json", "--set", "engines.eliza.seed=3")["turns"][0]
    vad = SileroVad()
    vad.load(lambda done_bytes, total_bytes: None)
    samples = read_audio(out)
    frames = samples[: len(samples) // 512 * 512].reshape(-1, 512)
    voiced = np.array([vad.probability(frame) > 0.5 for frame in frames])
    loud = np.abs(frames).max(axis=1) > 0.02
    vad.close()
    assert np.count_nonzero(loud) * 0.032 > 0.15 * len(turn["reply"].split())
    assert np.count_nonzero(voiced & loud) > 0.7 * np.count_nonzero(loud)
    assert not voiced[: round(3.6 / 0.032)].any(), "nothing is said while the person speaks"


def test_a_file_with_two_utterances_is_two_turns(command: Command, tmp_path: Path) -> None:
    both = tmp_path / "both.wav"
    silence = np.zeros(16_000, np.float32)
    one, two = (read_audio(Path(clip)) for clip in CLIPS)
    soundfile.write(both, np.concatenate([one, silence, two]), 16_000)
    assert len(command("talk", both, "--json")["turns"]) == 2


@pytest.mark.parametrize(
    ("name", "rate_hz", "channels", "subtype"),
    [
        ("8k.wav", 8_000, 1, "PCM_16"),
        ("48k.wav", 48_000, 1, "PCM_16"),
        ("stereo.wav", 44_100, 2, "PCM_16"),
        ("24bit.wav", 16_000, 1, "PCM_24"),
        ("float.wav", 16_000, 1, "FLOAT"),
        ("clip.ogg", 48_000, 1, "VORBIS"),
        ("clip.mp3", 44_100, 2, "MPEG_LAYER_III"),
    ],
)
def test_recordings_of_other_forms_work(
    name: str, rate_hz: int, channels: int, subtype: str, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / name
    samples = read_audio(Path(CLIPS[1]), rate_hz)
    soundfile.write(file, np.stack([samples] * channels, axis=1), rate_hz, subtype=subtype)
    text = command("transcribe", file).strip()
    assert word_errors(SAID[1], text) <= 2, text


def test_demo_shows_the_main_job_and_writes_both_sides(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxterm.cli.demo.list_devices", list)
    out = tmp_path / "demo.wav"
    document = command("demo", "--out", out, "--json")
    assert len(document["turns"]) == 2
    both, rate_hz = soundfile.read(out)
    assert both.shape[1] == 2
    for side in range(2):
        assert np.count_nonzero(np.abs(both[:, side]) > 0.02) > rate_hz / 4


def test_say_writes_speech(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "a.wav"
    assert str(out) in command("say", "The quick brown fox.", "--out", out)
    normal_s = len(read_audio(out)) / 16_000
    command("say", "The quick brown fox.", "--out", out, "--speed", "2.0")
    assert 0.3 < len(read_audio(out)) / 16_000 < 0.75 * normal_s


def test_transcribe_json_has_segments(command: Command) -> None:
    document = command("transcribe", CLIPS[1], "--json")
    assert document["text"] == " ".join(segment["text"] for segment in document["segments"])
    assert document["segments"][0]["end_s"] > document["segments"][0]["begin_s"]


def test_recordings_press_no_key(command: Command) -> None:
    """Settings for the screen must not make recordings fall silent."""
    push_to_talk = ("--set", "turns.mode=push_to_talk")
    assert command("transcribe", CLIPS[1], *push_to_talk).strip()
    assert len(command("talk", CLIPS[1], "--json", *push_to_talk)["turns"]) == 1


def test_silence_is_no_turn_and_no_error(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "silence.wav"
    soundfile.write(file, np.zeros(32_000), 16_000)
    assert command("talk", file, "--json")["turns"] == []
    assert command("transcribe", file, "--json")["text"] == ""


def test_config_tells_where_each_value_comes_from(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXTERM_TURNS__PAUSE_MS", "250")
    document = command("config", "--json", "--speed", "1.5")
    assert document["settings"]["turns"]["pause_ms"] == 250
    assert document["origins"]["turns.pause_ms"] == "VOXTERM_TURNS__PAUSE_MS"
    assert document["settings"]["speech"]["speed"] == 1.5
    assert document["origins"]["profile"] == "config.toml"
    assert "VOXTERM_TURNS__PAUSE_MS" in command("config")


def test_sessions_are_kept_resumed_and_exported(command: Command, tmp_path: Path) -> None:
    assert "no sessions" in command("sessions")
    command("talk", CLIPS[1])
    (session,) = command("sessions", "--json")["sessions"]
    assert session["turns"] == 1
    document = command("talk", CLIPS[1], "--resume", "--json")
    assert [turn["number"] for turn in document["turns"]] == [2]
    (session,) = command("sessions", "--json")["sessions"]
    assert session["turns"] == 2
    assert session["id"] in command("sessions")
    assert command("export", session["id"]).count("**You**") == 2
    assert "-->" in command("export", "--format", "srt")
    out = tmp_path / "s.json"
    command("export", "--format", "json", "--out", out)
    assert len(json.loads(out.read_text())["turns"]) == 2


def test_a_session_with_recordings_is_exported_as_sound(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "s.wav"
    command("talk", CLIPS[1], "--set", "sessions.keep_audio=true")
    command("export", "--format", "wav", "--out", out)
    both, _ = soundfile.read(out)
    assert np.abs(both[:, 0]).max() > 0.1
    assert np.abs(both[:, 1]).max() > 0.1


def test_bench_turns_gives_percentiles_of_every_stage(command: Command) -> None:
    document = command("bench", "turns", CLIPS[1], "--turns", "3", "--json")
    assert document["bench"] == "turns"
    assert document["command"].startswith("voxterm ")
    assert set(document["figures"]) == {f"{stage.key}_ms" for stage in STAGES}
    for figure in document["figures"].values():
        assert figure["unit"] == "ms"
        assert figure["n"] == 3
        assert 0 <= figure["p50"] <= figure["p95"]


def test_200_turns_leave_nothing_behind(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory at the end within 5 % of that after 20 turns; then no thread, file or process left over."""
    process = psutil.Process()
    rss: dict[int, int] = {}

    async def watched(conversation: Conversation, *arguments: Any, **flags: Any) -> Talked:
        def weigh(event: Event) -> None:
            if isinstance(event, TurnFinished) and event.turn in (20, 200):
                gc.collect()
                rss[event.turn] = int(process.memory_info().rss)

        conversation.subscribe(weigh)
        return await talk_through(conversation, *arguments, **flags)

    monkeypatch.setattr("voxterm.cli.talk.talk_through", watched)
    command("talk", CLIPS[1], "--json")  # whatever is made once per process is made
    before = (threading.active_count(), process.num_fds(), len(process.children(recursive=True)))
    document = command("talk", *[CLIPS[1]] * 200, "--json")
    assert len(document["turns"]) == 200
    assert rss[200] <= rss[20] * 1.05, rss
    assert (threading.active_count(), process.num_fds(), len(process.children(recursive=True))) == before
