"""Recordings as microphone and a file as loudspeaker: the same conversation with no device.

Both run on the clock they are given. On `RealClock` they take as long as devices would; on `SkippingClock`
they run as fast as the machine can, with the same latencies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from voxterm.audio.protocols import FRAME_S, FRAME_SAMPLES, MicrophoneFrame, Report, Tap
from voxterm.clock import Clock
from voxterm.engines.protocols import Samples
from voxterm.errors import OutputError

BUFFER_S = 30.0
"""How much a loudspeaker takes before `write` waits."""

LOUDSPEAKER_FILE_HZ = 24_000
"""The rate of a file that stands for the loudspeaker: what Orpheus, Kokoro and FireRedTTS2 speak at."""

REMEMBERED_SPANS = 2_000
"""How many written blocks keep their times: over a minute of speech in chunks of 32 ms."""


class RecordedMicrophone:
    """Says one recording after the other, each followed by `tail_s` of silence, then silence for ever.

    While it is held it is silent and its recordings wait: a person who lets the other finish.
    """

    def __init__(
        self, clips: Sequence[Samples], clock: Clock, *, tail_s: float, name: str = "recording"
    ) -> None:
        self.name = name
        self.overruns = 0
        tail = np.zeros(round(tail_s / FRAME_S) * FRAME_SAMPLES, np.float32)
        said = [np.concatenate([clip, tail]).astype(np.float32) for clip in clips]
        self._samples = np.concatenate(said) if said else np.zeros(0, np.float32)
        self._clock = clock
        self._position = 0
        self._frames = 0
        self._opened_s = 0.0
        self._held = False

    @property
    def starting(self) -> bool:
        return False

    @property
    def exhausted(self) -> bool:
        """All has been said."""
        return self._position >= len(self._samples)

    @property
    def said_share(self) -> float:
        """How much has been said, 0 to 1."""
        return min(1.0, self._position / len(self._samples)) if len(self._samples) else 1.0

    def hold(self, held: bool) -> None:
        self._held = held

    async def open(self, report: Report) -> None:
        self._opened_s = self._clock.now()

    async def read(self) -> MicrophoneFrame | None:
        """The next frame, once its last sample would have been spoken. Never None: silence has no end."""
        first_sample = self._frames * FRAME_SAMPLES
        self._frames += 1
        due_s = self._opened_s + self._frames * FRAME_S
        await self._clock.sleep_until(due_s)
        return MicrophoneFrame(self._next_samples(), first_sample, due_s)

    def change_to(self, wanted: str | int) -> None:
        """There is no other."""

    async def pause(self) -> None:
        """Nothing to give back."""

    def go_on(self) -> None:
        """Nothing was given back."""

    async def close(self) -> None:
        """Nothing to give back."""

    def _next_samples(self) -> Samples:
        frame = np.zeros(FRAME_SAMPLES, np.float32)
        if not self._held and not self.exhausted:
            said = self._samples[self._position : self._position + FRAME_SAMPLES]
            frame[: len(said)] = said
            self._position += FRAME_SAMPLES
        return frame


class SampleWriter(Protocol):
    """Where a recording of the loudspeaker goes, `SoundWriter` for one. Whoever made it closes it."""

    def write(self, samples: Samples) -> None: ...


@dataclass(slots=True)
class _Span:
    """Samples `first` … `first + count` of what was written leave the loudspeaker from `starts_s` on."""

    first: int
    count: int
    starts_s: float


class RecordedLoudspeaker:
    """Plays to a file, silence where nothing is said, so that the file's time line is the conversation's."""

    def __init__(
        self, clock: Clock, rate_hz: int, writer: SampleWriter | None = None, name: str = "recording"
    ) -> None:
        self.name = name
        self.rate_hz = rate_hz
        self.underruns = 0
        self._clock = clock
        self._writer = writer
        self._opened_s = 0.0
        self._written = 0
        self._spans: deque[_Span] = deque(maxlen=REMEMBERED_SPANS)
        self._waiting: deque[tuple[float, Samples]] = deque()  # not yet in the file, with when it sounds
        self._filed = 0  # samples that have left, silence included: in the file, and told to the taps
        self._taps: list[Tap] = []
        self._in_reply = False
        self._era = 0  # counts the calls of `silence`
        self._failure: OutputError | None = None  # of the file, until it is told

    async def open(self, report: Report) -> None:
        self._opened_s = self._clock.now()

    def tap(self, listener: Tap) -> None:
        """Have what leaves told as it is filed, at each `write`, `silence` and `play_until`, on the event
        loop. Call before `open`."""
        self._taps.append(listener)

    def play_until(self, now_s: float) -> None:
        """File, and tell the taps, all that has left by then, silence included."""
        self._file_until(now_s)
        self._file_silence_until(now_s)

    async def write(self, samples: Samples) -> None:
        era = self._era
        while self._ends_s() - self._clock.now() > BUFFER_S:
            await self._clock.sleep_until(self._clock.now() + FRAME_S)
            if era != self._era:
                return
        now_s = self._clock.now()
        ends_s = self._ends_s()
        if self._in_reply and ends_s < now_s:
            self.underruns += 1
        self._in_reply = True
        starts_s = max(now_s, ends_s)
        if self._spans and starts_s == ends_s:
            self._spans[-1].count += len(samples)
        else:
            self._spans.append(_Span(self._written, len(samples), starts_s))
        self._waiting.append((starts_s, samples))
        self._written += len(samples)
        self._file_until(now_s)
        self._tell_failure()

    def end_reply(self) -> None:
        self._in_reply = False

    def silence(self, fade_s: float = 0.02) -> None:
        now_s = self._clock.now()
        self._era += 1
        self._in_reply = False
        self._file_until(now_s)
        if self._waiting and self._waiting[0][0] <= now_s + 1 / self.rate_hz:
            faded = self._waiting[0][1][: round(fade_s * self.rate_hz)]
            self._file(faded * np.linspace(1, 0, len(faded), dtype=np.float32))
        self._written = self.played_samples()
        self._waiting.clear()
        while self._spans and self._spans[-1].first >= self._written:
            self._spans.pop()
        if self._spans:
            self._spans[-1].count = self._written - self._spans[-1].first

    def written_samples(self) -> int:
        return self._written

    def played_samples(self) -> int:
        now_s = self._clock.now()
        for span in reversed(self._spans):
            if span.starts_s <= now_s:
                return span.first + min(span.count, round((now_s - span.starts_s) * self.rate_hz))
        return self._spans[0].first if self._spans else self._written

    def played_at(self, sample: int) -> float | None:
        for span in reversed(self._spans):
            if span.first <= sample < span.first + span.count:
                left_s = span.starts_s + (sample - span.first) / self.rate_hz
                return left_s if left_s <= self._clock.now() else None
        return None

    def change_to(self, wanted: str | int) -> None:
        """There is no other."""

    async def pause(self) -> None:
        """Nothing to give back."""

    def go_on(self) -> None:
        """Nothing was given back."""

    async def close(self) -> None:
        """
        Raises:
            OutputError: the file could not be written, and no `write` has told.
        """
        self._file_until(self._clock.now())
        self._tell_failure()

    def _tell_failure(self) -> None:
        """Once: a file that fails must not keep the loudspeaker from falling silent."""
        failure, self._failure = self._failure, None
        if failure:
            raise failure

    def _ends_s(self) -> float:
        """When all that is written will have left."""
        if not self._spans:
            return self._opened_s
        last = self._spans[-1]
        return last.starts_s + last.count / self.rate_hz

    def _file_until(self, now_s: float) -> None:
        """Write what has left the loudspeaker by now."""
        while self._waiting:
            starts_s, samples = self._waiting[0]
            played = min(len(samples), round((now_s - starts_s) * self.rate_hz))
            if played <= 0:
                return
            self._file_silence_until(starts_s)
            self._file(samples[:played])
            self._waiting.popleft()
            if played < len(samples):
                self._waiting.appendleft((starts_s + played / self.rate_hz, samples[played:]))
                return

    def _file_silence_until(self, at_s: float) -> None:
        missing = round((at_s - self._opened_s) * self.rate_hz) - self._filed
        if missing > 1:  # one is rounding
            self._file(np.zeros(missing, np.float32))

    def _file(self, samples: Samples) -> None:
        left_s = self._opened_s + self._filed / self.rate_hz
        self._filed += len(samples)
        for listener in self._taps:
            listener(samples, left_s)
        if self._writer:
            try:
                self._writer.write(samples)
            except OutputError as error:
                self._writer, self._failure = None, error
