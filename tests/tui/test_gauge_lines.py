from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from voxterm.gauges import Gauges, Speed
from voxterm.gpu import GB, GpuInfo, MemorySnapshot, Ram, snapshots
from voxterm.tui.panes.gauge_lines import LEAST_WIDTH, Line, gauge_lines, gauge_title, one_line
from voxterm.tui.terminal.plain_characters import plain

HELD = {
    "Voxtral": 9_500_000_000,
    "Voxtral cache": 800_000_000,
    "Orpheus": 6_700_000_000,
    "Orpheus cache": 900_000_000,
    "codec": 80_000_000,
}
SPEEDS = {"Voxtral": Speed(143.2), "Orpheus": Speed(312.0, 3.8)}
HOSTILE = "\x1b[2J\x1b]0;owned\x07[red]x[/red][@click=app.quit]\u202e\n" + "字" * 10_000


def card(index: int, name: str = "NVIDIA H100 80GB HBM3") -> GpuInfo:
    return GpuInfo(index, name, 80 * GB, 60 * GB, 0, utilisation_percent=41, temperature_c=64, power_w=212.5)


def on_gpus(count: int = 1, held: Mapping[str, int] = HELD) -> Gauges:
    memories = snapshots(held, [card(index) for index in range(count)], Ram(0, 0, 0))
    return Gauges(memories, 12.3, SPEEDS)


def in_ram(held: Mapping[str, int] = HELD) -> Gauges:
    return Gauges(snapshots(held, [], Ram(64 * GB, 32 * GB, 20 * GB), "cpu"), 12.3, SPEEDS)


