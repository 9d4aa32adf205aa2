"""Choose who speaks, and hear them before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from voxterm.errors import VoiceError, VoxtermError
from voxterm.tui.controls import VoiceChoice
from voxterm.tui.dialogs.choice_list import ChoiceList, Column, Row
from voxterm.tui.dialogs.parts import DialogKey
from voxterm.tui.dialogs.picker import Picker

NOT_HERE = "▲ not here"


class VoicePicker(Picker[VoiceChoice]):
    """The voice under the cursor says something when it is asked to, until the cursor leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "hear", show=False)]
    FOOT: ClassVar[tuple[DialogKey, ...]] = (
        Picker.FOOT[0],
        ("tab", "hear it", "hear"),
        *Picker.FOOT[1:],
    )

    def __init__(
        self, voices: Sequence[VoiceChoice], current: str, hear: Callable[[str | None], None]
    ) -> None:
        """`current`: the name of the voice that speaks. `hear` is called with the name of one that is to be
        heard, and with None when it is to be silent."""
        columns = (Column(is_flexible=True), Column(), Column(), Column(is_flexible=True))
        super().__init__("voice", columns, [_row(voice, current) for voice in voices])
        self._loaded = next((voice.checkpoint for voice in voices if voice.name == current), "")
        self._hear = hear
        self._heard: VoiceChoice | None = None

    def on_choice_list_moved(self, message: ChoiceList.Moved) -> None:
        if self._list.row is None or self._list.row.value is not self._heard:
            self._be_silent()

    def on_unmount(self) -> None:
        self._be_silent()

    def action_hear(self) -> None:
        row = self._list.row
        self._be_silent()
        if row is None:
            self.app.bell()
            return
        self._heard = voice = row.value
        refusal = self._refusal(voice)
        if refusal:
            self._note.add_error(refusal)
            self._frame.fit()
        else:
            self._hear(voice.name)

    def note_trouble(self, error: VoxtermError) -> None:
        """Something went wrong: while a voice is to be heard, it is that voice's."""
        if self._heard is not None:
            self._note.add_error(error)
            self._frame.fit()

    def _refusal(self, voice: VoiceChoice) -> VoiceError | None:
        """Why this voice cannot be heard at once."""
        if voice.missing:
            return VoiceError(f"what {voice.name} needs is not on this machine", voice.missing)
        if voice.checkpoint != self._loaded:
            return VoiceError("another checkpoint has to be loaded", f"choose {voice.name} to hear it")
        return None

    def _be_silent(self) -> None:
        if self._heard is None:
            return
        self._heard = None
        self._hear(None)
        self._note.clear()
        self._frame.fit()


def _row(voice: VoiceChoice, current: str) -> Row[VoiceChoice]:
    mark = NOT_HERE if voice.missing else ""
    texts = (voice.name, voice.language, mark, voice.description)
    return Row.of(voice, *texts, is_current=voice.name == current)
