"""In a pause: whether the person has finished, by all who can tell, and so how long a silence ends the turn.

The words are judged by the engine that understands, in the answer that is begun in secret; the sound by a
turn detector on a thread of its own. When both have spoken, the turn machine is told what silence to expect.
Until then, and where nobody can tell, the pause alone decides.
"""

from __future__ import annotations

from collections.abc import Callable

from voxterm.config import TurnSettings
from voxterm.conversation.bridge import EngineThread
from voxterm.endpointing import Evidence, silence_ms
from voxterm.engines.protocols import Samples, TurnDetector
from voxterm.events import Event, Trouble


class PauseJudge:
    """One for all pauses; `begin` each, `end` it when the person goes on or the turn is over."""

    def __init__(
        self,
        thread: EngineThread,
        settings: TurnSettings,
        expect: Callable[[float], None],
        tell: Callable[[Event], None],
    ) -> None:
        """`expect` is told, once a pause, the silence in milliseconds that ends the turn."""
        self.detector: TurnDetector | None = None
        """Judges the sound once it is loaded, and until it fails."""
        self._thread = thread
        self._settings = settings
        self._expect = expect
        self._tell = tell
        self._pauses = 0
        self._awaited: set[str] = set()
        self._words: float | None = None
        self._sound: float | None = None

    def begin(self, turn: Samples) -> Callable[[float | None], None]:
        """The person pauses after this much of a turn, (N,) at 16 kHz.

        What it gives is to be called by who judges the words, with the result.
        """
        self._pauses += 1
        pause = self._pauses
        self._words = self._sound = None
        self._awaited = {"words"}
        if self.detector:
            self._awaited.add("sound")
            self._thread.post(
                lambda: self._listen(turn, pause), then=lambda heard: self._take_sound(pause, heard)
            )
        return lambda probability: self._take_words(pause, probability)

    def end(self) -> None:
        """What is still to be said of this pause is of no use any more."""
        self._pauses += 1

    def _listen(self, turn: Samples, pause: int) -> float | Exception | None:
        """On the detector's thread."""
        if pause != self._pauses or self.detector is None:
            return None
        try:
            return self.detector.probability(turn)
        except Exception as error:  # whatever a model raises
            return error

    def _take_sound(self, pause: int, heard: float | Exception | None) -> None:
        if isinstance(heard, Exception):
            if self.detector:
                self._tell(
                    Trouble.of(heard, 'the pause and the words decide; or set turns.detector = "none"')
                )
            self.detector = heard = None
        if pause == self._pauses:
            self._sound = heard
            self._take("sound")

    def _take_words(self, pause: int, probability: float | None) -> None:
        if pause == self._pauses:
            self._words = probability
            self._take("words")

    def _take(self, kind: str) -> None:
        self._awaited.discard(kind)
        evidence = Evidence(words=self._words, sound=self._sound)
        if not self._awaited and evidence != Evidence():
            self._expect(silence_ms(evidence, self._settings))