def texts(lines: Sequence[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def shown(gauges: Gauges | None, width: int = 42, height: int = 20) -> list[str]:
    return texts(gauge_lines(gauges, width, height))


def test_before_the_first_look_there_is_a_dot() -> None:
    assert shown(None) == shown(Gauges(())) == ["·"]
    assert gauge_title(None) == gauge_title(Gauges(())) == "memory"
    assert texts([tuple(one_line(None))]) == ["memory ·"]


def test_one_gpu() -> None:
    assert shown(on_gpus()) == [
        "███▓▒▒%                       20.0/80.0 GB",
        "█ Voxtral  9.5  ▓ Voxtral cache  0.8",
        "▒ Orpheus  6.7  ░ Orpheus cache  0.9",
        "% codec  0.1  + CUDA  0.5  : others  1.5",
        "  free 60.0",
        "util  41%   64°C   212 W  cpu  12%",
        "Voxtral  143 tok/s",
        "Orpheus  312 tok/s   3.8× real time",
    ]
    assert gauge_title(on_gpus()) == "gpu 0 · H100 80GB HBM3"
    assert texts([tuple(one_line(on_gpus()))]) == ["gpu 20.0/80.0 GB  41%"]


def test_without_a_gpu_it_is_main_memory_and_the_cores() -> None:
    lines = shown(in_ram())
    assert lines[0].endswith(" 32.0/64.0 GB")
    assert lines[3:6] == ["% codec  0.1  + voxterm  2.0", ": others 12.0    free 32.0", "cpu  12%"]
    assert gauge_title(in_ram()) == "memory"
    assert texts([tuple(one_line(in_ram()))]) == ["memory 32.0/64.0 GB cpu  12%"]


def test_of_four_gpus_the_one_in_use_is_shown_whole_and_the_others_in_a_line_each() -> None:
    assert shown(on_gpus(4))[:8] == shown(on_gpus())
    assert shown(on_gpus(4))[8:] == [
        f"gpu {index} ████              20.0/80.0 GB   41%" for index in (1, 2, 3)
    ]


def test_where_models_are_in_main_memory_a_gpu_has_a_line_too() -> None:
    shots = snapshots(HELD, [card(0)], Ram(64 * GB, 32 * GB, 20 * GB), "cpu")
    assert shown(Gauges(shots))[-1].startswith("gpu 0 ██")
    assert gauge_title(Gauges(shots)) == "memory"


@pytest.mark.parametrize(
    ("height", "kept"),
    [
        (1, ["20.0/80.0 GB"]),
        (2, ["20.0/80.0 GB", "util"]),
        (3, ["20.0/80.0 GB", "models 18.0", "util"]),
        (4, ["20.0/80.0 GB", "Voxtral  9.5", "3 more  1.8", "util"]),
        (6, ["20.0/80.0 GB", "Voxtral  9.5", "3 more  1.8", "util", "143 tok/s", "3.8×"]),
        (7, ["20.0/80.0 GB", "Voxtral  9.5", "3 more  1.8", "util", "143 tok/s", "3.8×", "gpu 1"]),
    ],
)
def test_in_a_low_pane_the_more_important_stays(height: int, kept: list[str]) -> None:
    for line, part in zip(shown(on_gpus(4), 42, height), kept, strict=True):
        assert part in line


def test_of_many_holders_the_largest_are_named_and_the_rest_is_one() -> None:
    held = {f"model {number}": number * 50_000_000 for number in range(1, 21)}
    lines = shown(on_gpus(held=held), 42, 20)
    assert "█ model 16  0.8" in lines[1]
    assert any("& 15 more  6.0" in line for line in lines)
    assert "&" in lines[0]


def test_the_bar_is_to_scale_and_full_where_the_memory_is() -> None:
    shot = MemorySnapshot("x", 80 * GB, 0, {"a": 20 * GB, "b": 20 * GB}, 10 * GB, 30 * GB, card(0))
    (bar,) = shown(Gauges((shot,)), 53, 1)
    assert bar == "█" * 20 + "+" * 5 + ":" * 15 + " 80.0/80.0 GB"
    bar = shown(Gauges((shot,)), 53, 20)[0]
    assert bar == "█" * 10 + "▓" * 10 + "+" * 5 + ":" * 15 + " 80.0/80.0 GB"


def test_the_bar_can_be_read_without_colour_and_in_ascii() -> None:
    held = dict.fromkeys("abcdefg", 10 * GB)
    shot = replace(on_gpus(held=held).memories[0], free_bytes=0, holders=held, others_bytes=10 * GB)
    bar = shown(Gauges((shot,)), 96, 20)[0].removesuffix(" 80.0/80.0 GB")
    runs = list(dict.fromkeys(bar))
    assert runs == list("█▓▒░%&:")
    assert len(set(plain(bar))) == len(runs)


def test_figures_that_a_gpu_does_not_tell_leave_their_places() -> None:
    gpu = replace(card(0), utilisation_percent=None, temperature_c=None, power_w=None)
    gauges = Gauges(snapshots({}, [gpu], Ram(0, 0, 0)))
    whole = next(line for line in shown(on_gpus()) if line.startswith("util"))
    told = next(line for line in shown(gauges) if line.startswith("util"))
    assert told == "util   ·%    ·°C     · W  cpu   ·%"
    assert len(told) == len(whole)


def test_a_memory_that_is_not_known_has_no_figures() -> None:
    gauges = Gauges(snapshots({}, [], Ram(0, 0, 0)), 0.0)
    lines = shown(gauges)
    assert lines[0].strip().endswith("/  · GB")
    assert lines[-1] == "cpu   0%"
    assert "holders" not in "".join(lines)


def test_speech_that_is_made_too_slowly_is_marked_and_moves_nothing() -> None:
    slow = replace(on_gpus(), speeds={"Orpheus": Speed(31.0, 0.38)})
    fast = replace(on_gpus(), speeds={"Orpheus": Speed(1031.0, 12.6)})
    assert shown(slow)[-1] == "Orpheus 31.0 tok/s ▲ 0.4× real time"
    assert shown(fast)[-1] == "Orpheus 1031 tok/s  12.6× real time"
    assert gauge_lines(slow, 42, 20)[-1][-1][1] == "$text-error"
    assert gauge_lines(fast, 42, 20)[-1][-1][1] == ""


def test_hostile_names_are_shown_as_what_they_are_and_in_their_places() -> None:
    gpu = card(0, HOSTILE)
    gauges = Gauges(snapshots({HOSTILE: GB}, [gpu], Ram(0, 0, 0)), None, {HOSTILE: Speed(9.0, 1.0)})
    lines = shown(gauges, LEAST_WIDTH)
    for text in (*lines, gauge_title(gauges)):
        assert text.isprintable()
        assert cell_len(text) <= 42
        assert "\u202e" not in text
    assert any("\\x1b[2J" in line for line in lines)
    assert max(map(cell_len, lines)) <= LEAST_WIDTH


@given(
    held=st.dictionaries(st.text(max_size=40), st.integers(0, 100 * GB), max_size=20),
    count=st.integers(0, 8),
    total_gb=st.sampled_from([0, 4, 80, 2_151]),
    speed=st.floats(0, 1e9),
    size=st.tuples(st.integers(LEAST_WIDTH, 100), st.integers(0, 30)),
)
def test_nothing_is_wider_or_higher_than_there_is_room(
    held: dict[str, int], count: int, total_gb: int, speed: float, size: tuple[int, int]
) -> None:
    gpus = [replace(card(index), total_bytes=total_gb * GB, free_bytes=0) for index in range(count)]
    shots = snapshots(held, gpus, Ram(total_gb * GB, 0, GB))
    lines = shown(Gauges(shots, speed, {name: Speed(speed, speed / 82) for name in held}), *size)
    width, height = size
    assert len(lines) <= height
    assert max(map(cell_len, lines), default=0) <= width
    assert all(line.isprintable() for line in lines)
    if lines:
        assert cell_len(lines[0]) == width, "the figure stands at the right end"


@given(st.integers(0, 80 * GB), st.integers(0, 80 * GB))
def test_no_figure_moves_another(before_bytes: int, after_bytes: int) -> None:
    """The same holders with other sizes: every line is as long as it was, and every letter where it was."""

    def places(size_bytes: int) -> list[str]:
        lines = shown(on_gpus(2, {"Voxtral": size_bytes, "codec": 1}))
        lines = [line for line in lines if "/80.0 GB" not in line]
        return ["".join("." if letter in "0123456789 ." else letter for letter in line) for line in lines]

    assert places(before_bytes) == places(after_bytes)
