"""Echo cancelling in a simulated room, its loudspeaker and its microphone with clocks of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from echo_room import Room, level_db
from far_end import DATA, recorded, silence, synthesised

from voxterm.audio.front_end import FrontEnd, FrontEndSettings
from voxterm.audio.wav import read_audio
from voxterm.engines.pocketsphinx.engine import PocketSphinx
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples, Transcript

SETTLING_S = 3.0  # of silence: devices take two seconds until their stamps can be believed
LEARNING_S = 2.0
SAID = {
    "demo-1": "produced the block books which were the immediate predecessors of the true printed book",
    "demo-2": "has never been surpassed",
    "speech-lj001-0002": "in being comparatively modern",
    "speech-lj001-0006": "and it is worth mention in passing that as an example of fine typography",
    "speech-lj001-0013": "than in the same operations with ugly ones",
}


def cancelling() -> FrontEnd:
    front_end = FrontEnd(FrontEndSettings("cancel"))
    front_end.load()
    return front_end


def reductions_db(room: Room, speech: Samples) -> list[float]:
    """What is taken off in each second in which the echo is loud, and last over all of them."""
    played = np.concatenate([silence(SETTLING_S), speech])
    heard = room.heard(played)
    cleaned = room.cleaned(cancelling(), played, heard)
    begin = round((SETTLING_S + LEARNING_S) * HEARING_RATE_HZ)
    seconds = [
        (heard[at : at + HEARING_RATE_HZ], cleaned[at : at + HEARING_RATE_HZ])
        for at in range(begin, len(cleaned) - HEARING_RATE_HZ, HEARING_RATE_HZ)
    ]
    loud = [level_db(before) - level_db(after) for before, after in seconds if level_db(before) > -45]
    assert len(loud) >= 4
    return [*loud, level_db(heard[begin : len(cleaned)]) - level_db(cleaned[begin:])]


@pytest.mark.parametrize("delay_s", [0.02, 0.06, 0.12, 0.2, 0.3])
def test_the_echo_is_gone_however_late_it_comes(delay_s: float) -> None:
    assert min(reductions_db(Room(delay_s=delay_s), np.tile(recorded(), 2))) > 30


@pytest.mark.parametrize("delay_s", [0.02, 0.3])
@pytest.mark.parametrize("ppm", [-200.0, 200.0])
def test_the_echo_is_gone_where_the_devices_clocks_differ(delay_s: float, ppm: float) -> None:
    assert min(reductions_db(Room(delay_s=delay_s, loudspeaker_ppm=ppm), synthesised())) > 30
    assert min(reductions_db(Room(delay_s=delay_s, microphone_ppm=ppm), np.tile(recorded(), 2))) > 30


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 200.0])
def test_the_echo_is_gone_where_stamps_jitter_by_a_millisecond(ppm: float) -> None:
    room = Room(delay_s=0.08, jitter_s=0.001, microphone_ppm=ppm)
    assert min(reductions_db(room, np.tile(recorded(), 2))) > 30


@pytest.mark.parametrize("told_early_s", [0.0, 0.2])
def test_the_echo_is_gone_however_early_the_loudspeaker_tells(told_early_s: float) -> None:
    """A simulated loudspeaker tells what has just left, a network's what leaves much later."""
    room = Room(delay_s=0.02, told_early_s=told_early_s)
    assert min(reductions_db(room, np.tile(recorded(), 2))) > 30


def test_an_echo_as_loud_as_what_is_played_in_a_noisy_room_is_gone_as_far_as_the_noise() -> None:
    """-50 dBFS of noise stays."""
    room = Room(coupling_db=0.0, noise=0.003)
    played = np.concatenate([silence(SETTLING_S), np.tile(recorded(), 2)])
    heard = room.heard(played)
    cleaned = room.cleaned(cancelling(), played, heard)
    begin = round((SETTLING_S + LEARNING_S) * HEARING_RATE_HZ)
    assert level_db(heard[begin:]) > -30
    assert level_db(cleaned[begin:]) < -48


def test_the_first_words_after_a_chime_leave_nothing_to_be_heard() -> None:
    """AEC3 has seen the chime: the first second of the first reply is quieter than -60 dBFS, of -30."""
    front_end = cancelling()
    room = Room(delay_s=0.12)
    chime = front_end.chime(24_000)
    played = np.concatenate([silence(SETTLING_S), chime, silence(1.5), recorded()])
    heard = room.heard(played)
    cleaned = room.cleaned(front_end, played, heard)
    begin = round((SETTLING_S + 0.6 + 1.5) * HEARING_RATE_HZ)
    first = slice(begin, begin + HEARING_RATE_HZ)
    assert level_db(heard[first]) > -35
    assert level_db(cleaned[first]) < -60


