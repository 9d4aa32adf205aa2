"""What the dialogs are made of: a frame as high as its rows, a line to search in, a note, and the keys."""

from __future__ import annotations

from typing import TypeAlias

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from voxterm.errors import VoxtermError
from voxterm.tui.panes.safe_input import SafeInput
from voxterm.tui.terminal.safe_text import safe_line

MAX_TYPED_CHARS = 200
MAX_NOTE_CHARS = 300
MAX_NOTE_ROWS = 5

DialogKey: TypeAlias = "tuple[str, str, str]"  # key, what it does, the screen's action


class DialogFrame(Vertical):
    """As high as what it holds, up to its `max-height`; then the widget of height `1fr` in it gives way."""

    def on_resize(self, event: events.Resize) -> None:
        self.fit()

    def fit(self) -> None:
        """To be called when the height of a child has changed."""
        width = self.content_size.width
        rows = sum(
            child.get_content_height(self.size, self.screen.size, width) + child.styles.margin.height
            for child in self.children
            if child.display
        )
        self.styles.height = rows + self.gutter.height


class TypedField(SafeInput):
    """The input of a dialog."""

    def __init__(self, placeholder: str = "") -> None:
        super().__init__(MAX_TYPED_CHARS, placeholder=placeholder)


class FieldLine(Horizontal):
    """An input behind its sign."""

    def __init__(self, sign: str, placeholder: str = "") -> None:
        super().__init__()
        self._sign = sign
        self.field = TypedField(placeholder)

    def compose(self) -> ComposeResult:
        yield Static(self._sign, markup=False)
        yield self.field

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return 1


class Note(Static):
    """What came of a request: words of success, errors and their remedies. Without any it takes no room."""

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._lines: list[Content] = []
        self.display = False

    def add_error(self, error: VoxtermError) -> None:
        what, remedy = (safe_line(text[:MAX_NOTE_CHARS]) for text in (error.what, error.remedy))
        self._add(Content.assemble((f"▲ {what}", "$text-error"), f"\n→ {remedy}" if remedy else ""))

    def add_done(self, text: str) -> None:
        self._add(Content.assemble(("✓ ", "$text-success"), safe_line(text[:MAX_NOTE_CHARS])))

    def clear(self) -> None:
        self._lines = []
        self.display = False

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return min(MAX_NOTE_ROWS, super().get_content_height(container, viewport, width))

    def _add(self, line: Content) -> None:
        if line not in self._lines:  # two calls may fail of one cause
            self._lines.append(line)
        self.update(Content("\n").join(self._lines))
        self.display = True


class FootLine(Widget):
    """What the keys do now, in as many lines as that takes. A click on a key does what the key does."""

    keys: reactive[tuple[DialogKey, ...]] = reactive((), layout=True)

    def __init__(self, keys: tuple[DialogKey, ...]) -> None:
        super().__init__()
        self.set_reactive(FootLine.keys, keys)

    def render(self) -> Content:
        return Content("\n").join(
            Content("  ").join(
                Content.assemble((key, "bold $text-primary"), f" {does}") for key, does, _ in line
            )
            for line in self._lines(self.size.width)
        )

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    async def on_click(self, event: events.Click) -> None:
        lines = self._lines(self.size.width)
        at = 0
        for key, does, action in lines[event.y] if event.y < len(lines) else ():
            end = at + len(key) + 1 + len(does)
            if at <= event.x < end:
                await self.run_action(f"screen.{action}")
                return
            at = end + 2

    def _lines(self, width: int) -> list[list[DialogKey]]:
        lines: list[list[DialogKey]] = [[]]
        used = 0
        for key in self.keys:
            cells = len(key[0]) + 1 + len(key[1])
            if lines[-1] and used + 2 + cells > width:
                lines.append([])
                used = 0
            used += cells + (2 if lines[-1] else 0)
            lines[-1].append(key)
        return lines
