"""From the end of a turn to the first sound of the reply, stage by stage, beside what the device could do.

Both models are in one process, each on its own thread, as in a conversation: the reply goes on while its
first piece is spoken. The stages are those of `latency`; a reply counts as handed over when it is there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any

import torch

from voxterm.bench import ceilings
from voxterm.bench.models import CODEC, ORPHEUS, VOXTRAL, Subject, loaded
from voxterm.bench.report import Figure
from voxterm.bench.watching import (
    REPLY_NOTE,
    SPEECH_NOTE,
    Seen,
    WatchedLoop,
    watch_orpheus,
    watch_voxtral,
)
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    AudioEncoded,
    Delta,
    Message,
    Samples,
    SpeechChunk,
    SpeechTokens,
    Transcript,
)
from voxterm.errors import EngineError
from voxterm.gpu import read_ram
from voxterm.history import History
from voxterm.latency import STAGES, Stamps
from voxterm.sentences import SentenceSplitter

MODELS = (VOXTRAL, ORPHEUS)
WARM_UP_TURNS = 2
SETTLED_TURNS = 5
"""After so many turns memory should not grow any more."""

PATIENCE_S = 600.0
"""A CPU with the full models needs minutes for a turn."""

WINDOW_S = 30
FLOORS = ("audio_encode", "first_text", "first_sentence", "first_speech", "codec")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn gave."""

    stamps: Stamps
    transcript: str
    reply: str
    first_token_ms: float | None  # after the audio was taken in: the prefill and one token of each row
    floors_ms: dict[str, float]

    def readings(self) -> dict[str, float]:
        """Milliseconds by stage; the floor of a stage beside it."""
        found = {key: value for key, value in self.stamps.breakdown().items() if value is not None}
        if self.first_token_ms is not None:
            found["first_token"] = self.first_token_ms
        floors = {f"{stage}_floor": value for stage, value in self.floors_ms.items()}
        return {**found, **floors, "response_floor": sum(self.floors_ms.values())}


def measure(given: Subject, clips: Sequence[Samples], turns: int) -> dict[str, Figure]:
    """Say the clips again and again, in one dialogue that grows, and count so many turns that were answered.

    Raises:
        EngineError: a turn had no answer, or it was not to be spoken.
    """
    given.tell("measuring what the device can do")
    dtype = torch.float32 if given.placement(VOXTRAL).precision == "float32" else torch.bfloat16
    best = ceilings.measured(given.device, dtype)
    memory: dict[str, Figure] = {}
    counted: list[Turn] = []
    with loaded(given, MODELS) as engines, Talk(given, engines, best) as talk:
        for number in range(WARM_UP_TURNS + turns):
            given.tell(f"turn {number + 1} of {WARM_UP_TURNS + turns}")
            turn = talk.turn(clips[number % len(clips)])
            if number >= WARM_UP_TURNS:
                counted.append(turn)
            if len(counted) == min(SETTLED_TURNS, turns) and not memory:
                memory["memory_settled_mb"] = _memory_mb(given.device)
        memory["memory_last_turn_mb"] = _memory_mb(given.device)
    return _figures(counted) | memory


def notes(given: Subject) -> list[str]:
    """What a reader of the figures has to know."""
    told = [f"memory_settled_mb: after {SETTLED_TURNS} turns; the dialogue grows with each turn"]
    replaced = {VOXTRAL: REPLY_NOTE, ORPHEUS: SPEECH_NOTE}
    random = [note for model, note in replaced.items() if given.is_random(model)]
    return [*told, *given.notes((*MODELS, CODEC)), *random]


class Talk:
    """Turns of one dialogue between a recording and the two engines. Close it when done."""

    def __init__(self, given: Subject, engines: dict[str, Any], best: ceilings.Ceilings) -> None:
        self._given = given
        self._voxtral, self._orpheus = engines[VOXTRAL], engines[ORPHEUS]
        self._hearing = watch_voxtral(self._voxtral, is_random=given.is_random(VOXTRAL))
        self._speaking = watch_orpheus(self._orpheus, is_random=given.is_random(ORPHEUS))
        self._floors = Floors(best, self._voxtral, self._orpheus, self._hearing, self._speaking)
        self._history = History(given.settings.dialogue.memory_turns)
        self._threads = ExitStack()
        self._on_voxtral, self._on_orpheus = (
            self._threads.enter_context(ThreadPoolExecutor(1, f"voxterm-bench-{name}")) for name in MODELS
        )

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *failure: object) -> None:
        self._threads.close()

    def turn(self, samples: Samples) -> Turn:
        """Hear these samples (N,) at 16 kHz, and answer until the first piece of the reply is spoken.

        Raises:
            EngineError: there was no answer, or it was not to be spoken.
        """
        stamps = Stamps()
        pieces: Queue[str] = Queue(maxsize=1)
        understood = self._on_voxtral.submit(
            self._understand, samples, self._history.messages(), stamps, pieces
        )
        counts = self._on_orpheus.submit(self._speak, understood, stamps, pieces)
        transcript, reply, steps = understood.result(PATIENCE_S)
        first_chunk_tokens = counts.result(PATIENCE_S)
        self._history.add_turn(transcript, reply)
        seen = self._hearing.seen
        first_token_ms = None
        if seen.first_step_s is not None and stamps.audio_encoded_s is not None:
            first_token_ms = 1000 * (seen.first_step_s - stamps.audio_encoded_s)
        floors_ms = self._floors.of(len(samples), seen, steps, self._speaking.seen, first_chunk_tokens)
        return Turn(stamps, transcript, reply, first_token_ms, floors_ms)

    def _understand(
        self, samples: Samples, history: Sequence[Message], stamps: Stamps, pieces: Queue[str]
    ) -> tuple[str, str, tuple[int, int]]:
        """Transcript, reply, and the steps of the decode loop up to the first text and the first piece."""
        self._voxtral.begin()
        self._voxtral.hear(samples)
        stamps.asked_s = stamps.judged_over_s = time.monotonic()
        transcript, reply, splitter = "", "", SentenceSplitter()
        text_steps = piece_steps = 0
        for item in self._voxtral.answer(history):
            now_s = time.monotonic()
            if isinstance(item, AudioEncoded):
                stamps.audio_encoded_s = now_s
            elif isinstance(item, Transcript):
                stamps.transcript_s, transcript = now_s, item.text
            elif isinstance(item, Delta):
                reply += item.text
                if stamps.first_text_s is None:
                    stamps.first_text_s, text_steps = now_s, self._hearing.seen.steps
                if stamps.first_sentence_s is None and (found := splitter.push(item.text)):
                    stamps.first_sentence_s, piece_steps = now_s, self._hearing.seen.steps
                    pieces.put_nowait(found[0].text)
        if stamps.first_sentence_s is None and (rest := splitter.finish()) and rest[0].text:
            stamps.first_sentence_s, piece_steps = time.monotonic(), self._hearing.seen.steps
            pieces.put_nowait(rest[0].text)
        return transcript, reply, (text_steps, piece_steps)

    def _speak(self, understood: Future[Any], stamps: Stamps, pieces: Queue[str]) -> int:
        """Speak the first piece; the tokens that its first chunk took."""
        first_chunk_tokens = 0
        for item in self._orpheus.speak(_first(pieces, understood), self._given.speaker):
            now_s = time.monotonic()
            if isinstance(item, SpeechTokens):
                stamps.first_speech_s = now_s
            elif isinstance(item, SpeechChunk) and stamps.first_samples_s is None:
                stamps.first_samples_s = stamps.handed_s = now_s
                first_chunk_tokens = self._speaking.seen.steps
        return first_chunk_tokens


