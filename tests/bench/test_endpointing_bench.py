"""Labelled pauses and what is fitted on them: the parameters in use are those that the stored pauses give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from voxterm.__main__ import main
from voxterm.bench.endpointing import (
    Pause,
    as_json,
    in_noise,
    labelled,
    read_labels,
    read_pauses,
    silences,
)
from voxterm.bench.endpointing_fit import cut_ins, fitted, judge_by, measured
from voxterm.bench.hesitations import SENTENCES, hesitant, people
from voxterm.config import TurnSettings
from voxterm.endpointing import PARAMETERS, Parameters
from voxterm.engines.espeak.engine import Espeak
from voxterm.errors import InputError

TURNS = TurnSettings()
DATA = Path(__file__).parent.parent / "data"
SHIPPED = Path(__file__).parent.parent.parent / "voxterm" / "data"


@pytest.fixture(scope="module")
def stored() -> list[Pause]:
    return read_pauses(DATA / "pauses.json")


def pause(length_ms: float | None, sound: float, finished: bool | None = None, name: str = "a") -> Pause:
    whole = length_ms is None if finished is None else finished
    return Pause(name, 1.0, length_ms, whole, None, sound)


def test_the_parameters_in_use_are_those_that_the_stored_pauses_give(stored: list[Pause]) -> None:
    assert fitted(stored, TURNS) == PARAMETERS


def test_an_end_of_a_sentence_is_answered_after_about_200_ms(stored: list[Pause]) -> None:
    waits = measured(stored, TURNS)["both_wait_after_sentence_ms"].readings
    assert np.percentile(waits, 50) <= 256
    assert np.percentile(waits, 95) < 800


def test_evidence_cuts_in_less_than_a_pause_that_is_as_quick(stored: list[Pause]) -> None:
    with_evidence = measured(stored, TURNS)
    median_ms = float(np.percentile(with_evidence["both_wait_after_sentence_ms"].readings, 50))
    by_pause = len(cut_ins(stored, lambda _: median_ms)) / len({pause.recording for pause in stored})
    assert with_evidence["both_cut_ins"].readings[0] / 100 < 0.75 * by_pause


def test_clips_that_are_shipped_give_the_pauses_that_are_stored(
    stored: list[Pause], capsys: pytest.CaptureFixture[str]
) -> None:
    """From the sound to the figures: else the fit would be of pauses that no conversation sees."""
    names = ("demo-2", "speech-lj001-0006")
    files = [str(SHIPPED / f"{name}.flac") for name in names]
    labels = ["--labels", str(DATA / "pauses.tsv")]
    assert main(["bench", "endpointing", *files, *labels, "--json", "--profile", "embedded"]) == 0
    found = [Pause(**found) for found in json.loads(capsys.readouterr().out)["pauses"]]
    wanted = [pause for pause in stored if pause.recording in names]
    assert [(p.recording, p.at_s, p.length_ms, p.finished) for p in found] == [
        (p.recording, p.at_s, p.length_ms, p.finished) for p in wanted
    ]
    for one, other in zip(found, wanted, strict=True):
        assert one.words == pytest.approx(other.words, abs=0.01)
        assert one.sound == pytest.approx(other.sound, abs=0.02)


def test_stored_pauses_are_fitted_again_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "endpointing", str(DATA / "pauses.json"), "--fit", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert Parameters(**found["parameters"]) == PARAMETERS
    assert {"both_wait_ms", "both_cut_ins", "pause_cut_ins", "cross_validated_cut_ins"} <= set(
        found["figures"]
    )


def test_people_get_a_table_and_every_pause(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "endpointing", str(DATA / "pauses.json")]) == 0
    said = capsys.readouterr().out
    assert "demo-1, 5.12 s: end, unfinished" in said
    assert f"in use: sound_bias = {PARAMETERS.sound_bias}" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [("[]", "holds no pauses"), ('{"pauses": [{"at_s": 1}]}', "holds no pauses"), ("{", "holds no pauses")],
)
def test_what_holds_no_pauses_is_an_error(
    tmp_path: Path, content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pauses.json"
    file.write_text(content)
    assert main(["bench", "endpointing", str(file)]) == 2
    assert said in capsys.readouterr().err


def test_pauses_are_read_as_they_were_written(tmp_path: Path) -> None:
    pauses = [pause(320.0, 0.25), pause(None, 0.75, finished=False)]
    file = tmp_path / "pauses.json"
    file.write_text(json.dumps({"pauses": as_json(pauses)}))
    assert read_pauses(file) == pauses


def test_silences_are_those_of_the_turn_machine() -> None:
    """Soft syllables go on speech that has begun, and do not begin it again after a pause."""
    soft = (TURNS.speech_threshold + TURNS.silence_threshold) / 2
    voiced = [0.0, soft, 1.0, soft, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, soft, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert list(silences(voiced, TURNS, 3)) == [(7, 5), (13, None)]
    assert list(silences([0.0, soft, 0.0], TURNS, 3)) == []


def test_a_cut_in_is_a_pause_that_lasts_to_the_frame_in_which_the_turn_would_end() -> None:
    judge = judge_by("sound", TURNS, PARAMETERS)
    assert judge(pause(None, 1.0)) == 224  # 200 ms, to whole frames of 32
    assert cut_ins([pause(224.0, 1.0)], judge) == {"a"}
    assert cut_ins([pause(192.0, 1.0)], judge) == set()
    assert cut_ins([pause(224.0, 1.0, finished=True)], judge) == set()
    assert cut_ins([pause(TURNS.unfinished_silence_ms - 32.0, 0.0)], judge) == set()


def test_a_detector_that_knows_is_trusted_and_one_that_does_not_is_not() -> None:
    knows = [pause(500.0, 0.05), pause(None, 0.95)] * 20
    guesses = [pause(500.0, 0.05), pause(500.0, 0.95), pause(None, 0.05), pause(None, 0.95)] * 10
    lies = [pause(500.0, 0.95), pause(None, 0.05)] * 20
    assert fitted(knows, TURNS).sound_weight > 0.5
    assert abs(fitted(guesses, TURNS).sound_weight) < 0.01
    assert fitted(lies, TURNS).sound_weight == 0.0


def test_labels_are_for_the_pauses_near_their_time_in_whatever_noise(tmp_path: Path) -> None:
    file = tmp_path / "labels.tsv"
    file.write_text("a\t1.1\tunclear\na\t9\tfinished\nb\t1\tunfinished\n")
    pauses = [pause(None, 0.5, name="a + noise at 20 dB"), pause(None, 0.5, name="b")]
    assert [found.finished for found in labelled(pauses, read_labels(file))] == [None, False]


@pytest.mark.parametrize("line", ["a 1 finished", "a\tone\tfinished", "a\t1\tdone", "a\t1"])
def test_a_label_that_is_none_is_an_error_with_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "labels.tsv"
    file.write_text(f"a\t1\tfinished\n{line}\n")
    with pytest.raises(InputError, match="line 2"):
        read_labels(file)
    with pytest.raises(InputError, match=r"missing\.tsv"):
        read_labels(tmp_path / "missing.tsv")


def test_noise_is_as_far_below_the_speech_as_it_is_said_and_goes_on_after_it() -> None:
    speech = np.sin(np.arange(160_000) / 10).astype(np.float32)
    noisy = in_noise(speech, 20)
    noise = noisy - np.pad(speech, (0, len(noisy) - len(speech)))
    ratio_db = 10 * np.log10(np.mean(speech**2) / np.mean(noise**2))
    assert ratio_db == pytest.approx(20, abs=0.2)
    assert noise[len(speech) :].std() == pytest.approx(noise[: len(speech)].std(), rel=0.05)


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    engine = Espeak()
    engine.load(lambda done, total: None)
    return engine


def test_silences_are_put_between_words_and_nothing_is_lost(espeak: Espeak) -> None:
    plain = hesitant("I was thinking that we could go.", espeak, "en-us")
    halting = hesitant("I was thinking |600| that we could go.", espeak, "en-us")
    assert len(halting) - len(plain) == pytest.approx(9600, abs=400)  # the voice's own flutter beside it
    quiet = np.abs(halting) < 1e-6
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(int))))[::2]
    assert 9600 <= runs.max() < 9600 + 3200
    begin = int(np.flatnonzero(~quiet)[0])
    assert not quiet[begin : begin + 1600].all()


def test_every_sentence_is_said(espeak: Espeak) -> None:
    said = dict(people(espeak))
    assert len(said) == len(SENTENCES)
    assert all(0.5 * 16_000 < len(samples) < 8 * 16_000 for samples in said.values())
