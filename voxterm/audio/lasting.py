"""A device's stream that lasts: it is watched by its clock, and opened again whenever it is gone or quiet.

PortAudio may stop calling a stream with no exception and no status, so its silence counts as loss. Another
device can be asked for at any time; and the device can be given back for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voxterm.audio.devices import Kind
from voxterm.audio.portaudio import DeviceStream, OnBlock, PortAudio
from voxterm.audio.protocols import Report
from voxterm.audio.timing import BlockTimes
from voxterm.clock import Clock
from voxterm.engines.protocols import Samples
from voxterm.errors import DeviceError
from voxterm.events import DeviceChanged, DeviceStatus

_WATCH_S = 0.1
_QUIET_S = 0.5  # no callback for this long: lost
_START_S = 3.0  # PulseAudio may take 1.8 s before it calls steadily
_QUIET_AT_START_S = 5.0
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_LASTED_S = 5.0  # a stream that ran for this long was a good one: the pauses begin anew


class LastingStream:
    """Keeps one device open between `start` and `stop`. Lives on the event loop; only `on_block` does not."""

    def __init__(
        self,
        portaudio: PortAudio,
        kind: Kind,
        wanted: str | int,
        clock: Clock,
        on_block: OnBlock,
        may_pause: Callable[[], bool],
    ) -> None:
        """`may_pause` says whether the stream may be closed for a moment, so that another device is found."""
        self.status = DeviceStatus.MISSING
        """MISSING until it was opened for the first time since it was asked for."""
        self.rate_hz: int | None = None
        """The rate to ask for; None: the device's own."""
        self.changed = asyncio.Event()
        """Set whenever the device comes or goes, and when the watch ends."""
        self._portaudio = portaudio
        self._kind = kind
        self._wanted = wanted
        self._clock = clock
        self._on_block = on_block
        self._may_pause = may_pause
        self._stream: DeviceStream | None = None
        self._called_s: float | None = None
        self._stopping = False
        self._asked_anew = False  # the stream that is open, or being opened, is not what is wanted now
        self._untold = True  # nothing was reported yet of the device that is asked for
        self._may_open = asyncio.Event()
        self._may_open.set()
        self._given_back = asyncio.Event()  # it is paused, and nothing is open
        self._nap: asyncio.Future[None] | None = None
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def stream(self) -> DeviceStream | None:
        """The open stream, if there is one."""
        return self._stream

    @property
    def is_running(self) -> bool:
        """Whether a stream is open and has called."""
        return self._stream is not None and self._called_s is not None

    async def start(self, report: Report) -> None:
        """Returns when the device was opened, or found missing and reported."""
        self._task = asyncio.create_task(self._keep(report), name=f"keep the {self._kind} open")
        self._task.add_done_callback(self._note_end)
        await self._tried.wait()
        self.raise_failure()

    def change_to(self, wanted: str | int) -> None:
        """Close the device and open this one. What becomes of it is reported."""
        self._wanted = wanted
        self._ask_anew()

    async def pause(self) -> None:
        """Close the device until `go_on`; returns when other programs can have it."""
        self._may_open.clear()
        self._ask_anew()
        if self._task is not None:
            await self._given_back.wait()

    def go_on(self) -> None:
        """Open the device again, soon."""
        self._may_open.set()

    async def stop(self) -> None:
        """Close the stream; nothing is left of it afterwards."""
        self._stopping = True
        self._may_open.set()
        self._wake()
        if self._task is not None:
            await asyncio.wait({self._task})  # whoever cancels the closing does not cancel the watch with it

    def raise_failure(self) -> None:
        """Raise what ended the watch, if anything did but `stop`."""
        if self._task is not None and self._task.done():
            self._task.result()

    def _ask_anew(self) -> None:
        self._asked_anew = self._untold = True
        if self.status is DeviceStatus.OPEN:
            self.status = DeviceStatus.RECONNECTING
        self._wake()

    def _wake(self) -> None:
        if self._nap is not None:
            self._nap.cancel()

    def _note_end(self, _: asyncio.Task[None]) -> None:
        self._tried.set()
        self._given_back.set()
        self.changed.set()

    async def _keep(self, report: Report) -> None:
        try:
            await self._open_and_watch(report)
        finally:
            if self._stream is not None:
                await self._close(self._stream)

    async def _open_and_watch(self, report: Report) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping:
            await self._until_it_may_open()
            if self._stopping:
                return
            yielded = False
            if stream := await self._open(report):
                opened_s = self._clock.now()
                yielded = await self._watch(stream, opened_s)
                await self._close(stream)
                if self._clock.now() - opened_s >= _LASTED_S:
                    pause_s = _FIRST_PAUSE_S
                if not yielded and not self._stopping:
                    self._lost(report, stream)
            if self._asked_anew:
                pause_s = _FIRST_PAUSE_S
            elif not yielded:
                await self._rest(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            if not self._stopping and self._may_open.is_set():
                await self._look_again()

    async def _until_it_may_open(self) -> None:
        while not self._may_open.is_set():
            self._tried.set()
            self._given_back.set()
            await self._may_open.wait()
            self._given_back.clear()
            if not self._stopping:
                await self._look_again()

    async def _open(self, report: Report) -> DeviceStream | None:
        self._called_s = None
        self._asked_anew = False
        try:
            stream = await self._portaudio.open(self._kind, self._wanted, self.rate_hz, self._note_call)
        except DeviceError as error:
            if not self._asked_anew:
                self._missing(report, error)
            return None
        if self._asked_anew:  # meanwhile
            await self._close(stream)
            return None
        self._stream = stream
        self._opened(report, stream)
        return stream

    def _opened(self, report: Report, stream: DeviceStream) -> None:
        """Said where it is news: not after it only made way for another device."""
        if self._untold or self.status is not DeviceStatus.OPEN:
            self.status = DeviceStatus.OPEN
            report(DeviceChanged(self._kind, self.status, stream.name))
        self._untold = False
        self._tried.set()
        self.changed.set()

    def _missing(self, report: Report, error: DeviceError) -> None:
        """Said once: at the first attempt, or where a stream that made way does not come back."""
        if self._untold or self.status is DeviceStatus.OPEN:
            self.status = DeviceStatus.MISSING if self._untold else DeviceStatus.RECONNECTING
            report(DeviceChanged(self._kind, self.status, "", error.what, error.remedy))
        self._untold = False
        self._tried.set()

    def _lost(self, report: Report, stream: DeviceStream) -> None:
        self.status = DeviceStatus.RECONNECTING
        what = f"the {self._kind} has gone quiet"
        report(DeviceChanged(self._kind, self.status, stream.name, what, "check that it is plugged in"))

    async def _close(self, stream: DeviceStream) -> None:
        self._stream = None
        self.changed.set()
        try:
            await self._portaudio.close(stream)
        except DeviceError:
            return  # it does not even answer; the next opening says so

    async def _look_again(self) -> None:
        try:
            await self._portaudio.look_again(self._kind, self._wanted)
        except DeviceError:
            return  # the next opening says why

    async def _watch(self, stream: DeviceStream, opened_s: float) -> bool:
        """Return when the stream is lost, False, or should make way, True."""
        quiet_before = False
        while not self._stopping:
            await self._rest(_WATCH_S)
            if self._asked_anew:
                return True
            if not stream.is_active():
                return False
            # Twice in a row, since a thread that held the interpreter also held up the callback.
            quiet = self._is_quiet(opened_s)
            if quiet and quiet_before:
                return False
            quiet_before = quiet
            if self._portaudio.must_yield and self._may_pause():
                return True
        return False

    def _is_quiet(self, opened_s: float) -> bool:
        now_s = self._clock.now()
        limit_s = _QUIET_S if now_s - opened_s > _START_S else _QUIET_AT_START_S
        return now_s - (self._called_s or opened_s) > limit_s

    async def _rest(self, seconds: float) -> None:
        """Sleep; whatever is asked for cuts it short."""
        if self._stopping or self._asked_anew:
            return
        self._nap = asyncio.ensure_future(self._clock.sleep_until(self._clock.now() + seconds))
        await asyncio.wait({self._nap})

    def _note_call(self, stream: DeviceStream, block: Samples, times: BlockTimes, lost: bool) -> None:
        """On PortAudio's thread."""
        self._called_s = times.called_s
        self._on_block(stream, block, times, lost)
