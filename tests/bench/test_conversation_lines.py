"""What a person says: where its voice begins and ends, how loud it is, and what is put into it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.bench.conversation import noises
from voxterm.bench.conversation.lines import (
    SPEECH_DBFS,
    active_rms,
    line_of,
    read_lines,
    read_transcripts,
    spoken_line,
    voiced_span,
    window_levels,
)
from voxterm.bench.conversation.measurement import SHIPPED, Wishes, plan_of
from voxterm.bench.conversation.script import Into, Say
from voxterm.config import Settings
from voxterm.engines.espeak.engine import Espeak
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.errors import AudioFileError, InputError

PARTS = ("turns", "noise", "barge-in", "coughs", "echo")


def with_voice(begin: int, count: int, total: int, floor: float = 1e-4) -> Samples:
    random = np.random.default_rng(1)
    samples = random.normal(0, floor, total)
    samples[begin : begin + count] += random.normal(0, 0.1, count)
    return samples.astype(np.float32)


@given(begin=st.integers(0, 20_000), count=st.integers(1600, 20_000))
def test_the_voice_is_found_to_10_ms(begin: int, count: int) -> None:
    first, end = voiced_span(with_voice(begin, count, 48_000))
    assert abs(begin - first) <= 160
    assert abs(end - (begin + count)) <= 160


def test_silence_has_no_voice() -> None:
    assert voiced_span(np.zeros(16_000, np.float32)) == (0, 0)
    with pytest.raises(AudioFileError, match="silent"):
        line_of("nothing", np.zeros(16_000, np.float32), 3, made=False)


def test_all_speech_has_one_level_and_a_little_silence_around_it() -> None:
    line = line_of("quiet", 0.05 * with_voice(16_000, 16_000, 64_000), 3, made=False)
    assert 20 * np.log10(active_rms(line.samples)) == pytest.approx(SPEECH_DBFS, abs=0.1)
    assert (line.first, len(line.samples) - line.end) == (1600, 1600)
    assert len(line.voice) == pytest.approx(16_000, abs=160)


def test_shipped_recordings_have_their_words() -> None:
    files = sorted(SHIPPED.glob("*.flac"))
    transcripts = read_transcripts(SHIPPED / "transcripts.tsv")
    assert {file.name for file in files} == set(transcripts)
    for line in read_lines(files, transcripts):
        assert line.words == len(transcripts[f"{line.name}.flac"].text.split())
        assert 1 < len(line.voice) / HEARING_RATE_HZ / line.words * 4 < 4, "about three words a second"


def test_a_recording_is_cut_where_its_transcript_says(tmp_path: Path) -> None:
    """What follows the last word may be louder than a level can tell from a voice."""
    file = tmp_path / "t.tsv"
    file.write_text("file\ttext\tends_s\ndemo-1.flac\tproduced the block books\t1.5\n")
    (line,) = read_lines([SHIPPED / "demo-1.flac"], read_transcripts(file))
    assert len(line.samples) <= 1.5 * HEARING_RATE_HZ
    file.write_text("file\ttext\tends_s\ndemo-1.flac\tproduced\tsoon\n")
    with pytest.raises(InputError, match="ends_s"):
        read_transcripts(file)


@pytest.mark.parametrize("content", ["", "a\tb\nx\ty\n", "file,text\na.wav,hello\n"])
def test_transcripts_without_their_columns(tmp_path: Path, content: str) -> None:
    file = tmp_path / "t.tsv"
    file.write_text(content)
    with pytest.raises(InputError, match="columns"):
        read_transcripts(file)
    with pytest.raises(InputError, match="gone"):
        read_transcripts(tmp_path / "gone.tsv")


@pytest.mark.parametrize("text", ["I wanted to| ask you something.", "I wanted to go,| but I was ill."])
@pytest.mark.parametrize("pause_s", [0.15, 0.7])
def test_a_pause_between_two_words_is_as_long_as_it_should_be(text: str, pause_s: float) -> None:
    """Also at a comma, where the voice pauses by itself: 0.7 s put in there were a second."""
    espeak = Espeak()
    espeak.load(lambda done_bytes, total_bytes: None)
    line = spoken_line(espeak, "en-us", text, pause_s)
    loud = window_levels(line.voice) > active_rms(line.voice) / 30
    gaps = [after - before - 1 for before, after in pairwise(np.flatnonzero(loud))]
    assert max(gaps) / 100 == pytest.approx(pause_s, abs=0.05)
    assert line.words == len(text.split())


@pytest.mark.parametrize(
    ("kind", "shortest_s", "longest_s"), [("cough", 0.1, 1.8), ("mm_hm", 0.25, 0.7), ("door", 0.05, 0.4)]
)
def test_noises_that_are_no_words(kind: str, shortest_s: float, longest_s: float) -> None:
    make = getattr(noises, kind)
    made = [make(np.random.default_rng(seed)) for seed in range(10)]
    assert all(shortest_s < len(one.voice) / HEARING_RATE_HZ < longest_s for one in made)
    assert all(one.words == 0 and one.made for one in made)
    assert len({len(one.voice) for one in made}) > 3, "no two alike"
    again = make(np.random.default_rng(3))
    assert np.array_equal(again.samples, made[3].samples)


@pytest.mark.parametrize("kind", ["white", "babble"])
def test_noise_of_a_place_has_its_level(kind: str) -> None:
    random = np.random.default_rng(1)
    lines = read_lines(sorted(SHIPPED.glob("demo-*.flac")), {})
    noise = noises.white(random, 2.0, 0.01) if kind == "white" else noises.babble(random, lines, 2.0, 0.01)
    assert len(noise) == 2 * HEARING_RATE_HZ
    assert float(np.sqrt(np.mean(np.square(noise)))) == pytest.approx(0.01, rel=0.01)


class TestPlan:
    def test_the_same_seed_is_the_same_conversation(self) -> None:
        plans = [plan_of(Wishes(PARTS, 4, 1.0, seed), Settings()) for seed in (1, 1, 2)]
        moments = [
            [(act.line.name, act.after_s) for scene in plan.scenes for act in scene.acts] for plan in plans
        ]
        assert moments[0] == moments[1] != moments[2]

    def test_each_part_has_its_scenes(self) -> None:
        plan = plan_of(Wishes(PARTS, 6, 2.0, 1), Settings())
        names = [scene.name for scene in plan.scenes]
        assert len(names) == len(set(names))
        assert {"clean", "white 20 dB", "babble 10 dB", "barge-in", "coughs", "echo 200 ms"} <= set(names)
        assert sum(scene.speaking_s for scene in plan.scenes) == 120.0
        coughs = next(scene for scene in plan.scenes if scene.name == "coughs")
        assert [type(act) for act in coughs.acts] == [Say, Into] * 6
        assert {act.line.words == 0 for act in coughs.acts if isinstance(act, Into)} == {True}

    def test_recordings_of_ones_own_are_said_alone(self) -> None:
        files = (SHIPPED / "demo-1.flac", SHIPPED / "demo-2.flac")
        plan = plan_of(Wishes(("turns", "barge-in"), 4, 0.0, 1, files=files), Settings())
        assert plan.recordings == ("demo-1.flac", "demo-2.flac")
        said = {act.line.name for scene in plan.scenes for act in scene.acts}
        assert said == {"demo-1", "demo-2"}
