"""The chart: keys a second on a logarithmic axis, legible on a light and on a dark page."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.results import Row

INK = "#7b828a"  # about 4:1 against white and against GitHub's dark background alike
OURS, PEER, _FLOOR = "#1f9d8a", "#8a7fd0", "#9aa0a6"
TITLES = {"sign": "Signing alone", "job": "The whole job: list, sign, write the manifest"}
_ROW_INCHES = 0.36
_GAP = 1.06  # between a bar and its label, on a logarithmic axis
_CAPTION = "keys a second on one core, logarithmic, longer is better; ratios are of alternating pairs of equal size"
_WHOLE = 10  # ratios from here on are shown without decimals


def _colour(row: Row) -> str:
    if row.name.startswith("ours"):
        return OURS
    return _FLOOR if row.name.startswith("floor") else PEER


def _merged(rows: Sequence[Row]) -> list[Row]:
    """Keep one bar per contestant, that of the largest size; fastest first."""
    best: dict[str, Row] = {}
    for row in rows:
        if row.name not in best or best[row.name].objects < row.objects:
            best[row.name] = row
    return sorted(best.values(), key=lambda row: row.rate, reverse=True)


def _label(row: Row) -> str:
    rate = f"{row.rate:,.0f}/s"
    if not row.ratios:
        return rate
    times = median(row.ratios)
    if times < 1:
        return f"{rate}, ours needs {1 / times:.1f}x"
    return f"{rate}, ours is {times:.{0 if times >= _WHOLE else 1}f}x"


def _panel(axes: Any, title: str, rows: Sequence[Row]) -> None:  # noqa: ANN401 matplotlib's
    places = range(len(rows))
    axes.barh(places, [row.rate for row in rows], color=[_colour(row) for row in rows], height=0.68)
    axes.set_xscale("log")
    axes.set_xlim(500, 20_000_000)
    axes.invert_yaxis()
    axes.set_yticks(places, [row.name for row in rows], fontsize=11)
    for place, row in zip(places, rows, strict=True):
        weight = "bold" if row.name.startswith("ours") else "normal"
        axes.text(
            row.rate * _GAP, place, _label(row), va="center", ha="left", color=INK, fontsize=11, fontweight=weight
        )
    axes.set_title(title, loc="left", color=INK, fontsize=13, fontweight="bold")
    axes.tick_params(colors=INK, length=0)
    axes.xaxis.set_ticks([])
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the scenarios that have contestants, one panel each, as SVG without a background."""
    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 only once the backend is chosen

    panels = [(TITLES[name], _merged([row for row in rows if row.scenario == name])) for name in TITLES]
    panels = [(title, merged) for title, merged in panels if merged]
    settings: Any = {"svg.hashsalt": "bench", "svg.fonttype": "none", "font.family": "sans-serif", "text.color": INK}
    with mpl.rc_context(settings):
        heights = [len(merged) for _, merged in panels]
        size = (10, _ROW_INCHES * (sum(heights) + 2 * len(heights)))
        figure, grid = plt.subplots(len(panels), 1, figsize=size, squeeze=False, height_ratios=heights)
        for axes, (title, merged) in zip(grid[:, 0], panels, strict=True):
            _panel(axes, title, merged)
        figure.text(0.995, 0.005, _CAPTION, ha="right", fontsize=9)
        figure.tight_layout()
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})
        plt.close(figure)
