"""The figure of a sweep: what one varied quantity does to structure and memorisation."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthbias.estimates.runs import ALL, REAL, ordered_architectures
from depthbias.report.names import ratio_title
from depthbias.report.panels import ROW_HEIGHT, draw_points, legend_above, mark_handles
from depthbias.report.structure_figures import log_axis, sigma_axis, value_axis
from depthbias.report.style import GREY, Mark, class_marks, ordered_marks, styled
from depthbias.system.errors import UserError


class Line(NamedTuple):
    """A line against the value: how its metric begins, the regime it is over, and its name."""

    metric: str
    area: str
    name: str


AGAINST_SIGMA = {
    "score_error:gaussian": ("error to\nthe Gaussian", True),
    "linearity_centred": ("centred linearity\n(|cosine|)", False),
}
AGAINST_VALUE = {
    "error in the\nmiddle regime": (
        Line("score_error:linear", "middle", "to its linear map"),
        Line("score_error:gaussian", "middle", "to the Gaussian"),
        Line("score_error:delta", "middle", "to the multi-delta"),
    ),
    "distance to nearest\ntraining image (GL)": (Line("gl_pixel:", "", "GL"),),
    "share of images": (
        Line("memorised_share:", "", "memorised"),
        Line("rp_score:", "", "alike in both halves (RP)"),
    ),
}
_LINES = [line for lines in AGAINST_VALUE.values() for line in lines]
LINE_MARKS = dict(zip(_LINES, class_marks(len(_LINES)), strict=True))


@styled()
def plot_sweep(results: pd.DataFrame, values: Mapping[str, float], label: str) -> Figure:
    """Structure and memorisation against a varied quantity ([GAUSS] Figs 5 to 9).

    results: tidy rows of several studies; values: the value each of them stands for; label: what
    was varied. A row of panels a ratio and U-Net. Left: against the noise level, a line a value;
    right: against the value. Panels of what was not measured are left out. UserError if nothing
    was.
    """
    rows = results[results["study"].isin(values) & np.isfinite(results["value"])].copy()
    rows["varied"] = rows["study"].map(values)
    models = rows[rows["metric"] == "score_error:gaussian"]
    if models.empty:
        raise UserError("no structure of these studies: measure the studies of the sweep first")
    right = {title: lines for title, lines in AGAINST_VALUE.items() if len(_of_lines(rows, lines))}
    blocks = [(r, u) for r in models["ratio"].unique() for u in _architectures(models)]
    marks = _value_marks(rows["varied"].unique())
    columns = len(AGAINST_SIGMA) + len(right)
    size = (min(7.0, 1.3 + 2.0 * columns), ROW_HEIGHT * len(blocks) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(blocks), columns, squeeze=False, sharex="col", sharey="col")
    for (ratio, architecture), line in zip(blocks, grid, strict=True):
        here = rows[rows["ratio"] == ratio]
        for metric, axes in zip(AGAINST_SIGMA, line, strict=False):
            _draw_levels(axes, _levels(rows, metric), (ratio, architecture), metric, marks)
        for lines, axes in zip(right.values(), line[len(AGAINST_SIGMA) :], strict=True):
            value_axis(axes, _of_lines(rows, lines), log=False)
            _draw_values(axes, here, architecture, lines, list(marks))
        line[0].set_ylabel(f"{architecture}\n{ratio_title(ratio)}")
    titles = [title for title, _ in AGAINST_SIGMA.values()] + list(right)
    labels = [r"noise level $\sigma$"] * len(AGAINST_SIGMA) + [textwrap.fill(label, 16)] * len(
        right
    )
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    for axes, words in zip(grid[-1], labels, strict=True):
        axes.set_xlabel(words)
    legend_above(figure, _handles(marks, list(right.values())), _notes(values, rows))
    return figure


def _architectures(rows: pd.DataFrame) -> list[str]:
    """The single U-Nets of some rows, without series (which stand for slopes on depth)."""
    return ordered_architectures(rows.loc[rows["seed"] != ALL, "architecture"])


def _value_marks(values: Sequence[float]) -> dict[float, Mark]:
    found = sorted(values)
    return dict(zip(found, ordered_marks(len(found)), strict=True))


def _levels(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows over all seeds of a metric at single noise levels; of a linearity at 45 degrees."""
    mine = rows[(rows["metric"] == metric) & rows["sigma"].notna() & (rows["seed"] == ALL)]
    return mine[mine["k"].isna() | (mine["k"] == 45)]


def _of_lines(rows: pd.DataFrame, lines: Sequence[Line]) -> pd.DataFrame:
    """The rows of some lines, over seeds or of pairs of seeds ("0~1")."""
    several = (rows["seed"] == ALL) | rows["seed"].str.contains("~")
    mine = rows[
        several & rows["sigma"].isna() & rows["k"].isna() & ~rows["architecture"].str.contains("~")
    ]
    parts = [
        mine[mine["metric"].str.startswith(line.metric) & (mine["class"] == line.area)]
        for line in lines
    ]
    return pd.concat(parts)


def _draw_levels(
    axes: Axes, rows: pd.DataFrame, block: tuple[str, str], metric: str, marks: Mapping[float, Mark]
) -> None:
    """One measure against the noise level, a line a value of the sweep."""
    sigma_axis(axes, rows, AGAINST_SIGMA[metric][1])
    mine = rows[(rows["ratio"] == block[0]) & (rows["architecture"] == block[1])]
    for value, mark in marks.items():
        line = mine[mine["varied"] == value].sort_values("sigma")
        draw_points(axes, line["sigma"].to_numpy(), line, mark, 0, ms=3)


def _draw_values(
    axes: Axes,
    rows: pd.DataFrame,
    architecture: str,
    lines: Sequence[Line],
    values: Sequence[float],
) -> None:
    """Some measures against the value of the sweep; dotted: the same for real held-out images."""
    log_axis(axes.xaxis, values[0] / 1.5, values[-1] * 1.5)
    axes.set_xticks(values, [f"{value:g}" for value in values], rotation=45, ha="right")
    for line in lines:
        mark = LINE_MARKS[line]
        mine = _of_lines(rows, [line]).sort_values("varied")
        shown = mine[mine["architecture"] == architecture]
        draw_points(axes, shown["varied"].to_numpy(), shown, mark, 0)
        real = mine[(mine["architecture"] == REAL) & (mine["seed"] == ALL)]
        axes.plot(real["varied"], real["value"], color=GREY, ls=":", lw=1)


def _handles(marks: Mapping[float, Mark], right: Sequence[Sequence[Line]]) -> list[Artist]:
    """Values, then what the panels at the right show."""
    named = {f"{value:g}": mark for value, mark in marks.items()}
    named |= {line.name: LINE_MARKS[line] for lines in right for line in lines}
    real = Line2D([], [], color=GREY, ls=":", lw=1, label="held-out images")
    return [*mark_handles(named), real]


def _notes(values: Mapping[str, float], rows: pd.DataFrame) -> list[str]:
    seeds = rows.loc[~rows["seed"].isin([ALL, ""]) & ~rows["seed"].str.contains("~"), "seed"]
    return [f"{len(values)} studies; {seeds.nunique()} seeds, 95 % intervals"]
