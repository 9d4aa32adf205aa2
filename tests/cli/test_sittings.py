"""Sessions seen from the screen: looked at, written out, and changed in the middle of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fakes import VOICE, LevelVad, Listener, ToneVoice, said, silence

from voxterm.audio.recording import RecordedLoudspeaker, RecordedMicrophone
from voxterm.cli.sittings import Sittings
from voxterm.cli.wiring import Kept, kept_session
from voxterm.clock import SkippingClock
from voxterm.config import SessionSettings, Settings
from voxterm.conversation import Cast, Conversation, Devices
from voxterm.engines.protocols import Message
from voxterm.errors import OutputError, SessionError
from voxterm.events import Event, PersonaChanged, ReplyHeard, Trouble, TurnFinished
from voxterm.headless import talk_through
from voxterm.personality import Personality
from voxterm.store import Store, TurnRecord, utc_now
from voxterm.tui.controls import Controls, ExportFormat, Sessions

CAST = Cast("fake", "a test", LevelVad(), Listener(), ToneVoice(), VOICE)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(sessions=SessionSettings(folder=str(tmp_path / "state")))


def stored_session(settings: Settings, *transcripts: str, title: str = "", persona: str = "") -> str:
    """A session of earlier days."""
    store = Store(Path(settings.sessions.folder))
    session = store.new_session("fake", {}, "fake", title, persona)
    for transcript in transcripts:
        session.add_turn(
            TurnRecord(started_at=utc_now(), transcript=transcript, reply="So it is.", heard_reply="So it")
        )
    session.close()
    store.close()
    return session.id


def turns_of(settings: Settings, session_id: str) -> list[str]:
    store = Store(Path(settings.sessions.folder))
    try:
        return [turn.transcript for turn in store.turns(session_id)]
    finally:
        store.close()


def all_ids(settings: Settings) -> set[str]:
    store = Store(Path(settings.sessions.folder))
    try:
        return {summary.id for summary in store.sessions()}
    finally:
        store.close()


@pytest.fixture
def sittings(settings: Settings, tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "out").mkdir()
    sittings = Sittings(kept_session(settings, CAST, None), settings, CAST, tmp_path / "out")
    yield sittings
    sittings.close()


def test_sessions_are_listed_with_the_current_one(settings: Settings, sittings: Sittings) -> None:
    sessions: Sessions = sittings
    stored_session(settings)  # nothing was said in it
    old = stored_session(settings, "How high is it?", title="Mountains")
    choices = {choice.id: choice for choice in sessions.list()}
    assert sittings.current_id is not None
    assert set(choices) == {old, sittings.current_id}
    assert choices[sittings.current_id].is_current
    mountains = choices[old]
    assert (mountains.title, mountains.first_words, mountains.turns) == ("Mountains", "How high is it?", 1)
    assert not mountains.is_current
    assert mountains.started_at.utcoffset() is not None


def test_a_session_is_renamed_and_deleted(settings: Settings, sittings: Sittings) -> None:
    old = stored_session(settings, "hello")
    sittings.rename(old, "A talk")
    assert next(choice.title for choice in sittings.list() if choice.id == old) == "A talk"
    sittings.delete(old)
    assert old not in all_ids(settings)
    with pytest.raises(SessionError, match="there is no session"):
        sittings.rename(old, "Again")


def test_the_session_under_way_and_one_open_elsewhere_are_not_deleted(
    settings: Settings, sittings: Sittings
) -> None:
    assert sittings.current_id
    with pytest.raises(SessionError, match="is the one under way") as refused:
        sittings.delete(sittings.current_id)
    assert refused.value.remedy
    elsewhere = Store(Path(settings.sessions.folder))
    session = elsewhere.new_session("fake", {}, "fake")
    with pytest.raises(SessionError, match="is open in another voxterm") as refused:
        sittings.delete(session.id)
    assert refused.value.remedy
    session.close()
    elsewhere.close()


@pytest.mark.parametrize("form", ["md", "json", "srt"])
def test_an_export_never_writes_over_another_file(
    settings: Settings, sittings: Sittings, tmp_path: Path, form: ExportFormat
) -> None:
    old = stored_session(settings, "How high is it?")
    paths = [sittings.export(old, form) for _ in range(3)]
    assert [path.name for path in paths] == [
        f"voxterm-{old}.{form}",
        f"voxterm-{old}-2.{form}",
        f"voxterm-{old}-3.{form}",
    ]
    assert all(path.parent == tmp_path / "out" for path in paths)
    assert all("How high is it?" in path.read_text(encoding="utf-8") for path in paths)


def test_an_export_that_fails_leaves_no_file(settings: Settings, sittings: Sittings, tmp_path: Path) -> None:
    old = stored_session(settings, "hello")
    with pytest.raises(SessionError, match="has no recordings"):
        sittings.export(old, "wav")
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "out").rmdir()
    with pytest.raises(OutputError, match="there is no folder"):
        sittings.export(old, "md")


@dataclass
class Talk:
    """A conversation over recordings whose sessions are changed on the way."""

    settings: Settings
    listener: Listener = field(default_factory=lambda: Listener("one two three four"))
    events: list[Event] = field(default_factory=list)
    persona: str = ""
    conversation: Conversation = field(init=False)
    sittings: Sittings = field(init=False)
    first_id: str | None = field(init=False)

    async def play(
        self,
        moment: Callable[[Event], bool],
        then: Callable[[Talk], Awaitable[None]],
        resume: str | None = None,
    ) -> None:
        """Say two things; do something once at a moment."""
        personas = {name: Personality(f"You are {name}.", name) for name in ("", "tutor", "expert")}
        cast = Cast(
            "fake",
            "a test",
            LevelVad(),
            self.listener,
            ToneVoice(),
            VOICE,
            personas[self.persona] if self.persona else Personality(),
            personalities=personas,
        )
        clock = SkippingClock()
        clips = (said(0.3, 1.0), silence(1.5), said(0.3, 1.0))
        microphone = RecordedMicrophone(clips, clock, tail_s=1.5)
        devices = Devices(microphone, RecordedLoudspeaker(clock, 24_000), clock)
        kept = kept_session(self.settings, cast, resume)
        self.sittings = Sittings(kept, self.settings, cast)
        self.first_id = self.sittings.current_id
        self.conversation = Conversation(cast, devices, self.settings, kept.history(self.settings))
        controls: Controls = self.conversation
        controls.subscribe(self.events.append)
        tasks: list[asyncio.Task[None]] = []

        async def change() -> None:
            with clock.working():  # else minutes pass while the disk is busy
                await then(self)

        def watch(event: Event) -> None:
            if moment(event) and not tasks:
                tasks.append(asyncio.create_task(change()))

        controls.subscribe(watch)
        try:
            async with self.sittings.recording(self.conversation, clock):
                await asyncio.wait_for(talk_through(self.conversation, microphone), 60)
                await tasks[0]
        finally:
            self.sittings.close()


def is_done(event: Event) -> bool:
    return isinstance(event, TurnFinished)


def is_speaking(event: Event) -> bool:
    return isinstance(event, ReplyHeard) and event.heard_chars > 10


@pytest.mark.parametrize("moment", [is_done, is_speaking])
async def test_another_session_is_gone_on_with(settings: Settings, moment: Callable[[Event], bool]) -> None:
    """What was under way goes into the old one, what follows into the other."""
    old = stored_session(settings, "long ago", "and then")
    opened: list[tuple[int, str]] = []

    async def change(talk: Talk) -> None:
        turns = await talk.sittings.open(old)
        opened.extend((turn.number, turn.transcript) for turn in turns)
        assert talk.sittings.current_id == old

    talk = Talk(settings, Listener(" ".join(["word"] * 30), "fine"))
    await talk.play(moment, change)
    assert opened == [(1, "long ago"), (2, "and then")]
    assert talk.first_id
    assert len(turns_of(settings, talk.first_id)) == 1
    assert turns_of(settings, old)[:2] == ["long ago", "and then"]
    assert len(turns_of(settings, old)) == 3
    assert [event.turn for event in talk.events if isinstance(event, TurnFinished)] == [1, 3]
    assert talk.listener.histories[-1][:2] == (
        Message("user", "long ago"),
        Message("assistant", "So it"),
    )


def persona_of(settings: Settings, session_id: str | None) -> str:
    store = Store(Path(settings.sessions.folder))
    try:
        assert session_id
        return store.find(session_id).persona
    finally:
        store.close()


async def test_a_session_goes_on_with_its_own_persona(settings: Settings) -> None:
    old = stored_session(settings, "long ago", persona="expert")

    async def change(talk: Talk) -> None:
        await talk.sittings.open(old)

    talk = Talk(settings, persona="tutor")
    await talk.play(is_done, change)
    assert [event.name for event in talk.events if isinstance(event, PersonaChanged)] == ["expert"]
    assert talk.listener.histories[0] == (Message("system", "You are tutor."),)
    assert talk.listener.histories[-1][0] == Message("system", "You are expert.")
    assert (persona_of(settings, talk.first_id), persona_of(settings, old)) == ("tutor", "expert")


async def test_a_new_session_goes_on_with_who_answers_now(settings: Settings) -> None:
    ids: list[str | None] = []

    async def change(talk: Talk) -> None:
        talk.conversation.choose_persona("expert")
        await talk.sittings.open(None)
        ids.append(talk.sittings.current_id)

    talk = Talk(settings, persona="tutor")
    await talk.play(is_done, change)
    assert len([event for event in talk.events if isinstance(event, PersonaChanged)]) == 1
    assert (persona_of(settings, talk.first_id), persona_of(settings, ids[0])) == ("expert", "expert")
    assert talk.listener.histories[-1] == (Message("system", "You are expert."),)


async def test_a_persona_that_is_no_more_is_said_and_who_answers_stays(settings: Settings) -> None:
    old = stored_session(settings, "long ago", persona="ghost")

    async def change(talk: Talk) -> None:
        await talk.sittings.open(old)

    talk = Talk(settings, persona="tutor")
    await talk.play(is_done, change)
    (trouble,) = (event for event in talk.events if isinstance(event, Trouble))
    assert trouble.what == 'there is no persona "ghost"'
    assert talk.listener.histories[-1][0] == Message("system", "You are tutor.")
    assert len(turns_of(settings, old)) == 2


async def test_a_new_session_begins_at_one_and_the_empty_one_leaves_no_trace(settings: Settings) -> None:
    ids: list[str | None] = []

    async def change(talk: Talk) -> None:
        for _ in range(3):
            assert await talk.sittings.open(None) == []
            ids.append(talk.sittings.current_id)

    talk = Talk(settings)
    await talk.play(is_done, change)
    assert len({talk.first_id, *ids}) == 4
    assert all_ids(settings) == {talk.first_id, ids[-1]}
    assert talk.listener.histories[-1] == ()
    assert [event.turn for event in talk.events if isinstance(event, TurnFinished)] == [1, 1]


async def test_a_session_that_is_open_elsewhere_changes_nothing(settings: Settings) -> None:
    elsewhere = Store(Path(settings.sessions.folder))
    session = elsewhere.new_session("fake", {}, "fake")
    refused: list[SessionError] = []

    async def change(talk: Talk) -> None:
        for wanted in (session.id, "nowhere", talk.first_id):
            with pytest.raises(SessionError) as raised:
                await talk.sittings.open(wanted)
            refused.append(raised.value)

    talk = Talk(settings)
    await talk.play(is_done, change)
    assert all(error.remedy for error in refused)
    assert talk.first_id
    assert len(turns_of(settings, talk.first_id)) == 2
    session.close()
    elsewhere.close()


async def test_back_and_forth_keeps_every_turn_in_its_place(settings: Settings) -> None:
    old = stored_session(settings, "long ago")

    async def change(talk: Talk) -> None:
        await talk.sittings.open(old)
        turns = await talk.sittings.open(talk.first_id)
        assert [turn.number for turn in turns] == [1], "all that was on its way was stored"
        await asyncio.to_thread(talk.sittings.list)

    talk = Talk(settings)
    await talk.play(is_done, change)
    assert talk.first_id
    assert len(turns_of(settings, talk.first_id)) == 2
    assert turns_of(settings, old) == ["long ago"]


async def test_where_nothing_is_kept_old_sessions_can_still_be_gone_on_with(settings: Settings) -> None:
    old = stored_session(settings, "long ago")
    nothing = settings.model_copy(update={"sessions": settings.sessions.model_copy(update={"keep": False})})

    async def change(talk: Talk) -> None:
        assert talk.sittings.current_id is None
        await talk.sittings.open(None)
        assert talk.sittings.current_id is None
        assert [choice.id for choice in talk.sittings.list()] == [old]
        await talk.sittings.open(old)

    talk = Talk(nothing)
    await talk.play(is_done, change)
    assert all_ids(settings) == {old}
    assert len(turns_of(settings, old)) == 2, "the second turn was said in it"


async def test_without_a_conversation_nothing_is_opened(sittings: Sittings) -> None:
    with pytest.raises(SessionError, match="no conversation"):
        await sittings.open(None)


def test_what_was_kept_before_still_is(settings: Settings) -> None:
    """`talk` and `demo` use it without a screen."""
    kept: Kept = kept_session(settings, CAST, None)
    assert (kept.last_turn, kept.past) == (0, [])
    kept.close()
    assert not all_ids(settings)


def test_a_persona_named_for_a_session_that_is_resumed_stays_with_it(settings: Settings) -> None:
    old = stored_session(settings, "long ago", persona="tutor")
    expert = replace(CAST, personality=Personality(name="expert"))
    for persona_wins, persona in ((False, "tutor"), (True, "expert"), (False, "expert")):
        kept = kept_session(settings, expert, old, persona_wins=persona_wins)
        assert kept.persona == persona
        kept.close()
