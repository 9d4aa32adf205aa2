"""The sound at the start, by which the room is measured, and what is told of the echo."""

from __future__ import annotations

import numpy as np
from fakes import VOICE, LevelVad, Listener, ToneVoice, said
from scene import Sink

from voxterm.audio.front_end import FrontEnd, FrontEndSettings
from voxterm.audio.recording import RecordedLoudspeaker, RecordedMicrophone
from voxterm.clock import SkippingClock
from voxterm.config import Settings
from voxterm.conversation import Cast, Conversation, Devices
from voxterm.events import EchoChosen, Event, Levels, TurnFinished
from voxterm.headless import talk_through


async def talked(front_end: FrontEnd | None) -> tuple[list[Event], Sink]:
    clock, heard = SkippingClock(), Sink()
    microphone = RecordedMicrophone([said(2.0, 1.0)], clock, tail_s=1.5)
    loudspeaker = RecordedLoudspeaker(clock, 24_000, heard)
    cast = Cast("fake", "a test", LevelVad(), Listener(), ToneVoice(), VOICE)
    conversation = Conversation(cast, Devices(microphone, loudspeaker, clock, front_end), Settings())
    events: list[Event] = []
    conversation.subscribe(events.append)
    if front_end:
        front_end.load()
    await talk_through(conversation, microphone)
    return events, heard


async def test_it_sounds_once_and_what_was_chosen_is_told_once() -> None:
    front_end = FrontEnd(FrontEndSettings(echo="half_duplex"))
    events, heard = await talked(front_end)
    assert [event.mode for event in events if isinstance(event, EchoChosen)] == ["half_duplex"]
    before_the_reply = heard.samples[: 2 * 24_000]
    chime = front_end.chime(24_000)
    assert 0 < np.count_nonzero(before_the_reply) <= len(chime)
    (turn,) = [event for event in events if isinstance(event, TurnFinished)]
    assert turn.heard_reply == turn.reply, "the sound before is none of the reply's"


async def test_recordings_have_no_room() -> None:
    events, heard = await talked(None)
    assert not [event for event in events if isinstance(event, EchoChosen)]
    assert not np.any(heard.samples[: 2 * 24_000])
    assert all(event.echo_reduced_db is None for event in events if isinstance(event, Levels))
