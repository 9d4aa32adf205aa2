"""The parameters of `voxterm.endpointing`, fitted on labelled pauses, and what waits made of them come to.

Two steps. Logistic regression with a ridge, pauses and ends weighing the same, turns what the detector said
into log odds that the sentence was finished. Then, out of a grid, the curve is taken that would cut in at the
fewest pauses while most of the ends still get the shortest wait.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from voxterm.audio.protocols import FRAME_S
from voxterm.bench.endpointing import Pause, speech_of
from voxterm.bench.report import Figure
from voxterm.config import TurnSettings
from voxterm.endpointing import PARAMETERS, Evidence, Parameters, log_odds_of, silence_ms

RIDGE = 1.0
"""Penalty on half the square of the slope, beside the sum over pauses of the log loss."""

QUICK_SHARE = 0.6
"""So many of the ends of sentences must get the shortest wait: their median then has something to spare."""

GRID = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0)
NEWTON_STEPS = 30
DIGITS = 2

KINDS = ("words", "sound", "both", "pause")
"""What is judged by; the last is the pause alone."""


def fitted(pauses: Sequence[Pause], turns: TurnSettings) -> Parameters:
    """All parameters, from the pauses that have a label and evidence by sound."""
    known = [pause for pause in pauses if pause.sound is not None and pause.finished is not None]
    bias, weight = _logistic(
        np.array([log_odds_of(pause.sound) for pause in known if pause.sound is not None]),
        np.array([float(bool(pause.finished)) for pause in known]),
    )
    bias, weight = round(bias, DIGITS), round(weight, DIGITS)
    curves = [Parameters(bias, weight, quick, slow) for quick, slow in product(GRID, GRID)]
    return min(curves, key=lambda parameters: _cost(parameters, pauses, turns))


def cross_validated(pauses: Sequence[Pause], turns: TurnSettings) -> dict[str, Figure]:
    """The figures of "sound" where each recording is judged by a fit on the others."""
    waits, cut, utterances = list[float](), 0, 0
    for left_out in sorted({speech_of(pause) for pause in pauses}):
        others = [pause for pause in pauses if speech_of(pause) != left_out]
        own = [pause for pause in pauses if speech_of(pause) == left_out]
        judge = judge_by("sound", turns, fitted(others, turns))
        waits += [judge(pause) for pause in own if pause.length_ms is None]
        cut += len(cut_ins(own, judge))
        utterances += len({pause.recording for pause in own})
    return _figures("cross_validated", waits, cut, utterances)


def measured(
    pauses: Sequence[Pause], turns: TurnSettings, parameters: Parameters = PARAMETERS
) -> dict[str, Figure]:
    """By each kind of evidence, and by the pause alone: the wait after the last speech, that after whole
    sentences, and in how many utterances, and of how many pauses as long as the shortest wait, the turn would
    have been judged over too early."""
    utterances = len({pause.recording for pause in pauses})
    figures = dict[str, Figure]()
    sentences = [pause for pause in pauses if pause.finished]
    long = [pause for pause in pauses if _is_cut_in(pause, lambda _: turns.finished_silence_ms)]
    for kind in KINDS:
        judge = judge_by(kind, turns, parameters)
        ends = [pause for pause in pauses if pause.length_ms is None]
        figures |= _figures(kind, [judge(end) for end in ends], len(cut_ins(pauses, judge)), utterances)
        figures[f"{kind}_wait_after_sentence_ms"] = Figure([judge(end) for end in sentences], "ms")
        cut = [100.0 * sum(_is_cut_in(pause, judge) for pause in long) / len(long)] if long else []
        figures[f"{kind}_pauses_cut"] = Figure(cut, "% of long pauses")
    return figures


def judge_by(kind: str, turns: TurnSettings, parameters: Parameters) -> Callable[[Pause], float]:
    """How long the silence must be that ends the turn, to whole frames, with this kind of evidence alone."""

    def wait_ms(pause: Pause) -> float:
        evidence = Evidence(
            pause.words if kind in ("words", "both") else None,
            pause.sound if kind in ("sound", "both") else None,
        )
        frame_ms = 1000 * FRAME_S
        return math.ceil(round(silence_ms(evidence, turns, parameters) / frame_ms, 6)) * frame_ms

    return wait_ms


def cut_ins(pauses: Sequence[Pause], wait_ms: Callable[[Pause], float]) -> set[str]:
    """The recordings in which a pause lasts longer than that, though the sentence was not finished."""
    return {pause.recording for pause in pauses if _is_cut_in(pause, wait_ms)}


def worth_of_words(pauses: Sequence[Pause]) -> float:
    """By how much the words' log odds would have to be multiplied to hold: 1 where they do."""
    known = [pause for pause in pauses if pause.words is not None and pause.finished is not None]
    given = np.array([log_odds_of(pause.words) for pause in known if pause.words is not None])
    return _logistic(given, np.array([float(bool(pause.finished)) for pause in known]))[1]


def _figures(name: str, waits: Sequence[float], cut: int, utterances: int) -> dict[str, Figure]:
    share = [100.0 * cut / utterances] if utterances else []
    return {f"{name}_wait_ms": Figure(waits, "ms"), f"{name}_cut_ins": Figure(share, "% of utterances")}


def _cost(parameters: Parameters, pauses: Sequence[Pause], turns: TurnSettings) -> tuple[bool, int, float]:
    """Too few quick ends, then cut-ins, then the mean wait after a sentence."""
    wait_ms = judge_by("sound", turns, parameters)
    waits = [wait_ms(pause) for pause in pauses if pause.finished]
    quick = sum(wait < turns.finished_silence_ms + 1000 * FRAME_S for wait in waits)
    cut = sum(_is_cut_in(pause, wait_ms) for pause in pauses)
    return quick < QUICK_SHARE * len(waits), cut, sum(waits)


def _is_cut_in(pause: Pause, wait_ms: Callable[[Pause], float]) -> bool:
    return pause.length_ms is not None and not pause.finished and wait_ms(pause) <= pause.length_ms


def _logistic(x: NDArray[np.float64], finished: NDArray[np.float64]) -> tuple[float, float]:
    """Bias and slope of the log odds, both outcomes weighing the same; the slope is never negative."""
    ends = finished.sum()
    weight = np.where(finished == 1.0, 0.5 / max(ends, 1.0), 0.5 / max(len(x) - ends, 1.0)) * len(x)
    design = np.stack([np.ones_like(x), x], axis=1)  # (N, 2)
    ridge = np.diag([1e-6, RIDGE])
    found = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        probability = 1.0 / (1.0 + np.exp(-design @ found))
        slope = design.T @ (weight * (probability - finished)) + ridge @ found
        curvature = (design * (weight * probability * (1.0 - probability))[:, np.newaxis]).T @ design
        found -= np.linalg.solve(curvature + ridge, slope)
    return (float(found[0]), float(found[1])) if found[1] > 0.0 else (0.0, 0.0)
