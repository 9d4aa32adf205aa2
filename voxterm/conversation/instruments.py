"""What a person reads off while they talk: the word of the state, the levels, what is done about the echo."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxterm.audio.levels import dbfs
from voxterm.audio.protocols import MicrophoneFrame
from voxterm.conversation.cast import Devices
from voxterm.conversation.floor import Floor
from voxterm.events import Event, Levels, State, StateChanged

LEVELS_EVERY_FRAMES = 3
"""Levels are told about ten times a second."""

MEASURING_FRAMES = 125
"""Four seconds: where the room could not be measured by then the next reply will do."""


class Instruments:
    """Lives on the event loop beside the floor; looks at it with every frame."""

    def __init__(self, floor: Floor, devices: Devices, tell: Callable[[Event], None]) -> None:
        self._floor = floor
        self._devices = devices
        self._tell = tell
        self._state = State.STOPPED
        self._frames = 0
        self._heard_frames = 0  # since the microphone delivers

    def enter(self, state: State) -> None:
        """Tell the state where it is another."""
        if state is not self._state:
            self._state = state
            self._tell(StateChanged(state, self._devices.clock.now()))

    def show_state(self, *, muted: bool) -> None:
        """Tell what voxterm is doing, by what the floor says."""
        if self._floor.machine.turn_open:
            state = State.HEARING
        elif self._floor.exchanges.audible:
            state = State.SPEAKING
        elif self._floor.exchanges.under_way and not self._floor.answered_just_now:
            state = State.THINKING
        elif self._devices.microphone.starting or self._measuring:
            state = State.LOADING
        else:
            state = State.MUTED if muted else State.LISTENING
        self.enter(state)

    @property
    def _measuring(self) -> bool:
        """The room is being measured: what is said into that may be mistaken for an echo."""
        front_end = self._devices.front_end
        return bool(front_end and front_end.measuring and self._heard_frames < MEASURING_FRAMES)

    def frame(self, frame: MicrophoneFrame, probability: float) -> None:
        """Take the next frame of the microphone, and how probably somebody speaks in it."""
        microphone_dbfs = dbfs(float(np.sqrt(np.mean(np.square(frame.samples)))))
        reply = self._floor.exchanges.reply
        loudspeaker_dbfs = dbfs(reply.level() if reply else 0.0)
        self._floor.track.frame(frame.ended_at_s, microphone_dbfs, loudspeaker_dbfs, probability)
        self._tell_echo()
        self._frames += 1
        self._heard_frames += not self._devices.microphone.starting
        if self._frames % LEVELS_EVERY_FRAMES == 0:
            self._tell_levels(microphone_dbfs, loudspeaker_dbfs, probability)

    def _tell_echo(self) -> None:
        chosen = self._devices.front_end.chosen() if self._devices.front_end else None
        if chosen:
            self._tell(chosen)

    def _tell_levels(self, microphone_dbfs: float, loudspeaker_dbfs: float, probability: float) -> None:
        front_end, reply = self._devices.front_end, self._floor.exchanges.reply
        self._tell(
            Levels(
                microphone_dbfs=microphone_dbfs,
                loudspeaker_dbfs=loudspeaker_dbfs,
                speech_probability=probability,
                buffered_ms=reply.playout.waiting_s * 1000 if reply else 0.0,
                overruns=self._devices.microphone.overruns,
                underruns=self._devices.loudspeaker.underruns,
                speech_behind=bool(reply and reply.speech_behind),
                echo_reduced_db=front_end.echo_reduced_db if front_end else None,
            )
        )
