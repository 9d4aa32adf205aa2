"""Elements of SVG, one after the other, and the style sheet that colours them.

Colours are Okabe and Ito's, which people with any kind of colour blindness can tell apart. The picture brings
its own background, light or dark as the page it stands on asks for, so it is readable on both.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from voxterm.timeline.words import Run

TEXT_PX = 13.0
SMALL_PX = 11.0
TITLE_PX = 17.0
FIGURE_PX = 24.0

_COLOURS = {
    # class: (property, on light, on dark)
    "page": ("fill", "#ffffff", "#15181c"),
    "ink": ("fill", "#1b1f24", "#e9ecef"),
    "dim": ("fill", "#59636e", "#9aa5b1"),
    "person": ("fill", "#0072b2", "#56b4e9"),
    "reply": ("fill", "#d55e00", "#e69f00"),
    "speech": ("fill", "#8fb8d4", "#3d6d8c"),
    "pause": ("fill", "#0072b2", "#56b4e9"),
    "stage": ("fill", "#009e73", "#2bbf97"),
    "wait": ("fill", "#0072b2", "#56b4e9"),
    "playout": ("fill", "#d55e00", "#e69f00"),
    "total": ("fill", "#59636e", "#9aa5b1"),
    "near": ("fill", "#f0f3f6", "#20262c"),
    "attempt": ("stroke", "#009e73", "#2bbf97"),
    "grid": ("stroke", "#dde2e8", "#2e353d"),
    "axis": ("stroke", "#8c959f", "#6b7682"),
    "flag": ("stroke", "#aab3bd", "#5a6570"),
    "zero": ("stroke", "#1b1f24", "#e9ecef"),
    "threshold": ("stroke", "#59636e", "#9aa5b1"),
    "on-page": ("stroke", "#ffffff", "#15181c"),
    "on-near": ("stroke", "#f0f3f6", "#20262c"),
}

_STYLE = """\
text { font-family: sans-serif; font-size: %(text)gpx }
.small { font-size: %(small)gpx } .title { font-size: %(title)gpx; font-weight: bold }
.figure { font-size: %(figure)gpx; font-weight: bold } .late { font-weight: bold }
.unheard { text-decoration: line-through; font-style: italic }
line { stroke-width: 1 } .zero { stroke-width: 1.5 } .threshold { stroke-dasharray: 4 3 }
.pause { fill-opacity: 0.13 } .attempt { fill: none; stroke-width: 1.5 }
.gone { stroke-dasharray: 3 3 }
.on-page, .on-near { stroke-width: 4; stroke-linejoin: round; paint-order: stroke }
"""


class Canvas:
    """What was drawn so far, each thing over the ones before."""

    def __init__(self) -> None:
        self._elements: list[str] = []

    def text(self, x: float, y: float, text: str, classes: str, anchor: str = "start") -> None:
        """A text of which `words.shown` has seen all that is not ours; `y` is its base line."""
        self.runs(x, y, [Run(text)], classes, anchor)

    def runs(self, x: float, y: float, runs: Iterable[Run], classes: str, anchor: str = "start") -> None:
        """A line of text in several styles."""
        inside = "".join(
            f'<tspan class="{run.style}">{escape(run.text)}</tspan>' if run.style else escape(run.text)
            for run in runs
        )
        place = f'x="{number(x)}" y="{number(y)}"' + (f' text-anchor="{anchor}"' if anchor != "start" else "")
        self._elements.append(f'<text class="{classes}" {place}>{inside}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, classes: str, told: str = "") -> None:
        """`told` is what a browser says of it when it is pointed at."""
        self._add("line", f"x1={_q(x1)} y1={_q(y1)} x2={_q(x2)} y2={_q(y2)}", classes, told)

    def rect(
        self,
        place: tuple[float, float],
        size: tuple[float, float],
        classes: str,
        told: str = "",
        corners: int = 0,
    ) -> None:
        """`place` is its upper left corner; `corners` are rounded by so many pixels."""
        where = f'x="{number(place[0])}" y="{number(place[1])}"'
        extent = f'width="{number(size[0])}" height="{number(size[1])}"'
        rounded = f' rx="{corners}"' if corners else ""
        self._add("rect", f"{where} {extent}{rounded}", classes, told)

    def polygon(self, points: Iterable[tuple[float, float]], classes: str, told: str = "") -> None:
        places = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._add("polygon", f'points="{places}"', classes, told)

    def document(self, width: float, height: float, title: str) -> str:
        """All of it as one SVG file."""
        size = f"{number(width)} {number(height)}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{number(width)}" '
            f'height="{number(height)}" role="img" aria-label={quoteattr(title)}>\n'
            f"<title>{escape(title)}</title>\n<style>\n{_style_sheet()}</style>\n"
            '<rect class="page" width="100%" height="100%" rx="8"/>\n'
            + "\n".join(self._elements)
            + "\n</svg>\n"
        )

    def _add(self, name: str, attributes: str, classes: str, told: str) -> None:
        tail = f"><title>{escape(told)}</title></{name}>" if told else "/>"
        self._elements.append(f'<{name} class="{classes}" {attributes}{tail}')


def number(value: float) -> str:
    """To a tenth of a pixel, and no longer than it need be."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def _q(value: float) -> str:
    return f'"{number(value)}"'


def _style_sheet() -> str:
    sizes = {"text": TEXT_PX, "small": SMALL_PX, "title": TITLE_PX, "figure": FIGURE_PX}
    light = " ".join(f".{name} {{ {what}: {colour} }}" for name, (what, colour, _) in _COLOURS.items())
    dark = " ".join(f".{name} {{ {what}: {colour} }}" for name, (what, _, colour) in _COLOURS.items())
    return f"{_STYLE % sizes}{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"
