"""The acoustic front end, between the microphone's samples and its frames: it takes the loudspeaker out.

The reference is what really left the loudspeaker at the time at which the microphone's block was in the air,
by the stamps of both devices; so their latencies and the drift between their clocks are out of it. What
remains is the way through the room, and what the stamps do not know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxterm.audio.echo.adaptive import BLOCK_SAMPLES
from voxterm.audio.echo.alignment import Alignment
from voxterm.audio.echo.cancelling import Canceller
from voxterm.audio.echo.chime import chime
from voxterm.audio.echo.choice import EchoChoice, EchoMode, EchoWish
from voxterm.audio.echo.passage import Passage
from voxterm.audio.echo.path import EchoPath
from voxterm.audio.echo.reference import Reference
from voxterm.audio.echo.webrtc import MissingError, WebRtc
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.events import EchoChosen

_STEADY_S = 2.6  # a device's stamps change until then, see `timing`
_LEAD_SAMPLES = 320  # the reference is read 20 ms early, so that stamps may be wrong by that
_LEAST_LEAD_SAMPLES = -80  # where a loudspeaker tells no sooner than it plays
_SHORT_BLOCKS = 10  # in a row that the reference came too late for: the lead is too long
_MARGIN_SAMPLES = 16  # what its interpolation needs beyond a position
_CLOSED_S = 0.35  # half duplex: the longest common delay, and a room's tail
_SOUNDS = 1e-3  # -60 dBFS


@dataclass(frozen=True, slots=True)
class FrontEndSettings:
    echo: EchoWish = "auto"
    noise_suppression: bool = False
    gain_control: bool = False


class FrontEnd:
    """`played` may be called on any thread, `load` off the event loop; everything else is called on it."""

    def __init__(self, settings: FrontEndSettings) -> None:
        self._settings = settings
        self._reference = Reference()
        self._alignment = Alignment(BLOCK_SAMPLES)
        self._path = EchoPath()
        self._choice: EchoChoice | None = None
        self._canceller: Canceller | None = None
        self._polish: WebRtc | None = None  # noise suppression and gain control
        self._lead = _LEAD_SAMPLES
        self._shortages: list[int] = []
        self._jumps = 0
        self._passage = Passage(BLOCK_SAMPLES)
        self._zero_s = 0.0  # when its sample 0 was in the air

    @property
    def echo_reduced_db(self) -> float | None:
        """What is taken off the echo now; None: there is nothing to take."""
        return self._canceller.reduced_db if self._canceller and self._mode == "cancel" else None

    @property
    def measuring(self) -> bool:
        """It is not known yet what to do about the echo. Only once it is loaded."""
        return self._choice is not None and self._choice.is_open

    @property
    def steady(self) -> bool:
        """Both devices have run for long enough that their stamps have settled: what is measured holds."""
        return min(self._passage.taken, self._reference.until) >= _STEADY_S * HEARING_RATE_HZ

    def load(self) -> None:
        """Load what the settings ask for. Nothing is raised: where echo cancelling is missing, the microphone
        is closed while the loudspeaker sounds, and `chosen` says so."""
        wish = self._settings.echo
        try:
            self._canceller = Canceller() if wish in {"auto", "cancel"} else None
            if self._settings.noise_suppression or self._settings.gain_control:
                self._polish = WebRtc(
                    noise=self._settings.noise_suppression, gain=self._settings.gain_control
                )
        except MissingError:
            self._canceller = None
        self._choice = EchoChoice(wish, can_cancel=self._canceller is not None)

    def close(self) -> None:
        """Give back what was loaded."""
        self._canceller = self._polish = self._choice = None

    def played(self, samples: Samples, rate_hz: int, left_s: float) -> None:
        """A block (N,) leaves the loudspeaker at `left_s`. On any thread; copies it and returns."""
        self._reference.played(samples, rate_hz, left_s)

    def hear(self, samples: Samples, first_at_s: float) -> Samples:
        """The next samples (N,) at 16 kHz, the first of them in the air at `first_at_s`; cleaned, in order.

        None is left out and none is added, but they may come later: with echo cancelling up to 287 samples,
        with noise suppression 96 more, where nothing is to be done none.
        """
        self._reference.take_in()
        self._zero_s = first_at_s - self._passage.taken / HEARING_RATE_HZ
        self._passage.put(samples)
        given: list[Samples] = [np.zeros(0, np.float32)]
        while (numbered := self._passage.next_block()) is not None:
            begin, block = numbered
            cleaned, delay = self._cleaned(begin, block)
            if not self._passes:
                given.append(self._passage.give(cleaned, begin - delay))
        if self._passes:
            given.append(self._passage.give_all())
        return np.concatenate(given)

    def gap(self) -> None:
        """The microphone lost samples, or begins: what it will hear does not follow what it heard."""
        self._begin_anew()

    def reset(self) -> None:
        """Another device, or a pause: what was learnt of the room is void."""
        self._begin_anew()
        if self._choice is not None:
            self.load()

    def chime(self, rate_hz: int) -> Samples:
        """A soft sound (N,), to be played once, by whose echo the coupling is measured as by any other's."""
        return chime(rate_hz)

    def chosen(self) -> EchoChosen | None:
        """What is done about the echo from now on; None: nothing new to tell."""
        return self._choice.news() if self._choice else None

    @property
    def _mode(self) -> EchoMode:
        return self._choice.mode if self._choice else "off"

    @property
    def _passes(self) -> bool:
        """Samples go through as they are."""
        return self._mode == "off" and self._polish is None

    def _begin_anew(self) -> None:
        self._passage = Passage(BLOCK_SAMPLES)
        self._alignment.forget()
        self._path.forget()
        self._lead = _LEAD_SAMPLES
        self._shortages.clear()

    def _cleaned(self, begin: int, block: Samples) -> tuple[Samples, int]:
        """What becomes of a block, and how late it comes."""
        mode, delay = self._mode, 0
        if self._choice is not None and (mode != "off" or self._choice.watches):
            position = self._position(begin)
            reference = self._played_then(position)
            self._measure(self._choice, block, reference)
            if mode == "cancel" and self._canceller is not None:
                block, delay = self._canceller.step(block, reference), self._canceller.delay_samples
            elif mode == "half_duplex" and position is not None and self._sounds(position[1]):
                block = np.zeros(BLOCK_SAMPLES, np.float32)
        if self._polish is not None:
            block, delay = self._polish.process(block), delay + self._polish.delay_samples
        return block, delay

    def _position(self, begin: int) -> tuple[float, float] | None:
        """Where in the reference this block begins and ends."""
        origin_s = self._reference.origin_s
        if origin_s is None:
            return None
        first, last = self._alignment.step((self._zero_s - origin_s) * HEARING_RATE_HZ)
        if self._alignment.jumps != self._jumps:
            self._jumps = self._alignment.jumps
            self._lead = _LEAD_SAMPLES
            self._move()
        end = begin + BLOCK_SAMPLES + last + self._lead
        self._note_shortage(round(end) + _MARGIN_SAMPLES - self._reference.until)
        return begin + first + self._lead, end

    def _note_shortage(self, missing: int) -> None:
        """Shorten the lead where the reference keeps coming too late for it."""
        self._shortages.append(missing)
        if missing <= 0:
            self._shortages.clear()
        elif len(self._shortages) >= _SHORT_BLOCKS:
            lead = max(_LEAST_LEAD_SAMPLES, self._lead - max(self._shortages))
            if lead != self._lead:
                self._move()
            self._lead = lead
            self._shortages.clear()

    def _move(self) -> None:
        """The echo of what is played comes at another place in the reference from here on."""
        self._path.forget()
        self._shortages.clear()
        if self._canceller is not None:
            self._canceller.doubt()

    def _played_then(self, position: tuple[float, float] | None) -> Samples:
        if position is None:
            return np.zeros(BLOCK_SAMPLES, np.float32)
        return self._reference.read(*position, BLOCK_SAMPLES)

    def _sounds(self, end: float) -> bool:
        """Whether the loudspeaker sounds, or did so lately."""
        return self._reference.loudest(round(end - _CLOSED_S * HEARING_RATE_HZ), round(end)) > _SOUNDS

    def _measure(self, choice: EchoChoice, block: Samples, reference: Samples) -> None:
        self._path.push(block, reference)
        if self._path.span_complete:
            measure = self._path.measure()
            choice.measured(measure, self._lead)
            if measure is not None and self._canceller is not None:
                self._canceller.expect(measure)
