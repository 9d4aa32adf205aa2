"""Choose who answers: a persona, or none."""

from __future__ import annotations

from collections.abc import Sequence

from voxterm.tui.controls import PersonaChoice
from voxterm.tui.dialogs.choice_list import Column, Row
from voxterm.tui.dialogs.picker import Picker

NOBODY = "none"
"""What stands for the system prompt alone."""


def persona_picker(personas: Sequence[PersonaChoice], current: str) -> Picker[PersonaChoice]:
    """`current` is the name of the one that answers, "" for no persona."""
    rows = [
        Row.of(
            persona,
            persona.name or NOBODY,
            persona.voice,
            persona.description,
            is_current=persona.name == current,
        )
        for persona in personas
    ]
    return Picker("persona", (Column(is_flexible=True), Column(), Column(is_flexible=True)), rows)
