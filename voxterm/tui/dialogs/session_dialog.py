"""The sessions that were kept: go on with one, begin a new one, name, export and delete them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input

from voxterm.errors import SessionError, as_error
from voxterm.tui.controls import ExportFormat, SessionChoice, Sessions
from voxterm.tui.dialogs.choice_list import ChoiceList, Column, Row
from voxterm.tui.dialogs.parts import DialogFrame, DialogKey, FieldLine, FootLine, Note
from voxterm.tui.dialogs.picker import Picker
from voxterm.tui.dialogs.question import Question
from voxterm.tui.panes.figures import hours

T = TypeVar("T")

_COLUMNS = (
    Column(),
    Column(is_flexible=True),
    Column(is_number=True, is_spare=True),
    Column(is_number=True, is_spare=True),
)

_FORMATS: tuple[tuple[ExportFormat, str], ...] = (
    ("md", "text, to read"),
    ("json", "everything, for programs"),
    ("srt", "subtitles, with times"),
    ("wav", "sound, where it was kept"),
    ("svg", "where the time of the last turn went"),
)

_LIST_KEYS: tuple[DialogKey, ...] = (
    ("enter", "open", "take"),
    ("n", "new", "new"),
    ("r", "rename", "rename"),
    ("e", "export", "export"),
    ("d", "delete", "delete"),
    ("/", "search", "search"),
    ("esc", "close", "back"),
)
_FOUND_KEYS: tuple[DialogKey, ...] = (*_LIST_KEYS[:-1], ("esc", "show all", "back"))
_SEARCH_KEYS: tuple[DialogKey, ...] = (
    ("enter", "to the list", "take"),
    ("↑↓", "move", "move(1)"),
    ("esc", "show all", "back"),
)
_RENAME_KEYS: tuple[DialogKey, ...] = (("enter", "rename", "take"), ("esc", "leave as it is", "back"))

_COMMANDS = frozenset({"new", "rename", "export", "delete"})


@dataclass(frozen=True, slots=True)
class OpenSession:
    """What `Sessions.open` is to be called with; None: a new session."""

    session_id: str | None


class SessionDialog(ModalScreen["OpenSession | None"]):
    """Its result is the session to open, or None.

    Letters are commands and `/` begins to search, as in a pager; Enter goes back to the list of what was
    found, and Esc shows all of it again. The calls of `sessions` that block are made on a thread, one at a
    time: while one is under way the list can be looked at and searched, and Esc closes once it has ended.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "jump(False)", show=False),
        Binding("end,G", "jump(True)", show=False),
        Binding("enter", "take", show=False),
        Binding("n", "new", show=False),
        Binding("r", "rename", show=False),
        Binding("e", "export", show=False),
        Binding("d,delete", "delete", show=False),
        Binding("slash", "search", show=False),
        Binding("escape", "back", show=False),
    ]

    def __init__(self, sessions: Sessions) -> None:
        super().__init__()
        self._sessions = sessions
        self._doing = ""  # the call that is under way, in words
        self._leaves = False  # as soon as that call has ended
        self._renamed: SessionChoice | None = None  # whose title is being typed
        self._prefilled = ""  # that title as it was
        self._rows: Sequence[Row[SessionChoice]] = ()
        self._list: ChoiceList[SessionChoice] = ChoiceList(_COLUMNS, click_chooses=False)
        self._search = FieldLine("/ ", "search")
        self._title_line = FieldLine("title › ", "none: its first words stand for it")
        self._note = Note()
        self._foot = FootLine(_LIST_KEYS)
        self._frame = DialogFrame()

    def compose(self) -> ComposeResult:
        self._frame.border_title = "sessions"
        self._title_line.display = False
        with self._frame:
            yield self._search
            yield self._title_line
            yield self._list
            yield self._note
            yield self._foot

    def on_mount(self) -> None:
        self._list.say_nothing("looking …")
        self._begin("looking", lambda: "")

    # ---- the list

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input is self._search.field:
            self._list.search(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.action_take()

    def on_choice_list_chosen(self, message: ChoiceList.Chosen) -> None:
        self._open()

    def on_choice_list_moved(self, message: ChoiceList.Moved) -> None:
        self._tell()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._tell()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self._tell()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No command while a title is typed, and none that may need a call while another is under way."""
        if self._renamed is not None:
            return action in ("take", "back")
        return not (self._doing and action in _COMMANDS)

    def action_move(self, rows: int) -> None:
        self._list.move(rows)

    def action_page(self, direction: int) -> None:
        self._list.page(direction)

    def action_jump(self, to_end: bool) -> None:
        self._list.jump(to_end)

    def action_search(self) -> None:
        self._search.field.focus()

    def action_back(self) -> None:
        """One step: from typing a title, from searching, out."""
        if self._renamed is not None:
            self._stop_renaming()
        elif self._search.field.has_focus or self._search.field.value:
            self._search.field.value = ""
            self.set_focus(None)
        else:
            self._leaves = True
            self._tell()
            if not self._doing:
                self.dismiss(None)

    # ---- the commands

    def action_take(self) -> None:
        if self._renamed is not None:
            self._rename(self._renamed)
        elif self._search.field.has_focus:
            self.set_focus(None)
        else:
            self._open()

    def action_new(self) -> None:
        self.dismiss(OpenSession(None))

    def action_rename(self) -> None:
        if (session := self._under_cursor()) is not None:
            self._renamed = session
            self._search.display, self._title_line.display = False, True
            self._list.disabled = True
            self._title_line.field.value = session.title
            self._prefilled = self._title_line.field.value
            self._title_line.field.focus()

    def action_export(self) -> None:
        if (session := self._under_cursor()) is not None:
            rows = [Row.of(form, form, what) for form, what in _FORMATS]
            picker = Picker("export as", (Column(), Column(is_flexible=True)), rows)
            self.app.push_screen(picker, partial(self._export, session))

    def action_delete(self) -> None:
        session = self._under_cursor()
        if session is None:
            return
        if session.is_current:
            what = "the session that is under way cannot be deleted"
            self._note.clear()
            self._note.add_error(SessionError(what, "begin a new one with n, and delete it then"))
            self._frame.fit()
            return
        question = f"Delete {_started(session)}, {_turns(session)}? It cannot be undone."
        self.app.push_screen(Question(question), partial(self._delete, session))

    def _open(self) -> None:
        if self._doing:
            self.app.bell()
        elif (session := self._under_cursor()) is not None:
            self.dismiss(None if session.is_current else OpenSession(session.id))

    def _rename(self, session: SessionChoice) -> None:
        title = self._title_line.field.value
        if self._doing:
            self.app.bell()
            return
        self._stop_renaming()

        def rename() -> str:
            self._sessions.rename(session.id, title.strip())
            return ""

        if title != self._prefilled:
            self._begin("renaming", rename)

    def _export(self, session: SessionChoice, form: ExportFormat | None) -> None:
        if form is not None:
            self._begin("exporting", lambda: f"written to {self._sessions.export(session.id, form)}")

    def _delete(self, session: SessionChoice, is_sure: bool | None) -> None:
        def delete() -> str:
            self._sessions.delete(session.id)
            return f"deleted {_started(session)}"

        if is_sure:
            self._begin("deleting", delete)

    def _stop_renaming(self) -> None:
        self._renamed = None
        self._search.display, self._title_line.display = True, False
        self._list.disabled = False
        self.set_focus(None)

    def _under_cursor(self) -> SessionChoice | None:
        row = self._list.row
        if row is None:
            self.app.bell()
        return None if row is None else row.value

    # ---- the calls

    def _begin(self, doing: str, verb: Callable[[], str]) -> None:
        """Call a verb on a thread, show what it says it has done, and read the list anew."""
        self._doing = doing
        self._note.clear()
        self._tell()
        self.run_worker(self._call(verb))

    async def _call(self, verb: Callable[[], str]) -> None:
        if done := await self._attempt(verb):
            self._note.add_done(done)
        rows = await self._attempt(self._read)
        self._doing = ""
        if rows is not None:
            self._fill(rows)
        elif not self._rows:
            self._list.say_nothing("")
        self._tell()
        if self._leaves:
            self.dismiss(None)

    async def _attempt(self, call: Callable[[], T]) -> T | None:
        try:
            return await asyncio.to_thread(call)
        except Exception as error:  # whatever it is, the talk behind the dialog goes on
            self._note.add_error(as_error(error))
            return None

    def _read(self) -> list[Row[SessionChoice]]:
        return [_row(session) for session in self._sessions.list()]

    def _fill(self, rows: Sequence[Row[SessionChoice]]) -> None:
        """The cursor stays on its session, or goes to the next one; at first it is on the current one."""
        row = self._list.row
        before = 0 if row is None else self._rows.index(row)
        at = next((i for i, new in enumerate(rows) if _is_start(new.value, row)), min(before, len(rows) - 1))
        self._rows = rows
        self._list.say_nothing("nothing fits" if rows else "no session has been kept yet")
        self._list.fill(rows, max(0, at))

    def _tell(self) -> None:
        """Bring the count and the keys up to date."""
        count = f"{self._list.found_count} of {self._list.count}" if self._list.count else ""
        doing = f"{self._doing} …{' then it closes' if self._leaves else ''}" if self._doing else ""
        self._frame.border_subtitle = " · ".join(filter(None, (doing, count)))
        self._foot.keys = self._keys()
        self._frame.fit()

    def _keys(self) -> tuple[DialogKey, ...]:
        if self._renamed is not None:
            return _RENAME_KEYS
        if self._search.field.has_focus:
            return _SEARCH_KEYS
        return _FOUND_KEYS if self._search.field.value else _LIST_KEYS


def _row(session: SessionChoice) -> Row[SessionChoice]:
    named = session.title or session.first_words
    return Row.of(
        session,
        _started(session),
        named,
        _turns(session),
        _length(session),
        is_current=session.is_current,
    )


def _started(session: SessionChoice) -> str:
    return f"{session.started_at:%Y-%m-%d %H:%M}"


def _turns(session: SessionChoice) -> str:
    return f"{session.turns} turn{'' if session.turns == 1 else 's'}"


def _length(session: SessionChoice) -> str:
    """`12:41`, or `1:12:41`."""
    return hours(round(max(0.0, session.duration_s))).removeprefix("00:").removeprefix("0")


def _is_start(session: SessionChoice, before: Row[SessionChoice] | None) -> bool:
    return session.is_current if before is None else session.id == before.value.id
