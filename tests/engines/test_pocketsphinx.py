from __future__ import annotations

import itertools
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
from demo_clips import TEXTS, clip, faint_noise, no_progress, word_errors

from voxterm.engines.pocketsphinx import engine as pocketsphinx_engine
from voxterm.engines.pocketsphinx.engine import PocketSphinx
from voxterm.engines.pocketsphinx.process import Recogniser
from voxterm.engines.protocols import AudioEncoded, Ending, Samples, Transcriber, Transcript
from voxterm.errors import EngineError, EngineLoadError

FRAME = 512


@pytest.fixture(scope="module")
def engine() -> Iterator[PocketSphinx]:
    engine = PocketSphinx()
    engine.load(no_progress)
    engine.warm_up()
    yield engine
    engine.close()


def feed(engine: PocketSphinx, samples: Samples) -> None:
    for at in range(0, len(samples), FRAME):
        engine.feed(samples[at : at + FRAME])


def finished(engine: PocketSphinx) -> str:
    encoded, *endings, transcript = engine.finish()
    assert isinstance(encoded, AudioEncoded)
    assert isinstance(transcript, Transcript)
    assert [type(ending) for ending in endings] == ([Ending] if transcript.text else [])
    return transcript.text


def heard(engine: PocketSphinx, samples: Samples) -> str:
    engine.begin()
    feed(engine, samples)
    return finished(engine)


