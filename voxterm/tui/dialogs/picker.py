"""Choose one of many: a device, a theme, a voice. Typing searches, arrows move, Enter takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar, get_args

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input

from voxterm.errors import as_error
from voxterm.tui.controls import DeviceChoice, DeviceKind
from voxterm.tui.dialogs.choice_list import ChoiceList, Column, Row
from voxterm.tui.dialogs.parts import DialogFrame, DialogKey, FieldLine, FootLine, Note

T = TypeVar("T")

DEFAULT_DEVICE = "default"
KIND_WORDS: Mapping[DeviceKind, str] = {"microphone": "mic", "loudspeaker": "out"}


class Picker(ModalScreen["T | None"], Generic[T]):
    """Its result is the value of the row that was taken, or None.

    `rows` may also be a function that blocks while it looks for them: it is called on a thread, once the
    dialog is there, and the VoxtermError it may raise is shown in place. `preview` is called with the value
    under the cursor as it moves, and with the current one again when nothing is taken.
    """

    AUTO_FOCUS = "TypedField"
    FOOT: ClassVar[tuple[DialogKey, ...]] = (
        ("↑↓", "move", "move(1)"),
        ("enter", "take", "take"),
        ("esc", "close", "cancel"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("ctrl+home", "jump(False)", show=False),
        Binding("ctrl+end", "jump(True)", show=False),
        Binding("enter", "take", show=False),
        Binding("escape", "cancel", show=False),
    ]

    def __init__(
        self,
        heading: str,
        columns: Sequence[Column],
        rows: Sequence[Row[T]] | Callable[[], Sequence[Row[T]]],
        preview: Callable[[T], None] | None = None,
        classes: str = "",
    ) -> None:
        super().__init__(classes=classes)
        self._heading = heading
        self._source = rows
        self._preview = preview
        self._previewed: Row[T] | None = None
        self._original: Row[T] | None = None
        self._list: ChoiceList[T] = ChoiceList(columns)
        self._search = FieldLine("/ ", "type to search")
        self._note = Note()
        self._frame = DialogFrame()

    def compose(self) -> ComposeResult:
        self._frame.border_title = self._heading
        with self._frame:
            yield self._search
            yield self._list
            yield self._note
            yield FootLine(self.FOOT)

    def on_mount(self) -> None:
        if callable(self._source):
            self._list.say_nothing("looking …")
            self.run_worker(self._look(self._source))
        else:
            self._fill(self._source)

    async def _look(self, find_rows: Callable[[], Sequence[Row[T]]]) -> None:
        try:
            self._fill(await asyncio.to_thread(find_rows))
        except Exception as error:  # whatever it is, the talk behind the dialog goes on
            self._list.display = False
            self._note.add_error(as_error(error))
            self._frame.fit()

    def _fill(self, rows: Sequence[Row[T]]) -> None:
        start = next((at for at, row in enumerate(rows) if row.is_current), None)
        self._original = None if start is None else rows[start]
        self._previewed = rows[start or 0] if rows else None
        self._list.say_nothing("nothing fits" if rows else "there are none")
        self._list.fill(rows, start or 0)
        self._frame.fit()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._list.search(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.action_take()

    def on_choice_list_chosen(self, message: ChoiceList.Chosen) -> None:
        self.action_take()

    def on_choice_list_moved(self, message: ChoiceList.Moved) -> None:
        count, found = self._list.count, self._list.found_count
        self._frame.border_subtitle = f"{found} of {count}" if count else ""
        row = self._list.row
        if self._preview is not None and row is not None and row is not self._previewed:
            self._previewed = row
            self._preview(row.value)

    def action_move(self, rows: int) -> None:
        self._list.move(rows)

    def action_page(self, direction: int) -> None:
        self._list.page(direction)

    def action_jump(self, to_end: bool) -> None:
        self._list.jump(to_end)

    def action_take(self) -> None:
        if self._list.row is None:
            self.app.bell()
        else:
            self.dismiss(self._list.row.value)

    def action_cancel(self) -> None:
        if self._preview is not None and self._original is not None:
            self._preview(self._original.value)
        self.dismiss(None)


def device_picker(
    list_devices: Callable[[], Sequence[DeviceChoice]], current: Mapping[DeviceKind, str | int]
) -> Picker[DeviceChoice]:
    """`list_devices` blocks. `current` holds what was last chosen of each kind, or the name that is open."""
    columns = (Column(), Column(is_flexible=True))
    return Picker("devices", columns, lambda: _device_rows(list_devices(), current))


def _device_rows(
    devices: Sequence[DeviceChoice], current: Mapping[DeviceKind, str | int]
) -> list[Row[DeviceChoice]]:
    """The microphones and then the loudspeakers, the system's default first."""
    rows: list[Row[DeviceChoice]] = []
    for kind in get_args(DeviceKind):
        of_kind = [device for device in devices if device.kind == kind and device.wanted != DEFAULT_DEVICE]
        named = next((device.name for device in of_kind if device.is_default), "")
        default = DeviceChoice(kind, DEFAULT_DEVICE, f"default, now {named}" if named else "default", True)
        wanted = current.get(kind)
        rows += [
            Row.of(
                device,
                KIND_WORDS[kind],
                device.name,
                is_current=wanted in (device.wanted, device.name),
            )
            for device in [default, *of_kind]
        ]
    return rows


def theme_picker(names: Sequence[str], current: str, preview: Callable[[str], None]) -> Picker[str]:
    """`preview` puts a theme on at once; it is called with `current` when nothing is taken."""
    rows = [Row.of(name, name, is_current=name == current) for name in names]
    return Picker("theme", (Column(is_flexible=True),), rows, preview, classes="-small -clear")
