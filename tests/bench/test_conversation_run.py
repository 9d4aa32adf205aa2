"""`voxterm bench conversation` from one end to the other: on files, and on devices in a private room."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from room import ROOM_RATE_HZ, require_room

from voxterm.__main__ import main
from voxterm.audio.resample import resample
from voxterm.bench import pulse_room
from voxterm.bench.conversation import on_devices, simulation
from voxterm.bench.conversation.judge import judge
from voxterm.bench.conversation.lines import Line, read_lines
from voxterm.bench.conversation.measurement import SHIPPED
from voxterm.bench.conversation.person import Said
from voxterm.bench.conversation.script import Into, People, Say, Scene
from voxterm.bench.conversation.traces import SILENT
from voxterm.cli.casting import cast_of
from voxterm.config import SessionSettings, Settings
from voxterm.errors import EngineError

FILES = [str(SHIPPED / "demo-1.flac"), str(SHIPPED / "demo-2.flac")]
COUNTS = {
    "cut_ins",
    "cut_ins_kept",
    "missed_ends",
    "self_interruptions",
    "first_words_lost",
    "unheard_words_kept",
}
MEDIANS = {"voice_to_voice_ms", "response_ms", "endpoint_wait_ms"}
SETTINGS = Settings(profile="embedded", sessions=SessionSettings(keep_audio=True))


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return read_lines([Path(file) for file in FILES], {})


def one_turn(lines: list[Line]) -> tuple[Scene, People]:
    """A question, and an interruption of the answer to it."""
    acts = (Say(lines[1], 0.8), Into(lines[1], 2.0))
    return Scene("tiny", acts, reply_sentences=3), People(tuple(lines), tuple(lines))


def test_one_document_on_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    flags = [
        "--part",
        "turns",
        "--part",
        "coughs",
        "--turns",
        "1",
        "--seed",
        "3",
        "--set",
        "profile=embedded",
    ]
    assert main(["bench", "conversation", *FILES, *flags, "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    document: dict[str, Any] = json.loads(said.out)
    figures = document["figures"]
    assert COUNTS | MEDIANS | {"coughs_that_ended", "turns", "speaking_minutes"} <= set(figures)
    assert all(set(figures[name]) == {"count", "n", "unit"} and figures[name]["n"] > 0 for name in COUNTS)
    assert all(figures[name]["n"] >= 1 for name in MEDIANS)
    assert set(document["scenes"]) == {"clean", "coughs"}
    assert len(document["said"]) == 1 + 2
    notes = " ".join(document["notes"])
    assert all(word in notes for word in ("seed 3", "demo-1.flac", "on files", "coughs", "scripted"))
    clean = document["scenes"]["clean"]
    assert clean["voice_to_voice_ms"]["p50"] == pytest.approx(clean["endpoint_wait_ms"]["p50"], abs=100)


def test_the_record_of_a_scene_on_files(lines: list[Line]) -> None:
    """What the judge is given hangs together: said, told, spoken and played, all on one time line."""
    scene, people = one_turn(lines)
    record = simulation.run_scene(scene, people, np.random.default_rng(1), cast_of(SETTINGS), SETTINGS)
    question, interruption = record.said
    assert interruption.interrupts
    judgement = judge(record)
    answer, cut = judgement.verdicts
    assert answer.voice_to_voice_ms is not None
    assert cut.barge_in_ms is not None
    begins = round((question.ends_s + answer.voice_to_voice_ms / 1000) * record.loudspeaker_hz)
    asked = round(question.begins_s * record.loudspeaker_hz)
    assert np.abs(record.loudspeaker[asked : begins - 1]).max() < SILENT
    assert np.abs(record.loudspeaker[begins : begins + 240]).max() > SILENT
    assert 1.5 < interruption.begins_s - begins / record.loudspeaker_hz < 2.5
    assert answer.first_word_lost is False
    assert cut.first_word_lost is False
    assert judgement.unheard_words
    assert {speech.text.split()[0] for speech in record.speeches} >= {"There"}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--part", "singing"], "invalid choice"),
        (["--echo-minutes", "-1"], "minutes"),
        (["--seed", "x"], "whole number"),
        (["nowhere.wav"], "nowhere.wav"),
        (["--transcripts", "nowhere.tsv", FILES[0]], "nowhere.tsv"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    assert main(["bench", "conversation", *argv]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_without_a_sound_server_devices_are_one_line_with_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse_room, "missing_for_a_room", lambda: ["pulseaudio"])
    assert main(["bench", "conversation", "--devices", "--part", "turns", "--turns", "1", FILES[1]]) == 1
    error = capsys.readouterr().err
    assert "apt install pulseaudio" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("late_s", [-0.3, 0.0, 0.4])
def test_what_was_said_is_found_in_the_recording_where_it_really_is(lines: list[Line], late_s: float) -> None:
    """The sound server takes its time: what was written at a moment is heard at another."""
    begins_s, offset_s = 2.0, 0.5
    said = Said(lines[0], False, begins_s, begins_s + len(lines[0].voice) / 16_000)
    person = np.random.default_rng(1).normal(0, 0.01, 10 * ROOM_RATE_HZ).astype(np.float32)
    voice = resample(lines[0].voice, 16_000, ROOM_RATE_HZ)
    at = round((begins_s + offset_s + late_s) * ROOM_RATE_HZ)
    person[at : at + len(voice)] += voice
    placed = on_devices._placed(said, offset_s, person)
    assert placed.begins_s == pytest.approx(at / ROOM_RATE_HZ, abs=1e-3)
    assert placed.ends_s - placed.begins_s == pytest.approx(said.ends_s - said.begins_s)


@pytest.mark.devices
class TestOnDevices:
    def test_a_conversation_in_a_private_room(self, lines: list[Line]) -> None:
        """The person's place in the recording is found by its samples, and so the figures are the room's."""
        require_room()
        scene, people = one_turn(lines)
        program = (sys.executable, "-m", "voxterm.cli.in_room")
        record = on_devices.run_scene(scene, people, np.random.default_rng(1), program, SETTINGS)
        judgement = judge(record)
        answer, cut = judgement.verdicts
        assert answer.voice_to_voice_ms is not None
        assert 150 < answer.voice_to_voice_ms < 2000
        assert cut.barge_in_ms is not None
        assert 0 < cut.barge_in_ms < 1000
        assert answer.first_word_lost is False
        assert judgement.endpoint_wait_ms[0] == pytest.approx(answer.voice_to_voice_ms, abs=150)
        assert judgement.unheard_words

    def test_a_conversation_that_fails_to_start_says_why(self, lines: list[Line]) -> None:
        require_room()
        scene, people = one_turn(lines)
        program = (sys.executable, "-c", "raise SystemExit('no such engine')")
        with pytest.raises(EngineError, match="no such engine"):
            on_devices.run_scene(scene, people, np.random.default_rng(1), program, SETTINGS)
