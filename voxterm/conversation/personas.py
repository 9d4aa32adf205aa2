"""Who answers, chosen while one talks: what is told from the next question on, the voice, the speed.

An answer that is under way, even one that was begun in a pause, stays as it was begun.
"""

from __future__ import annotations

from collections.abc import Callable

from voxterm.conversation.cast import Cast
from voxterm.conversation.choices import Choices
from voxterm.conversation.floor import Floor
from voxterm.events import Event, PersonaChanged, Trouble
from voxterm.personality import near_personas


class Personas:
    """Lives on the event loop beside the floor."""

    def __init__(self, cast: Cast, floor: Floor, choices: Choices, tell: Callable[[Event], None]) -> None:
        self._all = {cast.personality.name: cast.personality, **cast.personalities}
        self._floor = floor
        self._choices = choices
        self._tell = tell

    def choose(self, name: str) -> None:
        """Have this one answer, with what it brings; "" for the system prompt alone."""
        chosen = self._all.get(name)
        if chosen is None:
            self._tell(Trouble(f'there is no persona "{name}"', near_personas(name, self._all), "config"))
            return
        before, self._floor.personality = self._floor.personality, chosen
        if chosen is not before:
            self._tell(PersonaChanged(name))
        if chosen.trouble:
            self._tell(Trouble.of(chosen.trouble))
        if chosen.voice:
            self._choices.voice(chosen.voice)
        if chosen.speed is not None:
            self._choices.speed(chosen.speed)
