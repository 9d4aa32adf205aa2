"""The time line of a turn as a picture, from which a person reads where the time went.

On top what was said and what the person waited. Then the whole turn on one axis in seconds, with zero at the
last sample of the person's speech: both sides' levels, the probability of speech, every answer that was
begun, and flags for what happened. Below, the stretch in which the answer was made, magnified, with a bar for
each stage. It is one SVG file that needs nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voxterm.events import TurnTimeline
from voxterm.latency import within_target
from voxterm.timeline import moments
from voxterm.timeline.canvas import FIGURE_PX, SMALL_PX, TEXT_PX, TITLE_PX, Canvas
from voxterm.timeline.lanes import FLOOR_DBFS, Lane
from voxterm.timeline.moments import TimedStage
from voxterm.timeline.panel import AXIS_PX, Axis, draw_axis, draw_flags, draw_grid, flags_px, placed
from voxterm.timeline.words import Run, shown, width_px, wrapped

EDGE_PX = 24.0
GAP_PX = 10.0
GUTTER_PX = 112.0
"""Left of the axes, for the names of the lanes."""
FIGURES_PX = 132.0
"""Right of the magnified axis, for the milliseconds behind the bars."""
PX_PER_S = 48.0
NARROWEST_PX, WIDEST_PX = 860.0, 2600.0
"""The axis is as long as its turn, between these."""

READABLE_PX = 1100.0
"""No line of text, and no picture of the answer, is wider."""

LINE_PX = 19.0
MOST_LINES = 12
"""Of what one side said."""
LEVEL_PX = 56.0
PROBABILITY_PX = 34.0
ATTEMPT_PX = 10.0
SPREAD_PX = 30.0
"""Between the axis of the whole and the stretch that is magnified."""
NEAR_LEVEL_PX = 36.0
STAGE_PX, STAGE_ROW_PX = 12.0, 20.0

_MOMENTS = {
    "speech": "turn begins",
    "last_speech": "speech ends",
    "pause": "pause",
    "asked": "answer begun",
    "withdrawn": "withdrawn",
    "resumed": "you go on",
    "judged_over": "judged over",
    "left": "reply sounds",
    "yielded": "reply waits",
    "went_on": "reply goes on",
    "interrupted": "interrupted",
}
_NEAR_MOMENTS = {**_MOMENTS, "handed": "handed over"}
_TOTALS = ("voice_to_voice", "response", "endpoint_wait")
_CLASSES = {"endpoint_wait": "wait", "playout": "playout", "response": "total", "voice_to_voice": "total"}


@dataclass(frozen=True, slots=True)
class TurnTexts:
    """What stands over the picture: which turn it is, and what was said in it."""

    title: str
    subtitle: str
    transcript: str
    heard_reply: str
    unheard_reply: str


def figure(timeline: TurnTimeline, texts: TurnTexts, speech_threshold: float) -> str:
    """The picture as an SVG document. `speech_threshold`: the probability from which a frame is speech."""
    return _Figure(timeline, texts, speech_threshold).document()


class _Figure:
    """Draws from the top down; `_y` is how far it has come."""

    def __init__(self, timeline: TurnTimeline, texts: TurnTexts, speech_threshold: float) -> None:
        self._timeline = timeline
        self._texts = texts
        self._threshold = speech_threshold
        self._canvas = Canvas()
        end_s = moments.end_s(timeline)
        self._zero = moments.zero_of(timeline)
        self._left = EDGE_PX + GUTTER_PX
        self._right = self._left + min(max(end_s * PX_PER_S, NARROWEST_PX), WIDEST_PX)
        self._near_right = min(self._right - FIGURES_PX, self._left + READABLE_PX)
        self._axis = Axis(0.0, end_s, self._zero.at_s, self._left, self._right)
        self._y = EDGE_PX

    def document(self) -> str:
        self._draw_words()
        self._draw_totals()
        answer = moments.answer_span(self._timeline)
        self._draw_turn(answer)
        if answer:
            self._draw_near(Axis(*answer, self._zero.at_s, self._left, self._near_right, per_s=1000))
        title = f"{shown(self._texts.title)}: where the time went"
        return self._canvas.document(self._right + EDGE_PX, self._y + EDGE_PX, title)

    def _draw_words(self) -> None:
        """Which turn it is, and what was said; what was not heard of the reply is struck through."""
        texts, canvas = self._texts, self._canvas
        title = shown(texts.title)
        self._y += TITLE_PX
        canvas.text(EDGE_PX, self._y, title, "ink title")
        after = EDGE_PX + width_px(title, TITLE_PX) + 2 * GAP_PX
        canvas.text(after, self._y, shown(texts.subtitle), "dim")
        self._y += GAP_PX
        heard, unheard = shown(texts.heard_reply), shown(texts.unheard_reply)
        self._draw_said("you", [Run(shown(texts.transcript))])
        self._draw_said("voxterm", [Run(f"{heard} " if unheard else heard), Run(unheard, "dim unheard")])

    def _draw_said(self, who: str, runs: list[Run]) -> None:
        spoken = [run for run in runs if run.text.strip()] or [Run("nothing", "dim")]
        self._canvas.text(EDGE_PX, self._y + LINE_PX, who, "dim")
        for line in wrapped(spoken, TEXT_PX, min(self._right - self._left, READABLE_PX), MOST_LINES):
            self._y += LINE_PX
            self._canvas.runs(self._left, self._y, line, "ink")

    def _draw_totals(self) -> None:
        """What the person waited, in large figures."""
        stages = {timed.stage.key: timed for timed in moments.stages_of(self._timeline)}
        found = [stages[key] for key in _TOTALS if key in stages]
        x = self._left
        self._y += (GAP_PX + FIGURE_PX + SMALL_PX + 8) * bool(found)
        for timed in found:
            in_ms = f"{timed.ms:.0f} ms"
            self._canvas.text(x, self._y - SMALL_PX - 5, in_ms, "ink figure")
            self._canvas.text(x, self._y, timed.stage.label, "dim small")
            x += max(width_px(in_ms, FIGURE_PX), width_px(timed.stage.label, SMALL_PX)) + 2 * GAP_PX

    def _draw_turn(self, answer: moments.Span | None) -> None:
        """All of the turn, with a shade where the answer is made."""
        canvas, axis = self._canvas, self._axis
        flags = placed(axis, self._named(_MOMENTS))
        top = self._y + 2 * GAP_PX + flags_px(flags)
        person = Lane(canvas, axis, top + GAP_PX, LEVEL_PX)
        speech = Lane(canvas, axis, person.bottom + GAP_PX, PROBABILITY_PX)
        attempts = Lane(canvas, axis, speech.bottom + GAP_PX, ATTEMPT_PX)
        reply = Lane(canvas, axis, attempts.bottom + GAP_PX, LEVEL_PX)
        bottom = reply.bottom + GAP_PX
        if answer:
            self._draw_spread(answer, top, bottom)
        draw_grid(canvas, axis, top, bottom)
        draw_flags(canvas, axis, flags, top, bottom, "page")
        self._draw_pauses(person)
        self._draw_sides(person, reply)
        self._draw_probabilities(speech)
        self._draw_attempts(attempts)
        draw_axis(canvas, axis, bottom, f"seconds after {self._zero.what}")
        scale = f"levels from −{-FLOOR_DBFS:.0f} dBFS to full scale"
        canvas.text(axis.right, bottom + AXIS_PX - 5, scale, "dim small", "end")
        self._y = bottom + AXIS_PX

    def _draw_spread(self, answer: moments.Span, top: float, bottom: float) -> None:
        """From the stretch that is magnified to its picture below."""
        left, right = self._axis.x(answer.from_s), self._axis.x(answer.until_s)
        below = bottom + AXIS_PX + SPREAD_PX
        self._canvas.rect((left, top), (right - left, bottom - top), "near")
        spread = [(left, bottom), (right, bottom), (self._near_right, below), (self._left, below)]
        self._canvas.polygon(spread, "near")

    def _draw_near(self, axis: Axis) -> None:
        """The stretch in which the answer was made: what was heard meanwhile, and a bar for each stage."""
        canvas, stages = self._canvas, moments.stages_of(self._timeline)
        flags = placed(axis, self._named(_NEAR_MOMENTS))
        panel_top = self._y + SPREAD_PX
        top = panel_top + GAP_PX + flags_px(flags)
        person = Lane(canvas, axis, top + GAP_PX, NEAR_LEVEL_PX)
        rows_top = person.bottom + GAP_PX
        reply = Lane(canvas, axis, rows_top + STAGE_ROW_PX * len(stages) + GAP_PX, NEAR_LEVEL_PX)
        bottom = reply.bottom + GAP_PX
        canvas.rect((axis.left, panel_top), (axis.right - axis.left, bottom - panel_top), "near")
        draw_grid(canvas, axis, top, bottom)
        draw_flags(canvas, axis, flags, top, bottom, "near")
        self._draw_sides(person, reply)
        for at, timed in enumerate(stages):
            self._draw_stage(Lane(canvas, axis, rows_top + at * STAGE_ROW_PX, STAGE_PX), timed)
        draw_axis(canvas, axis, bottom, f"milliseconds after {self._zero.what}")
        self._y = bottom + AXIS_PX

    def _draw_stage(self, lane: Lane, timed: TimedStage) -> None:
        """Its name, its bar, and behind that how long it took; beyond its target, the target too."""
        late = within_target(timed.stage, timed.ms) is False
        took = f"{timed.ms:.1f} ms" if timed.ms < 10 else f"{timed.ms:.0f} ms"
        told = f"{took}, target {timed.stage.target_ms:.0f}" if late else took
        until_s = timed.from_s + timed.ms / 1000
        classes = _CLASSES.get(timed.stage.key, "stage")
        end = lane.span(timed.from_s, until_s, classes, f"{timed.stage.label}: {took}")
        self._name(lane, timed.stage.label)
        lane.canvas.text(end + 6, lane.middle + 4, told, f"ink small on-near{' late' * late}")

    def _draw_sides(self, person: Lane, reply: Lane) -> None:
        timeline = self._timeline
        self._name(person, "you")
        person.levels(timeline.microphone_dbfs, timeline.frame_s, "person")
        self._name(reply, "voxterm")
        reply.levels(timeline.loudspeaker_dbfs, timeline.frame_s, "reply")

    def _draw_pauses(self, lane: Lane) -> None:
        for pause in moments.pauses_of(self._timeline):
            took_ms = (pause.until_s - pause.from_s) * 1000
            lane.span(pause.from_s, pause.until_s, "pause", f"pause: {took_ms:.0f} ms")

    def _draw_probabilities(self, lane: Lane) -> None:
        self._name(lane, "speech?")
        lane.probabilities(self._timeline.speech_probability, self._timeline.frame_s, self._threshold)
        y = lane.bottom - self._threshold * lane.height
        lane.canvas.text(lane.axis.left - 4, y + 4, f"{self._threshold:g}", "dim small", "end")

    def _draw_attempts(self, lane: Lane) -> None:
        """Answers that were withdrawn are hollow."""
        self._name(lane, "answering")
        for attempt in moments.attempts_of(self._timeline):
            took_ms = (attempt.until_s - attempt.from_s) * 1000
            what = "withdrawn after" if attempt.withdrawn else "ready after"
            classes = "attempt gone" if attempt.withdrawn else "stage"
            lane.span(attempt.from_s, attempt.until_s, classes, f"answer {what} {took_ms:.0f} ms")

    def _name(self, lane: Lane, name: str) -> None:
        lane.canvas.text(EDGE_PX, lane.middle + 4, name, "dim")

    def _named(self, names: Mapping[str, str]) -> list[tuple[float, str]]:
        """What happened, in these words; a line that was typed is sent, and not judged."""
        if moments.is_typed(self._timeline):
            names = {**names, "judged_over": "line sent"}
        return [(mark.at_s, names[mark.what]) for mark in self._timeline.marks if mark.what in names]
