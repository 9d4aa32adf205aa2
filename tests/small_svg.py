"""A picture of a terminal as Rich draws it, in a third of the bytes: the repository keeps many of them."""

from __future__ import annotations

import re
from itertools import groupby

_BACKGROUND = re.compile(
    r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="24.65" '
    r'shape-rendering="crispEdges"/>'
)
_BACKGROUNDS = re.compile(rf"(?:{_BACKGROUND.pattern})+")


def smaller(svg: str) -> str:
    """The same picture: backgrounds beside each other are one, text of nothing but spaces is not drawn."""
    svg = re.sub(r'<clipPath id="[^"]*-line-\d+">.*?</clipPath>\s*', "", svg, flags=re.DOTALL)
    svg = re.sub(r' clip-path="url\(#[^"]*-line-\d+\)"', "", svg)
    svg = re.sub(r"<text [^>]*>(?:&#160;)*</text>", "", svg).replace("&#160;", "\u00a0")
    return _BACKGROUNDS.sub(lambda found: _joined(found.group()), svg)


def _joined(backgrounds: str) -> str:
    """Each row's backgrounds, those that touch and have one colour as one."""
    rects: list[tuple[str, float, str, float]] = []  # colour, x, y, end
    for colour, x, y, width in _BACKGROUND.findall(backgrounds):
        start, end = float(x), round(float(x) + float(width), 1)
        if rects and rects[-1][0] == colour and rects[-1][2] == y and abs(rects[-1][3] - start) < 0.1:
            rects[-1] = (colour, rects[-1][1], y, end)
        else:
            rects.append((colour, start, y, end))
    drawn = []
    for colour, same in groupby(rects, lambda rect: rect[0]):
        rows = "".join(
            f'<rect x="{x:g}" y="{y}" width="{end - x:.1f}" height="24.65"/>' for _, x, y, end in same
        )
        drawn.append(f'<g fill="{colour}" shape-rendering="crispEdges">{rows}</g>\n')
    return "".join(drawn)