def test_a_room_that_changes_is_learnt_anew() -> None:
    """Somebody opens a door, or moves the loudspeaker, in the middle of a reply."""
    played = np.concatenate([silence(SETTLING_S), np.tile(recorded(), 3)])
    here, there = Room(delay_s=0.02), Room(delay_s=0.05, coupling_db=-12.0)
    changes = 10 * HEARING_RATE_HZ
    heard = np.concatenate([here.heard(played)[:changes], there.heard(played)[changes:]])
    cleaned = here.cleaned(cancelling(), played, heard)
    later = slice(changes + 4 * HEARING_RATE_HZ, len(cleaned))
    assert level_db(heard[later]) - level_db(cleaned[later]) > 30


def test_after_a_jump_of_the_stamps_the_echo_is_gone_again_within_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sound server finds that it has 50 ms more in its buffers than it said; the sound runs on evenly.

    AEC3 is lost for a while, and what it lets through then must not be taken for a person.
    """
    front_end, room = cancelling(), Room(delay_s=0.06)
    played = np.concatenate([silence(SETTLING_S), np.tile(recorded(), 3)])
    heard = room.heard(played)
    tell = front_end.played
    moved_s = room.begin_s + 12.0

    def tell_wrongly(samples: Samples, rate_hz: int, left_s: float) -> None:
        tell(samples, rate_hz, left_s + (0.05 if left_s > moved_s else 0.0))

    monkeypatch.setattr(front_end, "played", tell_wrongly)
    cleaned = room.cleaned(front_end, played, heard)
    seconds = [
        level_db(heard[at : at + HEARING_RATE_HZ]) - level_db(cleaned[at : at + HEARING_RATE_HZ])
        for at in range(8 * HEARING_RATE_HZ, len(cleaned) - HEARING_RATE_HZ, HEARING_RATE_HZ)
    ]
    assert min(seconds[:4]) > 30
    assert min(seconds[6:]) > 30


def test_the_figure_is_what_was_taken_off_and_there_is_none_without_an_echo() -> None:
    front_end = cancelling()
    room = Room(delay_s=0.05)
    played = np.concatenate([silence(1.0), recorded(), silence(2.0)])
    heard = room.heard(played)
    figures = [front_end.echo_reduced_db for _ in room.blocks(front_end, played, heard)]
    assert figures[50] is None, "nothing was played yet"
    assert all(figure is not None and figure > 25 for figure in figures[500:750])
    assert figures[-1] is None, "the echo is over"


@pytest.fixture(scope="module")
def recogniser() -> Iterator[PocketSphinx]:
    engine = PocketSphinx()
    engine.load(lambda _done, _all: None)
    yield engine
    engine.close()


def words(engine: PocketSphinx, samples: Samples) -> list[str]:
    engine.begin()
    engine.feed(samples)
    return next(item.text for item in engine.finish() if isinstance(item, Transcript)).split()


def word_errors(said: list[str], heard: list[str]) -> int:
    """Words inserted, left out or replaced (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, wanted in enumerate(said, start=1):
        diagonal, row[0] = row[0], i
        for j, word in enumerate(heard, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != word))
    return row[-1]


def test_a_person_in_an_echo_that_is_not_cancelled_is_not_understood(recogniser: PocketSphinx) -> None:
    """What the test below would miss if its echo were too faint."""
    said = SAID["demo-1"].split()
    heard = Room().heard(synthesised(), read_audio(DATA / "demo-1.flac"))
    assert word_errors(said, words(recogniser, heard)) > 0.4 * len(said)


@pytest.mark.parametrize(
    "room", [Room(), Room(delay_s=0.2), Room(loudspeaker_ppm=200.0)], ids=["near", "late", "drifting"]
)
def test_a_person_who_speaks_into_the_reply_is_understood(recogniser: PocketSphinx, room: Room) -> None:
    """Of a reply at -6 dB. AEC3 alone leaves nearly no word of it."""
    speaks_s = 12.0
    before = np.zeros(round(speaks_s * HEARING_RATE_HZ), np.float32)
    begin = len(before) - HEARING_RATE_HZ // 5
    played = np.concatenate([silence(SETTLING_S), synthesised(), synthesised()])
    alone = cleaned_up = 0
    for name, text in SAID.items():
        person, said = read_audio(DATA / f"{name}.flac"), text.split()
        near = np.concatenate([before, person])
        heard = room.heard(played, near)[: len(near) + HEARING_RATE_HZ // 2]
        cleaned = room.cleaned(cancelling(), played, heard)
        assert level_db(heard[begin - 3 * HEARING_RATE_HZ : begin]) > -32
        assert level_db(cleaned[begin - 3 * HEARING_RATE_HZ : begin]) < -60, "the echo before is gone"
        alone += word_errors(said, words(recogniser, person))
        cleaned_up += word_errors(said, words(recogniser, cleaned[begin:]))
    count = sum(len(text.split()) for text in SAID.values())
    assert cleaned_up - alone <= 0.1 * count
