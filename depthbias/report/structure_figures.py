"""Figures of linear and Gaussian structure: against the noise level, and against depth."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from depthbias.diffusion.architectures import SERIES
from depthbias.estimates.runs import ALL
from depthbias.measures.structure_rows import REGIMES
from depthbias.report.depth_notes import depth_notes
from depthbias.report.names import ratio_title
from depthbias.report.panels import (
    DEPTH_LABEL,
    ROW_HEIGHT,
    PanelRow,
    architecture_marks,
    blocks_of,
    depth_axis,
    draw_line,
    draw_points,
    in_block,
    legend_above,
    level_rows,
    limits,
    line_handles,
    mark_handles,
    panel_grid,
)
from depthbias.report.style import LINES, Mark, ordered_marks, styled

SIGMA_LABEL = r"noise level $\sigma$ (images span $-1$ to 1)"
SHADE = "#f1f1f1"


class Measure(NamedTuple):
    """What one panel shows: a metric of the summary (and its k), how it is called, and its axis."""

    metric: str
    k: float | None
    title: str
    label: str
    log: bool


LINEARITY = (
    Measure("linearity", 45, "linearity score", "|cosine|", False),
    Measure("linearity_centred", 45, "the same, centred", "|cosine|", False),
    Measure("linearity_nmse", 45, "departure from linear", "relative error", True),
    Measure("linearity_nmse_centred", 45, "the same, centred", "relative error", True),
)
ERRORS = (
    Measure("score_error:linear", None, "to its linear map", "error a pixel", True),
    Measure("score_error:gaussian", None, "to the Gaussian", "error a pixel", True),
    Measure("score_error:delta", None, "to the multi-delta", "error a pixel", True),
)
WEIGHTS = (
    Measure("weight_nmse", None, "weights", "|W - W_G|² / |W_G|²", True),
    Measure("alignment", 1, "leading direction", "cosine", False),
    Measure("alignment", 3, "3 leading directions", "cosine (rms)", False),
    Measure("alignment", 10, "10 leading directions", "cosine (rms)", False),
)
AGAINST_DEPTH = (
    Measure("linearity_centred", 45, "", "centred linearity\n(|cosine|)", False),
    Measure("score_error:linear", None, "", "error to its\nlinear map", False),
    Measure("score_error:gaussian", None, "", "error to the\nGaussian", False),
    Measure("weight_nmse", None, "", "weight error\n|W - W_G|² / |W_G|²", True),
)


@styled()
def plot_levels(summary: pd.DataFrame, measures: Sequence[Measure], share: bool) -> Figure:
    """Measures against the noise level: a column each, a row a ratio and series, a line a U-Net.

    share: all panels have one y axis. Shaded: the middle one of [GAUSS]'s three regimes.
    """
    columns = [_rows(summary, measure, single=True) for measure in measures]
    blocks = ratio_blocks(columns[0])
    figure, grid = panel_grid(len(blocks), len(measures), share="all" if share else "col")
    whole = pd.concat(columns)
    marks = architecture_marks(whole["architecture"])
    for (ratio, block), line in zip(blocks, grid, strict=True):
        for measure, rows, axes in zip(measures, columns, line, strict=True):
            sigma_axis(axes, whole if share else rows, measure.log)
            here = in_block(rows[rows["ratio"] == ratio], block)
            draw_architectures(axes, here, marks)
        name = row_name(ratio, block, blocks)
        line[0].set_ylabel(f"{name}\n{measures[0].label}" if share else name)
    for measure, axes in zip(measures, grid[0], strict=True):
        axes.set_title(measure.title if share else f"{measure.title}\n({measure.label})")
    figure.supxlabel(SIGMA_LABEL, fontsize=8)
    regime = Line2D([], [], color="#d9d9d9", lw=6, label="middle regime")
    legend_above(figure, [regime, *mark_handles(marks)], [seeds_note(whole)])
    return figure


@styled()
def plot_against_depth(
    summary: pd.DataFrame, measures: Sequence[Measure] = AGAINST_DEPTH
) -> Figure:
    """How depth relates to linearity: means over each regime of noise levels against depth.

    A column a regime, a row a measure, a line a ratio (and series).
    """
    rows = [_rows(summary, measure, single=False) for measure in measures]
    whole = pd.concat(rows)
    blocks = ratio_blocks(whole)
    marks = _block_marks(blocks)
    size = (6.6, ROW_HEIGHT * len(rows) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    areas = {name: ends for name, ends in REGIMES.items() if (whole["class"] == name).any()}
    grid = figure.subplots(len(rows), len(areas), squeeze=False, sharex=True)
    for measure, mine, line in zip(measures, rows, grid, strict=True):
        for name, axes in zip(areas, line, strict=True):
            here = mine[mine["class"] == name]
            depth_axis(axes, whole, control=False)
            value_axis(axes, here, measure.log)
            for position, ((ratio, block), mark) in enumerate(marks.items()):
                shift = 2.5 * (position - (len(marks) - 1) / 2)
                shown = in_block(here[here["ratio"] == ratio], block)
                draw_line(axes, shown, mark, shift, seeds=len(marks) <= 2)
        line[0].set_ylabel(measure.label)
    for (name, (low, high)), axes in zip(areas.items(), grid[0], strict=True):
        axes.set_title(f"{name} noise ({low:g} to {high:g})")
    figure.supxlabel(DEPTH_LABEL, fontsize=8)
    handles = mark_handles({row_name(*key, blocks) or key[0]: mark for key, mark in marks.items()})
    notes = [seeds_note(whole), *depth_notes(summary)]
    legend_above(figure, [*line_handles(whole), *handles], notes)
    return figure


def sigma_axis(axes: Axes, rows: pd.DataFrame, log: bool) -> None:
    """Axes for the values of `rows` against the noise level, with the middle regime shaded."""
    log_axis(axes.xaxis, rows["sigma"].min() / 1.7, rows["sigma"].max() * 1.7)
    axes.set_xticks([0.01, 1, 100])
    value_axis(axes, rows, log)
    axes.axvspan(*REGIMES["middle"], color=SHADE, lw=0, zorder=0)


def value_axis(axes: Axes, rows: pd.DataFrame, log: bool) -> None:
    """A y axis that holds the values of `rows`; a log axis holds their intervals in part."""
    if not log:
        axes.set_ylim(limits(rows))
        return
    value = rows.loc[rows["value"] > 0, "value"].to_numpy()
    bounds = rows.loc[rows["seed"] == ALL, ["lower", "upper"]].to_numpy().ravel()
    bounds = bounds[np.isfinite(bounds) & (bounds > 0)]
    low = max(bounds.min(initial=value.min()), value.min() / 5)
    high = min(bounds.max(initial=value.max()), 5 * value.max())
    log_axis(axes.yaxis, low / 1.3, high * 1.3)


def log_axis(axis: Any, low: float, high: float) -> None:
    """A log axis from low to high with few plain numbers."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low, high)})
    decades = math.log10(high / low)
    steps = (1.0, 2.0, 5.0) if decades < 1.5 else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=6))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _rows(summary: pd.DataFrame, measure: Measure, single: bool) -> pd.DataFrame:
    """The rows of one measure: at single levels, or the means over regimes."""
    return level_rows(summary, measure.metric, "structure", measure.k, single)