class Floors:
    """The least time of each stage on this device, for what a turn really had to do."""

    def __init__(
        self,
        best: ceilings.Ceilings,
        voxtral: Any,
        orpheus: Any,
        hearing: WatchedLoop,
        speaking: WatchedLoop,
    ) -> None:
        self._best = best
        self._decoders = {VOXTRAL: hearing._decoder, ORPHEUS: speaking._decoder}
        encoder, codec = voxtral._loaded.encoder, orpheus._codec
        device, dtype = hearing.device, encoder._dtype
        mel = torch.zeros(1, encoder._tower.config.num_mel_bins, 3000, device=device, dtype=dtype)
        self._window_s = ceilings.module_s(best, encoder.memory_bytes, lambda: encoder._encoded_window(mel))
        frames = orpheus._settings.first_chunk_frames
        codes = torch.zeros(1 + sum(codec.shape.layer_sizes(frames)), dtype=torch.int64, device=device)
        self._codec_s = ceilings.module_s(best, codec.memory_bytes, lambda: codec._net(codes))

    def of(
        self, samples: int, heard: Seen, steps: tuple[int, int], spoke: Seen, first_chunk_tokens: int
    ) -> dict[str, float]:
        """Milliseconds by stage of `FLOORS`.

        `steps`: those of the reply up to its first text, and up to its first piece.
        """
        text_steps, piece_steps = steps
        seconds = (
            self._window_s * -(-samples // (WINDOW_S * HEARING_RATE_HZ)),
            self._prefill_s(VOXTRAL, heard) + max(text_steps - 1, 0) * self._step_s(VOXTRAL, heard),
            (piece_steps - text_steps) * self._step_s(VOXTRAL, heard),
            self._prefill_s(ORPHEUS, spoke),
            max(first_chunk_tokens - 1, 0) * self._step_s(ORPHEUS, spoke) + self._codec_s,
        )
        return {stage: 1000 * s for stage, s in zip(FLOORS, seconds, strict=True)}

    def _prefill_s(self, model: str, seen: Seen) -> float:
        return ceilings.prefill_s(self._best, self._decoders[model], seen.new_tokens)

    def _step_s(self, model: str, seen: Seen) -> float:
        rows = len(seen.prompt_tokens)
        positions = sum(seen.prompt_tokens) / max(rows, 1)
        return self._best.seconds(ceilings.step_bytes(self._decoders[model], rows, positions))


def _first(pieces: Queue[str], understood: Future[Any]) -> str:
    """The first piece, as soon as it is there.

    Raises:
        EngineError: the reply is over, and there was none.
    """
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        over = understood.done()
        try:
            return pieces.get(timeout=0.0 if over else 0.05)
        except Empty:
            if over:
                break
    raise EngineError("a turn had no answer that could be spoken", "give recordings of a person who speaks")


def _memory_mb(device: torch.device) -> Figure:
    """What torch holds of a GPU; on a CPU the process."""
    on_gpu = device.type == "cuda"
    held_bytes = torch.cuda.memory_reserved(device) if on_gpu else read_ram().own_bytes
    return Figure([held_bytes / 1e6], "MB")


def _figures(turns: Sequence[Turn]) -> dict[str, Figure]:
    rows = [turn.readings() for turn in turns]
    names = [*(stage.key for stage in STAGES if stage.key in rows[0]), "first_token", *_floor_names()]
    return {f"{name}_ms": Figure([row[name] for row in rows if name in row], "ms") for name in names}


def _floor_names() -> Iterator[str]:
    yield from (f"{stage}_floor" for stage in FLOORS)
    yield "response_floor"
