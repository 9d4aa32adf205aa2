"""The line at the top: who converses, and the one thing that a person looks for, the state."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.events import DeviceStatus, State
from voxterm.tui.model import Devices, Status
from voxterm.tui.panes.figures import hours
from voxterm.tui.terminal.safe_text import safe_line

SIGNS: dict[State, tuple[str, str]] = {
    State.LOADING: ("◌", "$text-warning"),
    State.LISTENING: ("●", "$text-success"),
    State.HEARING: ("◉", "$foreground"),
    State.THINKING: ("◐", "$text-warning"),
    State.SPEAKING: ("►", "$text-primary"),
    State.MUTED: ("⊘", "$foreground 60%"),
    State.STOPPED: ("■", "$text-error"),
}
"""The sign and the colour of each state: as in the talk, the person has the colour of plain text."""

NOT_LISTENING: dict[DeviceStatus | None, tuple[str, str, str]] = {
    DeviceStatus.MISSING: ("○", "$text-warning", "no mic"),
    DeviceStatus.RECONNECTING: ("↻", "$text-warning", "reconnecting"),
}
"""What the state is in truth where nothing can be heard: sign, colour and word."""

_STATE_CELLS = len("◌ loading 100%")

_ROOMY_CELLS = 100
"""From this width on, the remarks are whole words."""


class StatusLine(Widget):
    status: reactive[Status] = reactive(Status())
    devices: reactive[Devices] = reactive(Devices())
    elapsed_s: reactive[int] = reactive(0)

    def __init__(self) -> None:
        super().__init__(id="status")

    def render(self) -> Content:
        sign, colour, state = self._state()
        word = f"{sign} {state}"
        figures = f"turn {self.status.turn:<4}"
        elapsed = f"{hours(self.elapsed_s)}  "
        remarks = "".join(f"{remark}  " for remark in self._remarks())
        room = self.size.width - len(" voxterm  ") - cell_len(remarks) - _STATE_CELLS - len(figures) - 3
        if room >= len(elapsed):  # else what is said beside the state is more
            figures, room = elapsed + figures, room - len(elapsed)
        who = Content(self._who(room)).truncate(max(0, room), ellipsis=True, pad=True)
        return Content.assemble(
            (" voxterm ", "bold $text-primary"),
            " ",
            who.stylize("$foreground 60%"),
            " ",
            (remarks, "$text-warning"),
            (f"{word:<{_STATE_CELLS}}", f"bold {colour}"),
            f"  {figures}",
        )

    def _state(self) -> tuple[str, str, str]:
        """Sign, colour and word."""
        if self.status.leaving:
            return "◌", "$text-warning", "ending …"
        if self.status.state is State.LISTENING and self.devices.microphone.status in NOT_LISTENING:
            return NOT_LISTENING[self.devices.microphone.status]
        return *SIGNS[self.status.state], self._word()

    def _word(self) -> str:
        status = self.status
        total = sum(load.total_bytes for load in status.loading)
        if (
            status.state is State.LOADING
            and status.loading
            and all(load.total_bytes for load in status.loading)
        ):
            done = sum(min(load.done_bytes, load.total_bytes) for load in status.loading)
            return f"loading {done * 100 // total}%"
        return status.state.value

    def _who(self, room: int) -> str:
        """What fits: the profile tells the engines too, and voice and persona are what a person chose."""
        status = self.status
        engines = " + ".join(
            f"{engine} {status.precisions.get(engine, '')}".rstrip()
            for engine in dict.fromkeys(status.engines.values())
        )
        speed = "" if status.speed == 1.0 else f"{status.speed:.1f}×"
        speaker = f"{status.voice} as {status.persona}" if status.persona else status.voice
        wholes = (
            (status.profile, engines, speaker, speed),
            (status.profile, speaker, speed),
            (speaker, speed),
            (status.voice, speed),
        )
        shown = [safe_line(" · ".join(filter(None, whole))) for whole in wholes]
        return next((who for who in shown if cell_len(who) <= room), shown[-1])

    def _remarks(self) -> list[str]:
        """What is true beside the state."""
        status, devices = self.status, self.devices
        remarks = ["◉ talk"] if status.talking else []
        if status.keeps_audio:
            remarks.append("● rec")
        if status.muted and status.state is not State.MUTED:
            remarks.append("⊘ muted")
        for word, device in (("mic", devices.microphone), ("out", devices.loudspeaker)):
            is_said = device is devices.microphone and status.state is State.LISTENING  # it is the state
            if device.status is DeviceStatus.RECONNECTING and not is_said:
                remarks.append(f"↻ {word} reconnecting" if self.size.width >= _ROOMY_CELLS else f"↻ {word}")
        return remarks