def ratio_blocks(rows: pd.DataFrame) -> list[tuple[str, PanelRow]]:
    """Ratios and series that occur together, in the order of the summary."""
    return [(ratio, block) for ratio in rows["ratio"].unique() for block in blocks_of(rows)]


def row_name(ratio: str, block: PanelRow, blocks: Sequence[tuple[str, PanelRow]]) -> str:
    """What tells a block from the others, as a line of its own; nothing if it is the only one."""
    series = len({block.series for _, block in blocks}) > 1
    ratios = len({ratio for ratio, _ in blocks}) > 1
    words = [ratio_title(ratio)] * ratios + [SERIES[block.series]] * series
    return ", ".join(words)


def _block_marks(blocks: Sequence[tuple[str, PanelRow]]) -> dict[tuple[str, PanelRow], Mark]:
    """A colour and marker a ratio, a line style a series."""
    ratios = list(dict.fromkeys(ratio for ratio, _ in blocks))
    by_ratio = dict(zip(ratios, ordered_marks(len(ratios)), strict=True))
    lines = dict(zip(SERIES, LINES, strict=False))
    return {(r, b): by_ratio[r]._replace(line=lines[b.series]) for r, b in blocks}


def draw_architectures(
    axes: Axes, rows: pd.DataFrame, marks: dict[str, Mark], against: str = "sigma"
) -> None:
    """A line a U-Net through its estimates over all seeds, side by side where they overlap."""
    shown = [name for name in marks if (rows["architecture"] == name).any()]
    for position, name in enumerate(shown):
        mine = rows[(rows["architecture"] == name) & (rows["seed"] == ALL)].sort_values(against)
        shift = 1.2 * (position - (len(shown) - 1) / 2)
        draw_points(axes, mine[against].to_numpy(), mine, marks[name], shift, ms=3)


def seeds_note(rows: pd.DataFrame) -> str:
    """The study and what an interval is over."""
    single = rows.loc[rows["seed"] != ALL, "seed"].nunique()
    over = f"mean of {single} seeds and 95 % interval" if single > 1 else "one seed (no interval)"
    return f"study {rows['study'].iloc[0]}: {over}"
