"""Who answers, chosen while one talks: what is told from the next question on, the voice, the speed.

An answer that is under way, even one that was begun in a pause, stays as it was begun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from voxterm.conversation.cast import Cast
from voxterm.conversation.choices import Choices
from voxterm.conversation.floor import Floor
from voxterm.engines.protocols import LanguageModel, parts_of
from voxterm.events import Event, PersonaChanged, Remark, Trouble
from voxterm.personality import Personality, near_personas


@runtime_checkable
class Instructed(Protocol):
    """A `LanguageModel` that says whether it does as a system message tells; others do."""

    heeds_instructions: bool


class Personas:
    """Lives on the event loop beside the floor."""

    def __init__(self, cast: Cast, floor: Floor, choices: Choices, tell: Callable[[Event], None]) -> None:
        self._all = {cast.personality.name: cast.personality, **cast.personalities}
        self._floor = floor
        self._choices = choices
        self._tell = tell
        self._heedless = _heedless(cast)
        self._remarked: set[str] = set()  # the personas of which it was said that they are not heeded

    def begin(self) -> None:
        """The conversation begins, with the persona of the settings or of the session."""
        self._remark(self._floor.personality)

    def choose(self, name: str) -> None:
        """Have this one answer, with what it brings; "" for the system prompt alone."""
        chosen = self._all.get(name)
        if chosen is None:
            self._tell(Trouble(f'there is no persona "{name}"', near_personas(name, self._all), "config"))
            return
        before, self._floor.personality = self._floor.personality, chosen
        if chosen is not before:
            self._tell(PersonaChanged(name))
            self._remark(chosen)
        if chosen.trouble:
            self._tell(Trouble.of(chosen.trouble))
        if chosen.voice:
            self._choices.voice(chosen.voice)
        if chosen.speed is not None:
            self._choices.speed(chosen.speed)

    def _remark(self, chosen: Personality) -> None:
        """Once of each: that whatever answers cannot be as this persona is told to be."""
        plain = self._all.get("")
        says_nothing = plain is not None and chosen.prompt == plain.prompt
        if self._heedless and not says_nothing and chosen.name not in self._remarked:
            self._remarked.add(chosen.name)
            counts = f"of {chosen.name} only the voice and the speed count"
            self._tell(Remark(f"{self._heedless} heeds no instructions: {counts}"))


def _heedless(cast: Cast) -> str:
    """What answers, where it cannot do as a system message tells; "" where it can, or a part of it."""
    models = [part for part in parts_of(cast.understanding) if isinstance(part, LanguageModel)]
    heedless = [
        model.name for model in models if isinstance(model, Instructed) and not model.heeds_instructions
    ]
    return heedless[0] if models and len(heedless) == len(models) else ""
