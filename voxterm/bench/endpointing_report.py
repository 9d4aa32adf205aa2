"""What `voxterm bench endpointing` says of its pauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from voxterm.bench import report
from voxterm.bench.endpointing import Pause, as_json
from voxterm.bench.endpointing_fit import cross_validated, fitted, measured, worth_of_words
from voxterm.config import TurnSettings
from voxterm.endpointing import PARAMETERS, Parameters
from voxterm.errors import AudioFileError


def document(
    pauses: Sequence[Pause], turns: TurnSettings, fit: bool, argv: Sequence[str]
) -> dict[str, object]:
    """The figures of `report.document`, and under "pauses" every pause, which `read_pauses` reads again. With
    `fit` the figures are those of parameters fitted on these pauses, which stand under "parameters".

    Raises:
        AudioFileError: there is no speech in the recordings.
    """
    if not pauses:
        remedy = "give recordings of a person who speaks"
        raise AudioFileError("no speech was heard in the recordings", remedy)
    parameters = fitted(pauses, turns) if fit else PARAMETERS
    figures = measured(pauses, turns, parameters)
    if fit:
        figures |= cross_validated(pauses, turns)
    found = report.document("endpointing", argv, figures, notes=_notes(pauses, parameters, fit))
    return {**found, "parameters": asdict(parameters), "pauses": as_json(pauses)}


def _notes(pauses: Sequence[Pause], parameters: Parameters, fit: bool) -> list[str]:
    shown = ", ".join(f"{name} = {value}" for name, value in asdict(parameters).items())
    notes = [f"{'fitted' if fit else 'in use'}: {shown}", *map(_line, pauses)]
    if fit:
        notes.insert(1, f"the words' log odds are worth {worth_of_words(pauses):.2f} of what they say")
    return notes


def _line(pause: Pause) -> str:
    length = "end" if pause.length_ms is None else f"{pause.length_ms:.0f} ms"
    label = {True: "finished", False: "unfinished", None: "unclear"}[pause.finished]
    evidence = ", ".join(
        f"{kind} {value:.2f}"
        for kind, value in (("words", pause.words), ("sound", pause.sound))
        if value is not None
    )
    return f"{pause.recording}, {pause.at_s:.2f} s: {length}, {label}; {evidence}"
