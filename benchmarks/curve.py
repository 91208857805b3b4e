"""The curve: keys a second by concurrency, legible on a light and on a dark page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from benchmarks.chart import INK, OURS, PEER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.results import Row

_COLOURS = {"ours": OURS, "obstore.list": PEER, "plain chain": "#c77d2e"}
_RATES = (10_000, 20_000, 50_000, 100_000, 200_000)
_TITLE = "Listing alone, each LIST after 80 ms: keys a second over the requests under way"
_CAPTION = (
    "one core; numbered folders, 1,000 keys a page; the plain chain and obstore.list ask one page after the other"
)


def _line(axes: Any, points: dict[int, float], label: str, style: str, above: int = 0) -> None:  # noqa: ANN401 matplotlib's
    """Draw a line, labelled ``above`` points over its end."""
    colour = _COLOURS[label]
    axes.plot(list(points), list(points.values()), style, color=colour, linewidth=2, markersize=5)
    last = max(points)
    axes.annotate(
        f"{label}, {points[last]:,.0f}/s",
        (last, points[last]),
        xytext=(8, above),
        textcoords="offset points",
        va="center",
        fontsize=11,
        color=colour,
    )


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the readers' rates, the plain chain and obstore beside them, as SVG without a background."""
    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 only once the backend is chosen

    ours = {int(row.name): row.rate for row in rows if row.name.isdigit()}
    (peer,) = [row.rate for row in rows if row.name.startswith("obstore")]
    settings: Any = {"svg.hashsalt": "curve", "svg.fonttype": "none", "font.family": "sans-serif", "text.color": INK}
    with mpl.rc_context(settings):
        figure, axes = plt.subplots(figsize=(10, 4.2))
        _line(axes, ours, "ours", "o-")
        _line(axes, dict.fromkeys(ours, peer), "obstore.list", "-", 8)
        _line(axes, dict.fromkeys(ours, ours[1]), "plain chain", "--", -8)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlim(1, 64 * 3.2)
        axes.set_ylim(0.8 * min(*ours.values(), peer, _RATES[0]), 1.2 * max(*ours.values(), peer, _RATES[-1]))
        axes.set_yticks(_RATES, [f"{rate:,}" for rate in _RATES])
        axes.yaxis.set_minor_locator(mpl.ticker.NullLocator())
        axes.set_xticks(list(ours), [str(count) for count in ours])
        axes.set_title(_TITLE, loc="left", color=INK, fontsize=13, fontweight="bold")
        axes.tick_params(colors=INK)
        axes.grid(visible=True, which="major", color=INK, alpha=0.2)
        for side in ("top", "right", "bottom", "left"):
            axes.spines[side].set_visible(False)
        figure.text(0.995, 0.005, _CAPTION, ha="right", fontsize=9)
        figure.tight_layout(rect=(0, 0.03, 1, 1))
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})
        plt.close(figure)
