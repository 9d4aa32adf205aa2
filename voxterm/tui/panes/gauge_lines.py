"""The gauges → lines of styled pieces that fit a width and a height. Pure.

Who holds a memory is told by the characters of the bar as well as by their shade: it can be read without
colour. Every figure has its place: nothing moves but when a model comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from textual.content import Content

from voxterm.gauges import Gauges, Speed
from voxterm.gpu import GB, MemorySnapshot
from voxterm.tui.panes.figures import BEYOND, NOTHING
from voxterm.tui.terminal.safe_text import safe_line

Part: TypeAlias = "tuple[str, str]"  # text, style
Line: TypeAlias = "tuple[Part, ...]"

LEAST_WIDTH = 36
"""Below this, lines are cut at their right."""

_DIM = "$foreground 60%"
_TRACK = "on $foreground 15%"

_SHADES = (
    ("█", "$primary"),
    ("▓", "$primary 85%"),
    ("▒", "$primary 70%"),
    ("░", "$primary 85%"),
    ("%", "$primary 70%"),
    ("&", "$primary 55%"),  # of all further ones together
)
"""Of the models. All characters differ where they are shown in ASCII, too."""

_OVERHEAD, _OTHERS, _FREE = ("+", "$foreground 60%"), (":", "$foreground 45%"), (" ", _TRACK)

_LONGEST_NAME = 16
_LOOKED_AT = 100  # letters of a name: making more of them safe takes time for nothing
_SPEED_CELLS = 28  # of a line about a model, behind its name
_TITLE_CELLS = 32


@dataclass(frozen=True, slots=True)
class _Share:
    """Who holds how much, and how that is drawn."""

    name: str
    size_bytes: int
    fill: str
    style: str


def gauge_lines(gauges: Gauges | None, width: int, height: int) -> list[Line]:
    """At most `height` lines, none wider than `width` cells from LEAST_WIDTH on.

    Where there is no room for all, the bar and the load stay, then two lines about who holds the memory, the
    speeds, the other GPUs, and only then more about the holders.
    """
    if height < 1:
        return []
    if gauges is None or not gauges.memories:
        return [((NOTHING, _DIM),)]
    first, *rest = gauges.memories
    status = [_status(first, gauges.cpu_percent)]
    speeds, others = _speeds(gauges.speeds, width), _others(rest, width)
    room = height - 1
    wanted = (len(status), 2, len(speeds), len(others))
    kept = [min(lines, max(0, room - sum(wanted[:at]))) for at, lines in enumerate(wanted)]
    legend_room = kept[1] + room - sum(kept)
    shares, legend = _legend(first, width, legend_room)
    return [
        _bar_line(first, shares, width),
        *legend,
        *status[: kept[0]],
        *speeds[: kept[2]],
        *others[: kept[3]],
    ]


def gauge_title(gauges: Gauges | None) -> str:
    """`gpu 0 · H100 80GB HBM3`, or `memory`. Safe to be shown, and no markup."""
    first = gauges.memories[0] if gauges and gauges.memories else None
    if first is None or first.gpu is None:
        return "memory"
    name = _name(first.title, _TITLE_CELLS).removeprefix("NVIDIA ")
    return f"{_label(first)} · {name}"


def one_line(gauges: Gauges | None) -> list[Part]:
    """`gpu 18.4/79.6 GB  41%`, for a terminal that has room for no more."""
    if gauges is None or not gauges.memories:
        return [("memory ", _DIM), (NOTHING, "")]
    first = gauges.memories[0]
    figure = _used_of(first, _gb_cells(first))
    if first.gpu is None:
        return [("memory ", _DIM), (figure, ""), (" cpu ", _DIM), (_figure(gauges.cpu_percent, 3, "%"), "")]
    return [("gpu ", _DIM), (f"{figure} {_figure(first.gpu.utilisation_percent, 3, '%')}", "")]


def _bar_line(memory: MemorySnapshot, shares: Sequence[_Share], width: int) -> Line:
    figure = f" {_used_of(memory, _gb_cells(memory))}"
    return (*_bar(shares, memory.total_bytes, width - len(figure)), (figure, ""))


def _bar(shares: Iterable[_Share], total_bytes: int, cells: int) -> list[Part]:
    """To scale: each share ends at the cell where all up to it end."""
    parts: list[Part] = []
    size_bytes = at = 0
    for share in shares:
        size_bytes += share.size_bytes
        end = max(at, round(cells * min(1.0, size_bytes / total_bytes))) if total_bytes else 0
        parts.append((share.fill * (end - at), _on_track(share.style)))
        at = end
    return [*parts, (" " * (cells - at), _TRACK)]


def _legend(memory: MemorySnapshot, width: int, room: int) -> tuple[list[_Share], list[Line]]:
    """Who holds how much, in at most `room` lines.

    The fewer these are, the more is taken together; what is free goes first, for the bar tells it too.
    """
    for most in range(len(_SHADES) - 1, -1, -1):
        shares = _shares(memory, most)
        for told in (shares, shares[:-1]):
            lines = _flowed(told, width, _gb_cells(memory))
            if len(lines) <= room:
                return shares, lines
    return shares, lines[:room]


def _shares(memory: MemorySnapshot, most: int) -> list[_Share]:
    """All of the memory, what is free at its end. Beyond the `most` largest, the holders are one."""
    largest = sorted(memory.holders, key=memory.holders.__getitem__, reverse=True)[:most]
    held = [(name, size) for name, size in memory.holders.items() if name in largest]
    rest = [(name, size) for name, size in memory.holders.items() if name not in largest]
    if len(rest) > 1:
        rest = [(f"{len(rest)} more" if held else "models", sum(size for _, size in rest))]
    shades = [*_SHADES[: len(held)], _SHADES[-1] if held else _SHADES[0]][: len(held) + len(rest)]
    return [
        *(
            _Share(_name(name), size, *shade)
            for (name, size), shade in zip([*held, *rest], shades, strict=True)
        ),
        _Share("voxterm" if memory.gpu is None else "CUDA", memory.overhead_bytes, *_OVERHEAD),
        _Share("others", memory.others_bytes, *_OTHERS),
        _Share("free", memory.free_bytes, *_FREE),
    ]


def _flowed(shares: Iterable[_Share], width: int, gb_cells: int) -> list[Line]:
    """`█ Voxtral 9.5`, as many beside each other as fit."""
    lines: list[list[Part]] = []
    used = width
    for share in shares:
        parts = [
            (share.fill, _on_track(share.style)),
            (f" {share.name}", _DIM),
            (f" {_gb(share.size_bytes, gb_cells)}", ""),
        ]
        cells = sum(Content(text).cell_length for text, _ in parts)
        if used + 2 + cells > width:
            lines.append([])
            used = -2
        else:
            lines[-1].append(("  ", ""))
        lines[-1].extend(parts)
        used += 2 + cells
    return [tuple(line) for line in lines]


def _status(memory: MemorySnapshot, cpu_percent: float | None) -> Line:
    """`util  41%   64°C   212 W  cpu  12%`"""
    cpu = (("cpu ", _DIM), (_figure(cpu_percent, 3, "%"), ""))
    if memory.gpu is None:
        return cpu
    gpu = memory.gpu
    return (
        ("util ", _DIM),
        (_figure(gpu.utilisation_percent, 3, "%"), ""),
        (f"  {_figure(gpu.temperature_c, 3, '°C')}", ""),
        (f"  {_figure(gpu.power_w, 4, ' W')}  ", ""),
        *cpu,
    )


def _speeds(speeds: Mapping[str, Speed], width: int) -> list[Line]:
    """`Orpheus  312 tok/s   3.8× real time`; speech that is made too slowly is marked."""
    names = [_name(name, min(_LONGEST_NAME, width - _SPEED_CELLS)) for name in speeds]
    cells = max((Content(name).cell_length for name in names), default=0)
    return [
        ((_padded(name, cells), _DIM), (f" {_four(speed.tokens_per_s)} tok/s", ""), *_real_time(speed))
        for name, speed in zip(names, speeds.values(), strict=True)
    ]


def _real_time(speed: Speed) -> list[Part]:
    times = speed.times_real_time
    if times is None:
        return []
    sign, colour = (BEYOND, "$text-error") if times < 1 else (" ", "")
    return [(f" {sign}{_four(times)}× real time", colour)]


def _others(memories: Sequence[MemorySnapshot], width: int) -> list[Line]:
    """`gpu 1 ████          18.4/79.6 GB  41%`, a line each."""
    label_cells = max((len(_label(memory)) for memory in memories), default=0)
    gb_cells = max((_gb_cells(memory) for memory in memories), default=0)
    lines: list[Line] = []
    for memory in memories:
        label = f"{_label(memory):<{label_cells}} "
        load = memory.gpu.utilisation_percent if memory.gpu else None
        figure = f" {_used_of(memory, gb_cells)}  {_figure(load, 3, '%')}"
        used = _Share("", memory.total_bytes - memory.free_bytes, "█", "$foreground 45%")
        bar = _bar([used], memory.total_bytes, width - len(label) - len(figure))
        lines.append(((label, _DIM), *bar, (figure, "")))
    return lines


def _label(memory: MemorySnapshot) -> str:
    return "memory" if memory.gpu is None else f"gpu {memory.gpu.index}"


def _used_of(memory: MemorySnapshot, gb_cells: int) -> str:
    """`18.4/79.6 GB`"""
    if not memory.total_bytes:
        return f"{NOTHING:>{gb_cells}}/{NOTHING:>{gb_cells}} GB"
    used_bytes = memory.total_bytes - memory.free_bytes
    return f"{_gb(used_bytes, gb_cells)}/{_gb(memory.total_bytes, gb_cells)} GB"


def _gb_cells(memory: MemorySnapshot) -> int:
    """As many as the total takes: no figure of this memory is longer."""
    return len(_gb(memory.total_bytes, 0))


def _gb(size_bytes: int, cells: int) -> str:
    return f"{size_bytes / GB:.1f}".rjust(cells)


def _figure(value: float | None, cells: int, unit: str) -> str:
    """A whole number in so many cells, and its unit."""
    return f"{NOTHING if value is None else f'{min(value, 10**cells - 1):.0f}':>{cells}}{unit}"


def _four(value: float) -> str:
    """A number in four cells."""
    return f"{value:4.1f}" if value < 99.95 else f"{min(value, 9999):4.0f}"


def _on_track(style: str) -> str:
    return style if style == _TRACK else f"{style} {_TRACK}"


def _name(name: str, cells: int = _LONGEST_NAME) -> str:
    """A name that may hold anything, as so many cells at most may show it."""
    shown = Content(safe_line(name[:_LOOKED_AT]))
    return shown.truncate(max(1, cells), ellipsis=True).plain


def _padded(text: str, cells: int) -> str:
    return text + " " * (cells - Content(text).cell_length)
