"""Turns as a conversation would have tracked them, for the tests of their time lines."""

from __future__ import annotations

import math
from itertools import pairwise

from voxterm.audio.protocols import FRAME_S
from voxterm.conversation.track import Track
from voxterm.events import TurnTimeline
from voxterm.latency import Stamps
from voxterm.timeline.figure import TurnTexts

Spans = list[tuple[float, float]]

ORDINARY = TurnTexts(
    "Turn 3",
    "session 20261121-143000-ab12, 2026-11-21 14:30",
    "How high is the highest mountain of Mars?",
    "Olympus Mons is about twenty-two kilometres high, which is two and a half times as high as Everest.",
    "",
)


def tracked(until_s: float, said: Spans, replied: Spans) -> Track:
    """A track on which the person and voxterm speak in these seconds, over a quiet room."""
    track = Track(kept_s=180.0)
    for at in range(1, math.ceil((until_s + 1) / FRAME_S)):
        at_s = at * FRAME_S
        speaks = any(begin < at_s <= end for begin, end in said)
        replies = any(begin < at_s <= end for begin, end in replied)
        wave = 6 * math.sin(at * 1.3) + 5 * math.sin(at * 0.37)
        track.frame(
            at_s,
            -24 + wave if speaks else -52 + wave / 4,
            -22 + wave if replies else -100.0,
            0.97 + wave / 400 if speaks else 0.04 + abs(wave) / 60,
        )
    return track


def answered(last_speech_s: float, judged_ms: float = 210, first_ms: float = 110) -> Stamps:
    """The stamps of an answer that was begun 110 ms after the last sample of speech."""

    def after(ms: float) -> float:
        return last_speech_s + ms / 1000

    return Stamps(
        last_speech_s=last_speech_s,
        judged_over_s=after(judged_ms),
        asked_s=after(first_ms),
        audio_encoded_s=after(first_ms + 14),
        transcript_s=after(first_ms + 71),
        first_text_s=after(first_ms + 38),
        first_sentence_s=after(first_ms + 95),
        first_speech_s=after(first_ms + 141),
        first_samples_s=after(first_ms + 149),
        handed_s=after(max(judged_ms, first_ms + 149) + 2),
        left_s=after(max(judged_ms, first_ms + 149) + 31),
    )


def ordinary() -> TurnTimeline:
    track = tracked(8.0, [(1.1, 3.2)], [(3.49, 7.4)])
    for what, at_s in [("speech", 0.8), ("pause", 3.2), ("asked", 3.31), ("judged_over", 3.41)]:
        track.mark(3, what, at_s)
    return track.timeline(3, 0.8, 7.5, answered(3.2))


def hesitant() -> TurnTimeline:
    """Two answers were begun in pauses and withdrawn."""
    track = tracked(13.0, [(1.1, 2.4), (2.75, 4.6), (5.1, 7.3)], [(7.87, 12.0)])
    for last_s, goes_on_s in [(2.4, 2.85), (4.6, 5.2)]:
        track.mark(4, "pause", last_s)
        track.mark(4, "asked", last_s + 0.11)
        track.mark(4, "withdrawn", goes_on_s)
        track.mark(4, "resumed", goes_on_s)
    for what, at_s in [("pause", 7.3), ("asked", 7.41), ("judged_over", 7.85)]:
        track.mark(4, what, at_s)
    return track.timeline(4, 0.9, 12.1, answered(7.3, judged_ms=550))


def interrupted() -> TurnTimeline:
    """A cough, over which the reply goes on, and then words, which end it."""
    track = tracked(9.0, [(1.1, 3.0), (4.6, 4.75), (6.3, 7.5)], [(3.3, 4.66), (5.2, 6.38)])
    for what, at_s in [
        ("speech", 0.8),
        ("pause", 3.0),
        ("asked", 3.11),
        ("judged_over", 3.21),
        ("yielded", 4.66),
        ("went_on", 5.2),
        ("yielded", 6.36),
        ("interrupted", 6.94),
    ]:
        track.mark(5, what, at_s)
    return track.timeline(5, 0.8, 6.95, answered(3.0))


def long() -> TurnTimeline:
    said: Spans = [(1.0 + at * 9.0, 9.2 + at * 9.0) for at in range(9)]
    track = tracked(130.0, said, [(81.6, 125.0)])
    track.mark(6, "speech", 0.8)
    for (_, end), (begin, _) in pairwise(said):
        for what, at_s in [
            ("pause", end),
            ("asked", end + 0.11),
            ("withdrawn", begin + 0.1),
            ("resumed", begin + 0.1),
        ]:
            track.mark(6, what, at_s)
    track.mark(6, "pause", said[-1][1])
    return track.timeline(6, 0.8, 125.1, answered(said[-1][1]))


def typed() -> TurnTimeline:
    track = tracked(6.0, [], [(1.52, 5.0)])
    stamps = answered(1.2)
    stamps.last_speech_s = stamps.audio_encoded_s = stamps.transcript_s = None
    stamps.judged_over_s = stamps.asked_s = 1.3
    stamps.first_text_s = 1.36
    return track.timeline(7, 1.3, 5.1, stamps)
