"""The picture of a turn: read here as a person reads it, by its axes, flags and bars."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
import turn_scenes as scenes
from hypothesis import given, settings
from hypothesis import strategies as st

from voxterm.events import Mark, TurnTimeline
from voxterm.latency import STAGES
from voxterm.timeline.canvas import FIGURE_PX, SMALL_PX, TEXT_PX, TITLE_PX
from voxterm.timeline.figure import TurnTexts, figure
from voxterm.timeline.moments import end_s, stamps_of, zero_of
from voxterm.timeline.words import shown, width_px

SCENES = [scenes.ordinary, scenes.hesitant, scenes.interrupted, scenes.long, scenes.typed]
SVG = "{http://www.w3.org/2000/svg}"
SIZES_PX = {"small": SMALL_PX, "title": TITLE_PX, "figure": FIGURE_PX}


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        return (
            min(self.right, other.right) - max(self.left, other.left) > 0.5
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 0.5
        )


class Picture:
    """A drawn figure, taken apart again."""

    def __init__(
        self, timeline: TurnTimeline, texts: TurnTexts = scenes.ORDINARY, threshold: float = 0.5
    ) -> None:
        self.source = figure(timeline, texts, threshold)
        self.root = ET.fromstring(self.source)
        self.width, self.height = (float(size) for size in self.root.attrib["viewBox"].split()[2:])

    def elements(self, name: str, *classes: str) -> list[ET.Element]:
        found = self.root.iter(f"{SVG}{name}")
        return [element for element in found if {*classes} <= {*element.get("class", "").split()}]

    def texts(self) -> list[str]:
        return ["".join(text.itertext()) for text in self.elements("text")]

    def told(self, name: str, of: str) -> list[ET.Element]:
        """Those elements of which a browser tells this."""
        return [e for e in self.elements(name) if e.findtext(f"{SVG}title", "").startswith(of)]

    def seconds(self, panel: int) -> Callable[[float], float]:
        """From pixels to seconds after zero, by the figures of an axis: 0 of the turn, 1 of the answer."""
        figures = [text for text in self.elements("text", "small") if text.get("text-anchor") == "middle"]
        rows = sorted({float(text.attrib["y"]) for text in figures})
        read = [
            (float(text.attrib["x"]), float("".join(text.itertext()).replace("−", "-")) / (1, 1000)[panel])
            for text in figures
            if float(text.attrib["y"]) == rows[panel]
        ]
        (x0, s0), (x1, s1) = read[0], read[-1]
        return lambda x: s0 + (x - x0) / (x1 - x0) * (s1 - s0)


def box_of(text: ET.Element) -> Box:
    classes = text.attrib["class"].split()
    size = next((SIZES_PX[name] for name in classes if name in SIZES_PX), TEXT_PX)
    x, y = float(text.attrib["x"]), float(text.attrib["y"])
    wide = width_px("".join(text.itertext()), size)
    left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[text.get("text-anchor", "start")]
    return Box(left, y - size * 0.8, left + wide, y + size * 0.2)


def extent(element: ET.Element) -> Box:
    """Of a line, a rectangle or a polygon."""
    at = {name: float(value) for name, value in element.items() if re.fullmatch(r"-?[\d.]+", value)}
    if element.tag.endswith("line"):
        xs, ys = [at["x1"], at["x2"]], [at["y1"], at["y2"]]
    elif element.tag.endswith("rect"):
        xs, ys = [at["x"], at["x"] + at["width"]], [at["y"], at["y"] + at["height"]]
    else:
        points = [point.split(",") for point in element.attrib["points"].split()]
        xs, ys = [float(x) for x, _ in points], [float(y) for _, y in points]
    return Box(min(xs), min(ys), max(xs), max(ys))


def assert_all_inside(picture: Picture) -> None:
    page, *drawn = picture.elements("rect")
    assert page.attrib["width"] == "100%"
    for element in [*drawn, *picture.elements("line"), *picture.elements("polygon")]:
        box = extent(element)
        assert box.left >= 0
        assert box.top >= 0
        assert box.right <= picture.width
        assert box.bottom <= picture.height
    for text in picture.elements("text"):
        box = box_of(text)
        assert box.left >= 0, "".join(text.itertext())
        assert box.right <= picture.width, "".join(text.itertext())
        assert box.bottom <= picture.height


@pytest.mark.parametrize("scene", SCENES)
def test_all_is_inside_and_no_text_covers_another(scene: Callable[[], TurnTimeline]) -> None:
    picture = Picture(scene())
    assert_all_inside(picture)
    texts = picture.elements("text")
    for one, other in combinations(texts, 2):
        assert not box_of(one).overlaps(box_of(other)), ("".join(one.itertext()), "".join(other.itertext()))


@pytest.mark.parametrize("scene", SCENES)
def test_flags_stand_at_their_times_on_both_axes(scene: Callable[[], TurnTimeline]) -> None:
    timeline = scene()
    picture = Picture(timeline)
    zero_s = zero_of(timeline).at_s
    stamps = stamps_of(timeline)
    assert stamps.left_s is not None
    whole, near = (
        line
        for line in picture.elements("line", "flag")
        if "reply sounds" in line.findtext(f"{SVG}title", "")
    )
    assert picture.seconds(0)(extent(whole).left) == pytest.approx(stamps.left_s - zero_s, abs=0.12)
    assert picture.seconds(1)(extent(near).left) == pytest.approx(stamps.left_s - zero_s, abs=0.002)


@pytest.mark.parametrize("scene", SCENES)
def test_bars_begin_and_end_with_their_stages(scene: Callable[[], TurnTimeline]) -> None:
    timeline = scene()
    picture = Picture(timeline)
    stamps, zero_s = stamps_of(timeline), zero_of(timeline).at_s
    seconds = picture.seconds(1)
    drawn = 0
    for stage in STAGES:
        took_ms = stamps.breakdown()[stage.key]
        bars = picture.told("rect", f"{stage.label}: ")
        assert len(bars) == (took_ms is not None)
        for bar in bars:
            drawn += 1
            begins_s = getattr(stamps, stage.begins) - zero_s
            assert took_ms is not None
            assert seconds(extent(bar).left) == pytest.approx(begins_s, abs=0.001)
            if took_ms > 3:
                assert seconds(extent(bar).right) == pytest.approx(begins_s + took_ms / 1000, abs=0.001)
            assert any(text.startswith(f"{took_ms:.0f} ms") or took_ms < 10 for text in picture.texts())
    assert drawn >= 5


def test_zero_is_where_the_speech_ended() -> None:
    """What a person waits is read off the axis: voice-to-voice is where the reply sounds."""
    timeline = scenes.ordinary()
    picture = Picture(timeline)
    (zero, _) = picture.elements("line", "zero")
    assert picture.seconds(0)(extent(zero).left) == pytest.approx(0, abs=0.001)
    speech = picture.elements("polygon", "speech")
    loud = [extent(hill) for hill in speech]
    assert len(loud) == 1, "one hill, since the room is never quite silent"
    assert "seconds after the end of your speech" in picture.texts()
    assert "290 ms" in picture.texts()


def test_a_typed_turn_counts_from_the_enter_key() -> None:
    texts = Picture(scenes.typed()).texts()
    assert "seconds after you pressed enter" in texts
    assert "line sent · answer begun" in texts
    assert not {"endpoint wait", "voice-to-voice", "judged over"} & {*texts}


def test_answers_that_were_withdrawn_are_hollow_and_end_where_the_person_went_on() -> None:
    timeline = scenes.hesitant()
    picture = Picture(timeline)
    seconds, zero_s = picture.seconds(0), zero_of(timeline).at_s
    gone = [extent(bar) for bar in picture.elements("rect", "attempt", "gone")]
    asked = [mark.at_s - zero_s for mark in timeline.marks if mark.what == "asked"]
    withdrawn = [mark.at_s - zero_s for mark in timeline.marks if mark.what == "withdrawn"]
    assert [seconds(bar.left) for bar in gone] == pytest.approx(asked[:2], abs=0.005)
    assert [seconds(bar.right) for bar in gone] == pytest.approx(withdrawn, abs=0.005)
    assert len(picture.told("rect", "answer ready after")) == 1
    assert [e.findtext(f"{SVG}title") for e in picture.told("rect", "pause")] == [
        "pause: 450 ms",
        "pause: 600 ms",
        "pause: 550 ms",
    ]


def test_a_reply_is_drawn_where_it_sounded_and_nowhere_else() -> None:
    timeline = scenes.interrupted()
    picture = Picture(
        timeline, replace(scenes.ORDINARY, heard_reply="Olympus Mons", unheard_reply="is high.")
    )
    seconds, zero_s = picture.seconds(0), zero_of(timeline).at_s
    lanes = [extent(part) for part in picture.elements("polygon", "reply")]
    sounded = [(seconds(part.left), seconds(part.right)) for part in lanes[:2]]
    at = {mark.what: mark.at_s - zero_s for mark in timeline.marks}
    yields = [mark.at_s - zero_s for mark in timeline.marks if mark.what == "yielded"]
    assert sounded[0] == pytest.approx((at["left"], yields[0]), abs=0.04)
    assert sounded[1] == pytest.approx((at["went_on"], yields[1]), abs=0.04)
    (unheard,) = picture.elements("tspan", "unheard")
    assert unheard.text == "is high."
    assert {"reply waits", "reply goes on", "interrupted"} <= {*picture.texts()}


def test_what_is_slower_than_its_target_says_the_target() -> None:
    late = ["".join(text.itertext()) for text in Picture(scenes.hesitant()).elements("text", "late")]
    assert "581 ms, target 300" in late
    assert not any(text.startswith("24 ms") for text in late)


def test_the_threshold_of_speech_is_a_line_at_its_height() -> None:
    picture = Picture(scenes.ordinary(), threshold=0.25)
    (line,) = picture.elements("line", "threshold")
    (hill,) = picture.elements("polygon", "speech")
    lane = extent(hill)
    share = (lane.bottom - extent(line).top) / (lane.bottom - lane.top)
    assert share == pytest.approx(0.25, abs=0.02)
    assert "0.25" in picture.texts()


@pytest.mark.parametrize(("until_s", "widest"), [(2.0, 1020), (30.0, 1700), (120.0, 2760), (900.0, 2760)])
def test_the_picture_is_as_wide_as_its_turn_is_long(until_s: float, widest: float) -> None:
    frames = int(until_s / 0.032)
    timeline = TurnTimeline(
        1, 0.032, (-20.0,) * frames, (-100.0,) * frames, (1.0,) * frames, (Mark("speech", 0.5),)
    )
    picture = Picture(timeline)
    assert widest - 120 <= picture.width <= widest
    assert len(picture.source) < 200_000
    assert_all_inside(picture)


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
@settings(max_examples=60)
def test_texts_are_data(said: str, heard: str, unheard: str) -> None:
    picture = Picture(scenes.typed(), TurnTexts("Turn 1", "session", said, heard, unheard))
    assert re.sub("[\n\u200c\u200d]", "", picture.source).isprintable()
    kinds = {element.tag.removeprefix(SVG) for element in picture.root.iter()}
    assert kinds <= {"svg", "title", "style", "rect", "polygon", "line", "text", "tspan"}
    drawn = " ".join(picture.texts())
    for text in (said, heard, unheard):
        assert " ".join(shown(text).split())[:20].strip() in " ".join(drawn.split())


def test_hostile_words_become_no_markup_and_turn_nothing_round() -> None:
    said = "</text><script>alert(1)</script> & \x1b[31m \u202egnp.exe \ud83d"
    picture = Picture(scenes.ordinary(), replace(scenes.ORDINARY, transcript=said))
    assert "</text><script>alert(1)</script> & \\x1b[31m \\x202egnp.exe \\xd83d" in picture.texts()
    assert not picture.elements("script")


@pytest.mark.parametrize(
    "text", ["W" * 5000, "न" * 3000, "中" * 3000, "\u0301" * 500, "🏔" * 500, "word " * 5000]
)
def test_endless_texts_stay_inside(text: str) -> None:
    picture = Picture(scenes.ordinary(), TurnTexts("Turn 1", "session", text, text, text))
    assert_all_inside(picture)
    assert picture.height < 1600


WHATS = [
    "speech", "last_speech", "pause", "asked", "withdrawn", "resumed", "judged_over", "audio_encoded",
    "transcript", "first_text", "first_sentence", "first_speech", "first_samples", "handed", "left",
    "yielded", "went_on", "interrupted", "finished", "something else",
]  # fmt: skip
MARKS = st.lists(st.builds(Mark, st.sampled_from(WHATS), st.floats(0, 20)), max_size=40)


@given(MARKS, st.lists(st.floats(-120, 5), max_size=100))
@settings(max_examples=80)
def test_any_time_line_can_be_drawn(marks: list[Mark], levels: list[float]) -> None:
    """Marks may be missing, repeat or contradict each other."""
    ordered = tuple(sorted(marks, key=lambda mark: mark.at_s))
    timeline = TurnTimeline(
        1, 0.032, tuple(levels), tuple(levels), tuple(abs(v) / 120 for v in levels), ordered
    )
    picture = Picture(timeline)
    assert_all_inside(picture)
    assert end_s(timeline) > 0


def test_the_picture_needs_nothing_else_and_runs_nothing() -> None:
    source = figure(scenes.ordinary(), scenes.ORDINARY, 0.5)
    assert re.findall(r"https?://[^\"]*", source) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"url\(|href|<script|@import|font-face|\bon\w+=", source)
    assert set(re.findall(r"font-family: ([^;]*);", source)) == {"sans-serif"}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("ground", ["page", "near"])
def test_texts_can_be_read_on_a_light_and_on_a_dark_page(dark: bool, ground: str) -> None:
    """A contrast of 4.5 is what WCAG asks of texts."""
    source = figure(scenes.ordinary(), scenes.ORDINARY, 0.5)
    light_css, dark_css = source.split("@media (prefers-color-scheme: dark)")
    css = dark_css if dark else light_css
    fills = dict(re.findall(r"\.([\w-]+) { (?:fill|stroke): (#\w{6}) }", css))
    for ink in ("ink", "dim"):
        assert contrast(fills[ink], fills[ground]) >= 4.5
    for shape in ("person", "reply", "stage", "total"):
        assert contrast(fills[shape], fills[ground]) >= 2.9
    assert fills[f"on-{ground}"] == fills[ground]


def contrast(one: str, other: str) -> float:
    lights = sorted((luminance(one), luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of sRGB, as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
