from __future__ import annotations

from textual.app import App, ComposeResult

from voxterm.gauges import Gauges
from voxterm.gpu import GB, GpuInfo, Ram, snapshots
from voxterm.tui.panes.gpu_pane import GpuPane


class Stage(App[None]):
    CSS = "#gpu { width: 50; height: 10; border: round white; padding: 0 1; text-wrap: nowrap; }"

    def compose(self) -> ComposeResult:
        yield GpuPane()


def gauges(name: str = "NVIDIA H100 80GB HBM3") -> Gauges:
    gpu = GpuInfo(0, name, 80 * GB, 60 * GB, 0, utilisation_percent=41)
    return Gauges(snapshots({"Voxtral": 9 * GB}, [gpu], Ram(0, 0, 0)))


def rows(app: App[None]) -> list[str]:
    """What is on the screen."""
    return ["".join(part.text for part in strip).rstrip() for strip in app.screen._compositor.render_strips()]


async def test_it_fills_its_border_and_names_the_gpu_in_it() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        pane = app.query_one(GpuPane)
        assert "memory" in rows(app)[0]
        pane.gauges = gauges()
        await pilot.pause()
        top, bar, legend, *_ = rows(app)
        assert "gpu 0 · H100 80GB HBM3" in top
        assert bar.endswith("20.0/80.0 GB │")
        assert "█ Voxtral  9.0" in legend


async def test_a_gpu_with_markup_for_a_name_has_it_shown() -> None:
    app = Stage()
    async with app.run_test(size=(60, 12)) as pilot:
        pane = app.query_one(GpuPane)
        pane.gauges = gauges("[red]x[/] \x1b[2J [@click=app.quit]")
        await pilot.pause()
        assert "gpu 0 · [red]x[/] \\x1b[2J" in rows(app)[0]
