"""The talk scrolls by itself, and stays where a person has scrolled back to."""

from __future__ import annotations

from scripted import LONG_REPLY, READY, scripted_app, settled, shown, spoken_turn
from textual.pilot import Pilot

from voxterm.events import Event, ReplyDelta, ReplyHeard, SpeechStarted
from voxterm.tui.app import VoxtermApp
from voxterm.tui.panes.conversation_pane import ConversationPane

TWENTY_TURNS: list[Event] = [
    *READY,
    *(
        event
        for number in range(1, 21)
        for event in spoken_turn(number, f"question {number}", f"reply {number}")
    ),
]


def pane_of(app: VoxtermApp) -> ConversationPane:
    return app.screen.query_one(ConversationPane)


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)


async def test_the_newest_is_in_view() -> None:
    app, controls = scripted_app(TWENTY_TURNS)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "reply 20" in shown(app)
        controls.emit(*spoken_turn(21, "and then?", "That was all."))
        await settled(pilot)
        assert "That was all." in shown(app)
        assert "reply 1\n" not in shown(app)


async def test_pages_scroll_and_end_follows_again() -> None:
    app, _ = scripted_app(TWENTY_TURNS)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        pane = pane_of(app)
        bottom, page = pane.scroll_y, pane.scrollable_content_region.height - 1
        await press(pilot, "pageup")
        assert pane.scroll_y == bottom - page
        assert f"{page} lines below" in str(pane.border_subtitle)
        await press(pilot, "pagedown")
        assert pane.scroll_y == bottom
        await press(pilot, "pageup", "pageup", "end")
        assert pane.scroll_y == bottom
        assert pane.border_subtitle == ""


async def test_who_has_scrolled_back_stays_there() -> None:
    app, controls = scripted_app(TWENTY_TURNS)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await press(pilot, "pageup", "pageup")
        before = pane_of(app).scroll_y
        controls.emit(*spoken_turn(21, "and then?", LONG_REPLY))
        await settled(pilot)
        assert pane_of(app).scroll_y == before
        assert "lines below" in shown(app)


async def test_who_has_scrolled_back_sees_the_same_turn_in_another_width() -> None:
    app, _ = scripted_app([*READY, *spoken_turn(1, "long", LONG_REPLY), *TWENTY_TURNS[len(READY) + 5 :]])
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await press(pilot, "pageup", "pageup")
        first = (
            next(line for line in shown(app).split("\n") if "question" in line)
            .split("question ")[1]
            .split()[0]
        )
        await pilot.resize_terminal(60, 24)
        await settled(pilot)
        assert f"question {first} " in shown(app)


async def test_the_word_that_sounds_stays_in_view_of_a_long_reply() -> None:
    """A model writes faster than it speaks: the end of the text is not what a person hears."""
    app, controls = scripted_app(TWENTY_TURNS)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        reply = LONG_REPLY * 3
        controls.emit(SpeechStarted(21, 0.0), ReplyDelta(21, reply))
        for at in range(0, 5900, 700):
            start = reply.index(" ", at) + 1
            end = reply.index(" ", start)
            controls.emit(ReplyHeard(21, start, end))
            await settled(pilot)
            assert "▌" in "\n".join(shown(app).split("\n")[2:-4])


async def test_the_scrollbar_is_where_the_text_is() -> None:
    """It appears only after the first scroll, and was then drawn at the top."""
    app, _ = scripted_app(TWENTY_TURNS)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert pane_of(app).vertical_scrollbar.position == pane_of(app).scroll_y > 0


async def test_what_is_selected_can_be_copied() -> None:
    app, _ = scripted_app(TWENTY_TURNS)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        pane_of(app).text_select_all()
        await pilot.pause()
        assert "reply 7" in str(app.screen.get_selected_text())
