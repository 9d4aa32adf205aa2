"""One attempt to answer a turn: understood, put into pieces, spoken, and held back until it may be heard.

An attempt may be started in a pause, before the turn is judged over. Everything it finds out is kept to
itself until `commit`, and no sample of it reaches the loudspeaker before `may_sound`. It may sound before the
transcript is known. It can be cancelled at any moment and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable
from operator import itemgetter

import numpy as np

from voxterm.audio.resample import StreamResampler
from voxterm.clock import Clock
from voxterm.conversation.bridge import Stream
from voxterm.conversation.mouth import Mouth
from voxterm.conversation.pacing import Pacing
from voxterm.conversation.playout import Playout
from voxterm.conversation.wording import Line, Worded, Wording
from voxterm.engines.protocols import (
    AudioEncoded,
    Delta,
    Ending,
    Notice,
    ReplyComplete,
    Samples,
    SpeechTokens,
    Spoken,
    Transcript,
    Understood,
    WordMark,
)
from voxterm.events import Event, ReplyDelta, ReplyStarted, TranscriptReady
from voxterm.history import SpokenReply
from voxterm.latency import Stamps

LINES_AHEAD = 64
"""How many pieces of text may wait to be spoken: minutes of speech."""

LEVEL_S = 0.05
"""How finely the loudness of a reply is kept for the meters."""


_NOTHING: Samples = np.zeros(0, np.float32)


class Reply:
    """`start` it once; look at what it has found at any time."""

    def __init__(
        self,
        turn: int,
        mouth: Mouth,
        clock: Clock,
        tell: Callable[[Event], None],
        on_ending: Callable[[float | None], None] | None = None,
        on_notice: Callable[[Notice], None] = lambda notice: None,
    ) -> None:
        """`on_ending` is told once how probable it is that the words end here; None where nobody can tell."""
        self.turn = turn
        self.stamps = Stamps()
        self.transcript: str | None = None
        self.spoken = SpokenReply()
        self.written = ""  # its text as it came, with what is not shown
        self.playout = Playout(mouth.loudspeaker)
        self.error: Exception | None = None
        self._mouth = mouth
        self._clock = clock
        self._tell = tell
        self._on_ending = on_ending
        self._on_notice = on_notice
        self._task: asyncio.Task[None] | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._understood: Stream[Understood] | None = None
        self._cancelled = False
        self._committed = False
        self._held_events: list[Event] = []
        self._may_sound = asyncio.Event()
        self._wanted = True
        self._was_said = False  # whole, when it had to wait
        self._text_complete = False
        self._wording = Wording(mouth.follower.of_reply(mouth.speaker.voice))
        self._lines: asyncio.Queue[Line | None] = asyncio.Queue(LINES_AHEAD)
        self._pacing = Pacing(mouth.loudspeaker.rate_hz)
        self._piece_samples = 0  # of the piece being spoken
        self._levels: list[tuple[int, float]] = []  # (sample it begins at, RMS), in order

    def start(self, understood: Stream[Understood], after: Reply | None) -> None:
        """Begin. `after` is the reply before, which must have come to rest before this one may sound."""
        self.stamps.asked_s = self._clock.now()
        self._understood = understood
        self._task = asyncio.create_task(self._run(understood, after), name=f"reply {self.turn}")

    def cancel(self) -> None:
        """Stop: nothing more will be told or handed to the loudspeaker."""
        self._cancelled = True
        self._committed = False
        self.playout.cut()
        if self._task:
            self._task.cancel()
        if self._understood:
            self._understood.cancel()

    async def ended(self, limit_s: float | None = None) -> None:
        """Wait until it is over, or until its cancelling is through; not longer than the limit."""
        if self._task:
            await asyncio.wait([self._task], timeout=limit_s)

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def _run(self, understood: Stream[Understood], after: Reply | None) -> None:
        self._speaking = asyncio.create_task(self._speak(after), name=f"speak {self.turn}")
        understanding = asyncio.create_task(self._understand(understood), name=f"understand {self.turn}")
        parts = [understanding, self._speaking]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for part in parts:
                part.cancel()
            ends = await asyncio.gather(*parts, return_exceptions=True)
            await understood.aclose()
            self.playout.end()
            failed = [end for end in ends if isinstance(end, Exception)]
            self.error = failed[0] if failed else self.error

    def commit(self) -> None:
        """The turn is over: what was found so far is told, and what comes is told as it comes."""
        self._committed = True
        for event in self._held_events:
            self._tell(event)
        self._held_events.clear()

    def may_sound(self, allowed: bool) -> None:
        """Let the first sample go to the loudspeaker, or hold it back; of no effect once it is gone."""
        if allowed:
            self._may_sound.set()
        else:
            self._may_sound.clear()

    def only_transcribe(self) -> None:
        """No more of the answer is wanted, neither text nor sound, but what the person said is."""
        self._wanted = False
        if self._speaking:
            self._speaking.cancel()
        while not self._lines.empty():  # nobody takes them any more, and `_understand` may wait for room
            self._lines.get_nowait()

    @property
    def handed(self) -> bool:
        """Samples of it have been given to the loudspeaker."""
        return self.playout.begun

    @property
    def audible(self) -> bool:
        """Samples of it are on their way out of the loudspeaker, or about to be followed by more."""
        playout = self.playout
        return playout.begun and not playout.held and (self.running or not playout.complete)

    @property
    def speech_behind(self) -> bool:
        """Its speech is being made more slowly than it is played."""
        return self._pacing.behind and self.running

    @property
    def keeps_audio(self) -> bool:
        """Its sound is kept as far as it is heard."""
        return self._mouth.keeps_audio

    def has_left(self) -> bool:
        """Whether its first sample has left the loudspeaker; stamps when. Ask before it is cut off."""
        cut_off = self._cancelled or not self._wanted  # what has its number now may be another's
        if self.stamps.left_s is None and not cut_off:
            self.stamps.left_s = self.playout.left_at()
        return self.stamps.left_s is not None

    def hold(self) -> None:
        """Somebody speaks: fade out, and wait."""
        self.has_left()  # a moment later nobody may know any more
        self._was_said = self.playout.complete and not self.running
        self.playout.hold()

    def go_on(self) -> None:
        """It was nothing: go on from the beginning of the word that was broken off, if one was."""
        played = self.playout.played()
        self.playout.go_on(played if self._was_said else self.spoken.word_start(played))

    def heard_text(self) -> str:
        """Its text as far as it was heard."""
        return self.spoken.heard_text(self.playout.played())

    def level(self) -> float:
        """The RMS of what the loudspeaker plays now, 0 where it plays nothing of this reply."""
        played = self.playout.played()
        begun = bisect_right(self._levels, played, key=itemgetter(0))
        sounds = self.audible and begun and played < self.playout.written
        return self._levels[begun - 1][1] if sounds else 0.0

    async def _understand(self, understood: Stream[Understood]) -> None:
        try:
            async for item in understood:
                for line in self._take(item):
                    await self._give(line)
                if isinstance(item, ReplyComplete):
                    await self._complete()
                if not self._wanted and self.transcript is not None:
                    break
        finally:
            self._tell_ending(None)
        await self._complete()

    async def _complete(self) -> None:
        """All of the reply's text is there."""
        if self._text_complete:
            return
        self._text_complete = True
        if self._wanted:
            for line in self._show(self._wording.finish()):
                await self._give(line)
        await self._lines.put(None)

    def _take(self, item: Understood) -> list[Line]:
        stamps, now_s = self.stamps, self._clock.now()
        if isinstance(item, AudioEncoded):
            stamps.audio_encoded_s = now_s
            return []
        if isinstance(item, Ending):
            self._tell_ending(item.probability)
            return []
        if isinstance(item, Transcript):
            stamps.transcript_s = now_s
            self.transcript = item.text
            self._tell_ending(None)
            self._say(TranscriptReady(self.turn, item.text))
            return []
        if isinstance(item, Notice):
            self._on_notice(item)  # at once: it holds whatever becomes of this attempt
            return []
        if not self._wanted or not isinstance(item, Delta) or not item.text:
            return []
        stamps.first_text_s = stamps.first_text_s or now_s
        self.written += item.text
        return self._show(self._wording.push(item.text))

    def _tell_ending(self, probability: float | None) -> None:
        tell, self._on_ending = self._on_ending, None
        if tell:
            tell(probability)

    def _show(self, worded: Worded) -> list[Line]:
        if worded.shown:
            self.spoken.append_text(worded.shown)
            self._say(ReplyDelta(self.turn, worded.shown))
        return worded.lines

    async def _speak(self, after: Reply | None) -> None:
        """Speak line after line. Where nobody can it is an error of the turn; its text still comes."""
        while (line := await self._lines.get()) is not None:
            if line.spoken.text:
                while self._wanted and not self.error and await self._fails(line, after):
                    continue  # another voice tries

    async def _fails(self, line: Line, after: Reply | None) -> bool:
        """Speak a line; whether the voice failed, and another is to say it from its beginning."""
        begun = self.spoken.pieces
        stream = self._mouth.speak(line.spoken.text, line.other_voice)
        try:
            await self._speak_line(line, stream, after)
        except Exception as error:  # whatever a model raises
            await self._play(self._pacing.finish(_NOTHING))
            self.error = self._mouth.give_up(line.other_voice, error)
            if self.spoken.pieces > begun and self.error is None:
                self.spoken.drop_piece()
            return True
        finally:
            await stream.aclose()
        return False

    def _tell_hand_over(self, line: Line) -> None:
        for event in () if self._cancelled else self._mouth.hand_over(line.other_voice):
            self._tell(event)

    async def _speak_line(self, line: Line, stream: Stream[Spoken], after: Reply | None) -> None:
        resampler = StreamResampler(self._mouth.engine.rate_hz, self._mouth.loudspeaker.rate_hz)
        begun = False
        async for item in stream:
            now_s = self._clock.now()
            self.stamps.first_speech_s = self.stamps.first_speech_s or now_s
            if isinstance(item, SpeechTokens):
                continue
            self.stamps.first_samples_s = self.stamps.first_samples_s or now_s
            if not begun:
                self._tell_hand_over(line)
                await self._until_allowed(after)
                self.spoken.begin_piece(line.piece, self.playout.written, line.spoken.places)
                begun = True
                self._piece_samples = 0
                self._mouth.follower.spoke(line.other_voice or self._mouth.speaker.voice)
            self.spoken.add_marks(_in_words(item.words, line), self._mouth.loudspeaker.rate_hz)
            await self._play(self._paced(resampler.push(item.samples)))
        if begun:
            await self._play(self._pacing.finish(resampler.finish()))
            self.spoken.end_piece()

    async def _until_allowed(self, after: Reply | None) -> None:
        if self.handed:
            return
        if after:
            await after.ended()
        await self._may_sound.wait()

    def _paced(self, samples: Samples) -> Samples:
        """What of these samples, and of those before that were held back, may be played now."""
        return self._pacing.push(samples, self._clock.now(), self.playout.waiting_s)

    async def _play(self, samples: Samples) -> None:
        if not len(samples) or self._cancelled:  # the cancelling takes the loop some turns to get here
            return
        if self.stamps.handed_s is None:
            self.stamps.handed_s = self._clock.now()
            self._say(ReplyStarted(self.turn, self.stamps.handed_s))
        self._note_levels(samples, self.playout.written)
        self._piece_samples += len(samples)
        self.spoken.piece_samples(self._piece_samples)
        await self.playout.write(samples)

    def _note_levels(self, samples: Samples, at_sample: int) -> None:
        step = max(1, round(self._mouth.loudspeaker.rate_hz * LEVEL_S))
        for begin in range(0, len(samples), step):
            rms = float(np.sqrt(np.mean(np.square(samples[begin : begin + step]))))
            self._levels.append((at_sample + begin, rms))

    async def _give(self, line: Line) -> None:
        if self._wanted:
            self.stamps.first_sentence_s = self.stamps.first_sentence_s or self._clock.now()
            await self._lines.put(line)

    def _say(self, event: Event) -> None:
        if self._committed:
            self._tell(event)
        else:
            self._held_events.append(event)


def _in_words(marks: Iterable[WordMark], line: Line) -> list[WordMark]:
    """Marks of what the voice was given as marks of the piece's words. A tag's becomes an empty one."""
    words = line.spoken.in_words
    return [WordMark(words(mark.start), words(mark.end), mark.at_s) for mark in marks]
