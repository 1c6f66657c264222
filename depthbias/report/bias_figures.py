"""Class proportions and their amplification against depth."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthbias.estimates.runs import REAL, ordered_architectures
from depthbias.report.depth_notes import depth_notes
from depthbias.report.doubts import doubts
from depthbias.report.names import ratio_title
from depthbias.report.panels import (
    DEPTH_LABEL,
    ROW_HEIGHT,
    PanelRow,
    blocks_of,
    depth_axis,
    draw_ghost,
    draw_line,
    draw_points,
    in_block,
    legend_above,
    limits,
    line_ends,
    line_handles,
    mark_handles,
    metric_rows,
    name_rows,
    panel_grid,
    sample_note,
    scaled,
)
from depthbias.report.style import GREY, Mark, class_marks, label_ends, ordered_marks, styled

NAME_GAP = 0.17 / ROW_HEIGHT
REFERENCE: dict[str, Any] = {"ls": (0, (4, 3)), "lw": 0.8, "alpha": 0.8, "zorder": 0.8}


@styled()
def plot_proportions(summary: pd.DataFrame) -> Figure:
    """Share of each class among the generated images against depth (the left of [BIAS] Fig. 4).

    A column of panels a ratio, a row a sampler and series. `summary`: tidy rows with the metrics
    share_corrected and share_train (fractions); those of the metric `parameters` go to the heading.
    """
    shares, trained = (scaled(metric_rows(summary, f"share_{m}")) for m in ("corrected", "train"))
    trained = trained[trained["architecture"] != REAL]
    blocks, ratios = blocks_of(shares), list(shares["ratio"].unique())
    marks = _marks(trained, "class", class_marks)
    control = bool((shares["architecture"] == REAL).any())
    figure, grid = panel_grid(len(blocks), len(ratios), share="all")
    for block, line in zip(blocks, grid, strict=True):
        for ratio, axes in zip(ratios, line, strict=True):
            place = depth_axis(axes, shares, control)
            axes.set(ylim=(-2, 102), yticks=range(0, 101, 25))
            aims = trained[trained["ratio"] == ratio].groupby("class")["value"].mean()
            _draw_shares(axes, shares[shares["ratio"] == ratio], block, marks, aims, place)
        last = in_block(shares[shares["ratio"] == ratios[-1]], block)
        label_ends(line[-1], line_ends(last, "class", marks), NAME_GAP)
    for ratio, axes in zip(ratios, grid[0], strict=True):
        axes.set_title(ratio_title(ratio))
    name_rows(grid, blocks, "share of generated\nimages (%)")
    figure.supxlabel(DEPTH_LABEL, fontsize=8)
    handles = line_handles(shares)
    handles.append(Line2D([], [], color=GREY, label="training data", **REFERENCE))
    if control:
        handles.append(Line2D([], [], color=GREY, marker="D", ls="none", label="real images"))
    notes = [*_size_notes(summary), *depth_notes(summary), *doubts(summary)]
    legend_above(figure, handles, [sample_note(shares), *notes])
    return figure


def _draw_shares(
    axes: Axes,
    rows: pd.DataFrame,
    block: PanelRow,
    marks: Mapping[str, Mark],
    aims: pd.Series,
    place: float,
) -> None:
    """One panel: the classes of one ratio in one block, their training shares and the control."""
    for position, (name, mark) in enumerate(marks.items()):
        shift = 1.5 * (position - (len(marks) - 1) / 2)
        mine = rows[rows["class"] == name]
        axes.axhline(aims[name], color=mark.colour, **REFERENCE)
        real = mine[mine["architecture"] == REAL].head(1)  # of the first seed's subset
        x = np.full(len(real), place)
        draw_points(axes, x, real, mark, shift, marker="D", ls="none")
        draw_ghost(axes, mine, block)
        draw_line(axes, in_block(mine, block), mark, shift)


class AmplificationColumn(NamedTuple):
    """A column of panels of `plot_kappa`: `rows`, a line for each value of the column `by`."""

    title: str
    label: str
    rows: pd.DataFrame
    by: str
    marks: dict[str, Mark]
    faithful: float
    above: str
    below: str


@styled()
def plot_kappa(summary: pd.DataFrame) -> Figure:
    """How much bias is amplified against depth, by two measures that are 0 and 1 if it is not.

    Log-odds shift logit p_generated - logit p_training, a panel a class and a line a ratio; and,
    where the study has several ratios, the amplification exponent kappa, the slope of
    logit p_generated on logit p_training over them ([BIAS] Theorem 2). Of two classes only the
    minority is shown: for the other one the shift has the opposite sign and kappa is the same.
    """
    columns = _amplification_columns(summary)
    shifts = columns[0].rows
    blocks = blocks_of(shifts)
    figure, grid = panel_grid(len(blocks), len(columns), share="col")
    for block, line in zip(blocks, grid, strict=True):
        for column, axes in zip(columns, line, strict=True):
            _draw_column(axes, column, block)
    for column, axes in zip(columns, grid[0], strict=True):
        axes.set_title(column.title)
    last = columns[-1]
    if last.by == "class" and len(last.marks) > 1:
        for block, axes in zip(blocks, grid[:, -1], strict=True):
            ends = line_ends(in_block(last.rows, block), last.by, last.marks)
            label_ends(axes, ends, NAME_GAP)
    name_rows(grid, blocks, columns[0].label)
    figure.supxlabel(DEPTH_LABEL, fontsize=8)
    handles = [*line_handles(shifts), *mark_handles(columns[0].marks)]
    notes = [sample_note(shifts), *depth_notes(summary), *doubts(summary)]
    legend_above(figure, handles, notes)
    return figure


def _amplification_columns(summary: pd.DataFrame) -> list[AmplificationColumn]:
    """What `plot_kappa` shows of a summary."""
    shifts, kappas = metric_rows(summary, "log_odds_shift"), metric_rows(summary, "kappa")
    shifts = shifts[shifts["architecture"] != REAL]
    classes = list(shifts["class"].unique())
    shown = classes if len(classes) > 2 else classes[-1:]
    marks = _marks(shifts, "ratio", ordered_marks)
    columns = []
    for name in shown:
        rows = shifts[shifts["class"] == name]
        label = "log-odds shift (logits)"
        columns.append(
            AmplificationColumn(
                f"shift of {name}", label, rows, "ratio", marks, 0, "gains", "loses"
            )
        )
    rows = kappas[kappas["class"].isin(shown)]
    if not rows.empty:
        marks = _marks(rows, "class", class_marks)
        title, label = "amplification exponent", "κ (no unit)"
        columns.append(
            AmplificationColumn(title, label, rows, "class", marks, 1, "amplifies", "attenuates")
        )
    return columns


def _draw_column(axes: Axes, column: AmplificationColumn, block: PanelRow) -> None:
    """One panel of `plot_kappa`."""
    depth_axis(axes, column.rows, control=False)
    axes.set_ylim(limits(column.rows, [column.faithful], room=0.12))  # room for the words
    axes.axhline(column.faithful, color=GREY, **REFERENCE)
    for position, (name, mark) in enumerate(column.marks.items()):
        shift = 2.5 * (position - (len(column.marks) - 1) / 2)
        mine = column.rows[column.rows[column.by] == name]
        draw_ghost(axes, mine, block)
        draw_line(axes, in_block(mine, block), mark, shift, seeds=len(column.marks) <= 2)
    axes.set_ylabel(column.label)
    look: dict[str, Any] = {"xycoords": "axes fraction", "color": GREY, "style": "italic"}
    axes.annotate(f"↑ {column.above}", (0.03, 0.98), va="top", fontsize=7, **look)
    axes.annotate(f"↓ {column.below}", (0.03, 0.02), va="bottom", fontsize=7, **look)


def _marks(rows: pd.DataFrame, by: str, make: Callable[[int], list[Mark]]) -> dict[str, Mark]:
    """A mark for every value of a column, in the order of the rows."""
    names = list(rows[by].unique())
    return dict(zip(names, make(len(names)), strict=True))


def _size_notes(summary: pd.DataFrame) -> list[str]:
    """Millions of parameters of each architecture, if the summary has them."""
    rows = summary[summary["metric"] == "parameters"]
    parameters = dict(zip(rows["architecture"], rows["value"], strict=True))
    sizes = [
        f"{name}\N{NO-BREAK SPACE}{parameters[name] / 1e6:.1f}"
        for name in ordered_architectures(parameters)
    ]
    return ["million parameters: " + ", ".join(sizes)] if sizes else []
