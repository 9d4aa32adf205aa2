"""Who says what when: scenes, each a conversation of its own in a place with its own noise and echo.

A script is drawn from a seed. What a person says waits for the other side: a `Say` for the floor to be free,
an `Into` for a moment of the reply.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.random import Generator

from voxterm.bench.conversation import noises
from voxterm.bench.conversation.lines import Line, spoken_line
from voxterm.engines.protocols import SpeechSynthesizer

ECHO_DELAYS_MS = (80.0, 200.0)
ECHO_COUPLING_DB = -6.0
NOISE_DB = (20.0, 10.0)

SENTENCES = (
    "I would like to talk about my brother,| who lives in another town now.",
    "Yesterday I went to the market, and| I bought some apples for my mother.",
    "I was thinking that| we could go to the sea next summer.",
    "I am tired because| I could not sleep last night.",
    "My father always said,| that you should finish what you began.",
    "Do you remember the old house,| where we played when we were children?",
    "Can you help me with| a letter to my landlord?",
    "I need some advice on| how to learn a new language.",
    "When I was young,| I wanted to become a pilot.",
    "If it rains tomorrow,| I will stay at home and read.",
    "I never understood why| people are so afraid of the dark.",
    "It seems to me that,| in the end, we all want the same.",
)
"""What the made voices say; there is a pause at the bar, where a sentence is not over."""

SHORT_SENTENCES = (
    "Why do you think so?",
    "Wait, I have another question.",
    "No, that is not what I meant.",
    "Please stop for a moment.",
    "Tell me something about yourself.",
    "What should I do now?",
)

SPEAKERS = ("en-us", "en-us+f3", "en-gb", "en-us+m3", "en-gb+f4", "en-us+m7")
SOME_SENTENCES, MANY_SENTENCES = 3, 8
"""Of a scripted reply: about nine seconds, and 26, which still fit into a loudspeaker of `recording`."""

PAUSES_S = (0.15, 0.7)
"""How long those pauses are, drawn evenly by ratio."""


@dataclass(frozen=True, slots=True)
class Say:
    """When nobody speaks."""

    line: Line
    after_s: float  # of silence


@dataclass(frozen=True, slots=True)
class Into:
    """Into a reply, so long after its first sample. Left out where it was shorter."""

    line: Line
    after_s: float


Act: TypeAlias = Say | Into


@dataclass(frozen=True, slots=True)
class Scene:
    """A conversation in one place."""

    name: str
    acts: tuple[Act, ...]
    noise: str = ""  # "white" or "babble"; "": a quiet room
    noise_db: float = 0.0  # how far below the person
    echo_ms: float | None = None  # how long the loudspeaker's sound takes; None: it is not heard
    reply_sentences: int = (
        0  # scripted, in place of the model's own, so that there is something to speak into
    )
    speaking_s: float = 0.0  # begin the acts again until so much was spoken by voxterm


@dataclass(frozen=True, slots=True)
class People:
    """All that can be said."""

    lines: tuple[Line, ...]
    short: tuple[Line, ...]

    @classmethod
    def of(cls, recorded: Sequence[Line], synthesizer: SpeechSynthesizer | None, random: Generator) -> People:
        """Recorded people, and made ones where there is a synthesizer for them."""
        made, made_short = [], []
        if synthesizer:
            for index, text in enumerate(SENTENCES):
                pause_s = float(np.exp(random.uniform(*np.log(PAUSES_S))))
                made.append(spoken_line(synthesizer, SPEAKERS[index % len(SPEAKERS)], text, pause_s))
            for index, text in enumerate(SHORT_SENTENCES):
                made_short.append(spoken_line(synthesizer, SPEAKERS[index % len(SPEAKERS)], text, 0.0))
        short = [line for line in recorded if len(line.voice) < 16_000 * 3]
        return cls((*recorded, *made), (*short, *made_short) or tuple(recorded))

    def in_turn(self, random: Generator, count: int, *, short: bool = False) -> Iterator[Line]:
        """So many lines, each once before any comes again."""
        lines = self.short if short else self.lines
        order: list[int] = []
        for _ in range(count):
            order = order or list(random.permutation(len(lines)))
            yield lines[order.pop()]


def scenes(
    parts: Sequence[str], people: People, random: Generator, *, turns: int, echo_minutes: float
) -> list[Scene]:
    """The scenes of these parts. Each part with words has about so many turns."""
    found: list[Scene] = []
    if "turns" in parts:
        found.append(Scene("clean", _turns(people, random, turns)))
    if "noise" in parts:
        for kind in ("white", "babble"):
            for level_db in NOISE_DB:
                acts = _turns(people, random, -(-turns // 4))
                found.append(Scene(f"{kind} {level_db:.0f} dB", acts, noise=kind, noise_db=level_db))
    if "barge-in" in parts:
        found += _with_noise(
            Scene("barge-in", _barge_ins(people, random, turns), reply_sentences=SOME_SENTENCES)
        )
    if "coughs" in parts:
        found.append(Scene("coughs", _coughs(people, random, turns), reply_sentences=SOME_SENTENCES))
    if "echo" in parts:
        found += _echoes(people, random, turns, echo_minutes)
    return found


def _with_noise(scene: Scene) -> Iterator[Scene]:
    """The same in a quiet room, and, with a third of its acts each, in noise."""
    pairs = len(scene.acts) // 2
    clean = 2 * -(-pairs // 3)
    rest = scene.acts[clean:]
    half = len(rest) // 4 * 2
    yield replace(scene, acts=scene.acts[:clean])
    for level_db, acts in zip(NOISE_DB, (rest[:half], rest[half:]), strict=True):
        if acts:
            yield replace(
                scene,
                name=f"{scene.name}, white {level_db:.0f} dB",
                acts=acts,
                noise="white",
                noise_db=level_db,
            )


def _echoes(people: People, random: Generator, turns: int, minutes: float) -> Iterator[Scene]:
    for delay_ms in ECHO_DELAYS_MS:
        name = f"echo {delay_ms:.0f} ms"
        count = -(-turns // (2 * len(ECHO_DELAYS_MS)))
        acts = (*_turns(people, random, count), *_barge_ins(people, random, count))
        yield Scene(name, acts, echo_ms=delay_ms, reply_sentences=SOME_SENTENCES)
        if minutes:
            alone = _turns(people, random, 16, short=True)
            speaking_s = minutes * 60 / len(ECHO_DELAYS_MS)
            yield Scene(
                f"{name}, voxterm alone",
                alone,
                echo_ms=delay_ms,
                reply_sentences=MANY_SENTENCES,
                speaking_s=speaking_s,
            )


def _turns(people: People, random: Generator, count: int, *, short: bool = False) -> tuple[Act, ...]:
    return tuple(Say(line, _patience_s(random)) for line in people.in_turn(random, count, short=short))


def _barge_ins(people: People, random: Generator, count: int) -> tuple[Act, ...]:
    acts: list[Act] = []
    for opening, line in zip(
        people.in_turn(random, count, short=True), people.in_turn(random, count), strict=True
    ):
        acts += [Say(opening, _patience_s(random)), Into(line, float(random.uniform(0.2, 4.0)))]
    return tuple(acts)


def _coughs(people: People, random: Generator, count: int) -> tuple[Act, ...]:
    kinds = (noises.cough, noises.mm_hm, noises.door)
    acts: list[Act] = []
    for number, opening in enumerate(people.in_turn(random, count, short=True)):
        noise = kinds[number % len(kinds)](random)
        acts += [Say(opening, _patience_s(random)), Into(noise, float(random.uniform(0.2, 4.0)))]
    return tuple(acts)


def _patience_s(random: Generator) -> float:
    return float(random.uniform(0.8, 1.4))
