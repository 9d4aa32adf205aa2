"""Whether a person who pauses has finished: evidence of words and sound → how long a silence ends the turn.

Pure. Each kind of evidence is a probability that the turn is over; `finished` adds their log odds, weighted,
and `silence_ms` makes a wait of the sum. Where nothing tells, the sum is 0: the pause alone then decides, and
evidence that says next to nothing changes next to nothing.

    log odds   … −unfinished_from        0            finished_from …
    silence     unfinished_silence_ms   end_silence_ms   finished_silence_ms

The parameters were fitted on the labelled pauses of 23 recordings of people, each clean and in noise:
`voxterm bench endpointing tests/data/pauses.json --fit` fits them again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from voxterm.config import TurnSettings

CERTAIN = 0.01
"""Evidence nearer than this to 0 or 1 counts as if it were this far: no detector is ever surer than that."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for the end of a turn in a pause: probabilities, None where there is none (yet)."""

    words: float | None = None  # the sentence ends with these words: `protocols.Ending`
    sound: float | None = None  # it sounded like an end: `protocols.TurnDetector`


@dataclass(frozen=True, slots=True)
class Parameters:
    """All that is fitted, in natural log odds. Words have no weight here: an engine gives its Ending as a
    probability that holds, so its log odds count as they are."""

    sound_bias: float = -1.3
    sound_weight: float = 0.79
    finished_from: float = 1.0  # from here on, the shortest wait
    unfinished_from: float = 3.0  # this far below zero, the longest


PARAMETERS = Parameters()


def finished(evidence: Evidence, parameters: Parameters = PARAMETERS) -> float | None:
    """The probability that the turn is over; None where nothing tells."""
    if evidence.words is None and evidence.sound is None:
        return None
    return 1.0 / (1.0 + math.exp(-_log_odds(evidence, parameters)))


def silence_ms(evidence: Evidence, turns: TurnSettings, parameters: Parameters = PARAMETERS) -> float:
    """The silence that ends the turn: `end_silence_ms` where nothing tells, down to `finished_silence_ms`
    where it sounds finished, up to `unfinished_silence_ms` where it does not."""
    if evidence == Evidence():
        return turns.end_silence_ms
    finished_ms, unfinished_ms = turns.finished_silence_ms, turns.unfinished_silence_ms
    middle_ms = min(max(turns.end_silence_ms, finished_ms), unfinished_ms)
    log_odds = _log_odds(evidence, parameters)
    if log_odds >= 0.0:
        share, furthest_ms = log_odds / parameters.finished_from, finished_ms
    else:
        share, furthest_ms = -log_odds / parameters.unfinished_from, unfinished_ms
    return middle_ms + min(1.0, share) * (furthest_ms - middle_ms)


def log_odds_of(probability: float) -> float:
    """The natural log odds; those of near certainty are cut at `CERTAIN`."""
    bounded = min(1.0 - CERTAIN, max(CERTAIN, probability))
    return math.log(bounded / (1.0 - bounded))


def _log_odds(evidence: Evidence, parameters: Parameters) -> float:
    log_odds = 0.0
    if evidence.words is not None:
        log_odds += log_odds_of(evidence.words)
    if evidence.sound is not None:
        log_odds += parameters.sound_bias + parameters.sound_weight * log_odds_of(evidence.sound)
    return log_odds