def decoded_whole(samples: Samples) -> str:
    """What the library makes of a whole file, with its default options."""
    from pocketsphinx import Decoder  # type: ignore[import-untyped]

    decoder = Decoder(samprate=16_000, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw((samples * 32767.0).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    return re.sub(r"\(\d+\)", "", decoder.hyp().hypstr)


def child_of_engine(engine: PocketSphinx) -> psutil.Process:
    assert engine._child is not None
    return psutil.Process(engine._child._process.pid)


@pytest.fixture
def own_engine() -> Iterator[PocketSphinx]:
    """One whose process a test may harm."""
    engine = PocketSphinx()
    engine.load(no_progress)
    yield engine
    engine.close()


def test_it_is_a_transcriber(engine: PocketSphinx) -> None:
    assert isinstance(engine, Transcriber)


def test_live_it_hears_as_well_as_the_library_does_with_the_whole_file(engine: PocketSphinx) -> None:
    """Decoded live from the library's own prior of the mean, 7 words in 10 are wrong."""
    words = sum(len(said.split()) for said in TEXTS.values())
    live = sum(word_errors(said, heard(engine, clip(name))) for name, said in TEXTS.items())
    whole = sum(word_errors(said, decoded_whole(clip(name))) for name, said in TEXTS.items())
    assert live / words <= whole / words + 0.02


def test_silence_before_the_words_does_not_spoil_them(engine: PocketSphinx) -> None:
    """Measured over the silence, the mean is wrong: half of the words were lost after 0.5 s of it."""
    words = sum(len(said.split()) for said in TEXTS.values())
    errors = sum(
        word_errors(said, heard(engine, np.concatenate([faint_noise(0.5), clip(name)])))
        for name, said in TEXTS.items()
    )
    assert errors / words < 0.3


def test_finishing_in_a_pause_changes_nothing_of_what_comes(engine: PocketSphinx) -> None:
    samples = clip("demo-1")
    once = heard(engine, samples)
    engine.begin()
    feed(engine, samples[: 3 * 16_000])
    first = finished(engine)
    feed(engine, samples[3 * 16_000 :])
    assert finished(engine) == once
    assert first != once
    assert first.split()[:3] == once.split()[:3]


def test_finishing_before_a_second_is_heard_changes_nothing_either(engine: PocketSphinx) -> None:
    """Then the mean is measured over what is there, and must be measured anew over the whole second."""
    samples = clip("demo-2")
    once = heard(engine, samples)
    engine.begin()
    feed(engine, samples[:8_000])
    finished(engine)
    feed(engine, samples[8_000:])
    assert finished(engine) == once


def test_one_turn_leaves_nothing_to_the_next(engine: PocketSphinx) -> None:
    first = heard(engine, clip("demo-2"))
    heard(engine, clip("demo-1"))
    assert heard(engine, clip("demo-2")) == first


@pytest.mark.parametrize("items", [0, 1, 2, 3])
def test_an_answer_that_was_given_up_is_dropped(engine: PocketSphinx, items: int) -> None:
    once = heard(engine, clip("demo-2"))
    engine.begin()
    feed(engine, clip("demo-1"))
    speculative = engine.finish()
    for _ in range(items):
        next(speculative)
    speculative.close()  # type: ignore[attr-defined]
    assert heard(engine, clip("demo-2")) == once


def test_an_answer_that_was_given_up_leaves_the_turn_as_it_was(engine: PocketSphinx) -> None:
    samples = clip("demo-1")
    once = heard(engine, samples)
    engine.begin()
    feed(engine, samples[: 2 * 16_000])
    speculative = engine.finish()
    next(speculative)
    speculative.close()  # type: ignore[attr-defined]
    feed(engine, samples[2 * 16_000 :])
    assert finished(engine) == once


def test_the_words_so_far_are_told_once(engine: PocketSphinx) -> None:
    engine.begin()
    blocks = np.array_split(clip("demo-1"), 100)
    told = [text for block in blocks if (text := engine.feed(block)) is not None]
    assert len(told) > 5
    assert all(one != other for one, other in itertools.pairwise(told))
    assert "predecessors" in told[-1]
    assert engine.feed(np.zeros(0, dtype=np.float32)) is None


@pytest.mark.parametrize(
    "quiet", [np.zeros(0, dtype=np.float32), np.zeros(32_000, dtype=np.float32), faint_noise(3.0)]
)
def test_silence_has_no_words(engine: PocketSphinx, quiet: Samples) -> None:
    assert heard(engine, quiet) == ""


def test_a_sound_too_short_for_a_word_is_no_error(engine: PocketSphinx) -> None:
    for size in (1, 80, 200, 700, 2000):
        engine.begin()
        engine.feed(np.full(size, 0.3, dtype=np.float32))
        assert isinstance(finished(engine), str)


def test_no_sentence_ends_with_an_article() -> None:
    recogniser = Recogniser()
    assert recogniser.ending("") is None
    endings = [recogniser.ending(text) for text in ("go to the", "and my", "the printed book", "thank you")]
    assert all(ending is not None for ending in endings)
    article, possessive, whole, thanks = (ending or 0.0 for ending in endings)
    assert max(article, possessive) < 0.5 < min(whole, thanks)


def test_two_words_are_looked_at_in_the_order_in_which_they_were_said() -> None:
    """The library takes the latest word first; the other way round "for you" ends no sentence."""
    recogniser = Recogniser()
    assert recogniser.ending("do for you") == recogniser.ending("that is for you")
    assert (recogniser.ending("for you") or 0.0) > (recogniser.ending("you for") or 1.0)


def test_the_ending_is_that_of_the_words_before_the_pause(engine: PocketSphinx) -> None:
    engine.begin()
    feed(engine, clip("demo-1"))
    _, ending, transcript = engine.finish()
    assert isinstance(ending, Ending)
    assert isinstance(transcript, Transcript)
    assert ending.probability == pytest.approx(Recogniser().ending(transcript.text), abs=1e-6)


def test_marks_of_variants_and_noises_are_no_words() -> None:
    class Found:
        hypstr = "<sil> the(2) [NOISE] block books(3) ++BREATH++"

    class Decoder:
        def hyp(self) -> Found:
            return Found()

    recogniser = Recogniser.__new__(Recogniser)
    recogniser._decoding = True
    recogniser._decoder = Decoder()
    assert recogniser.text() == "the block books"


def test_a_process_that_died_is_an_error_and_the_next_turn_works(own_engine: PocketSphinx) -> None:
    own_engine.begin()
    own_engine.feed(clip("demo-2"))
    child_of_engine(own_engine).kill()
    with pytest.raises(EngineError, match="exit status -9"):
        list(own_engine.finish())
    with pytest.raises(EngineError, match="not running"):
        own_engine.feed(clip("demo-2"))
    assert word_errors(TEXTS["demo-2"], heard(own_engine, clip("demo-2"))) <= 1


def test_a_process_that_hangs_is_an_error(own_engine: PocketSphinx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pocketsphinx_engine, "STALL_LIMIT_S", 0.2)
    own_engine.begin()
    child_of_engine(own_engine).suspend()
    with pytest.raises(EngineError, match="has not moved"):
        own_engine.feed(np.zeros(60 * 16_000, dtype=np.float32))


def test_ctrl_c_does_not_reach_the_process(own_engine: PocketSphinx) -> None:
    child_of_engine(own_engine).send_signal(signal.SIGINT)
    assert word_errors(TEXTS["demo-2"], heard(own_engine, clip("demo-2"))) <= 1


def test_closing_leaves_no_process_no_thread_and_no_file() -> None:
    me = psutil.Process()
    before = (len(me.children(recursive=True)), threading.active_count(), me.num_fds())
    for _ in range(2):
        engine = PocketSphinx()
        engine.load(no_progress)
        engine.begin()
        feed(engine, clip("demo-1"))
        next(engine.finish())  # closed in the middle of its work
        engine.close()
        engine.close()
    assert (len(me.children(recursive=True)), threading.active_count(), me.num_fds()) == before


def test_before_load_and_after_close_it_says_so() -> None:
    engine = PocketSphinx()
    with pytest.raises(EngineError, match="not loaded"):
        engine.begin()
    engine.close()


def test_the_process_ends_when_its_owner_is_killed() -> None:
    program = (
        "import os, time; from voxterm.engines.pocketsphinx.engine import PocketSphinx; e = PocketSphinx();"
        "e.load(lambda done, total: None); print('loaded', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "loaded\n"
        (child,) = psutil.Process(owner.pid).children()
        owner.kill()
    _, alive = psutil.wait_procs([child], timeout=10)
    assert not alive


def test_a_package_that_is_broken_is_a_load_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pocketsphinx.py").write_text("raise RuntimeError('no model here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EngineLoadError, match="no model here"):
        PocketSphinx().load(no_progress)


def test_a_python_that_is_not_there_is_a_load_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(EngineLoadError, match="did not start"):
        PocketSphinx().load(no_progress)
