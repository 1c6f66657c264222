"""Figures of held-out and training loss, and of what each stage of a U-Net is worth."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import ALL, REAL, ordered_architectures
from depthbias.measures.denoising_rows import DEPTH_LEVELS, FREE
from depthbias.measures.effective_depths import effective_depths
from depthbias.report.depth_notes import depth_notes
from depthbias.report.names import ratio_title
from depthbias.report.panels import (
    architecture_marks,
    draw_points,
    empty_figure,
    in_block,
    legend_above,
    level_rows,
    limits,
    mark_handles,
    metric_rows,
    panel_grid,
)
from depthbias.report.structure_figures import (
    SIGMA_LABEL,
    draw_architectures,
    log_axis,
    ratio_blocks,
    row_name,
    seeds_note,
    value_axis,
)
from depthbias.report.style import GREY, Mark, ordered_marks, styled

NO_STAGES = "No architecture of this study has stages that could be cut off."


@styled()
def plot_depth_use(summary: pd.DataFrame) -> Figure:
    """What cutting off stages costs against the noise level, a column a U-Net and a row a ratio.

    A line for each number of stages kept: held-out loss over that of the whole model. Dashed: what
    counts as no cost.
    """
    rows = metric_rows(summary, "stage_cost")
    rows = rows[rows["sigma"].notna()]
    names = ordered_architectures(rows["architecture"])
    if not names:
        return empty_figure(NO_STAGES)
    ratios, depths = list(rows["ratio"].unique()), effective_depths(summary)
    kept = ordered_marks(max(get_architecture(name).stages for name in names) - 1)
    marks = {float(k): mark for k, mark in enumerate(kept, start=1)}
    figure, grid = panel_grid(len(ratios), len(names), share="all")
    for ratio, line in zip(ratios, grid, strict=True):
        for name, axes in zip(names, line, strict=True):
            mine = rows[(rows["ratio"] == ratio) & (rows["architecture"] == name)]
            _draw_costs(axes, mine[mine["seed"] == ALL], rows, marks)
        line[0].set_ylabel(f"{ratio_title(ratio)}\nloss / that of all stages")
    for name, axes in zip(names, grid[0], strict=True):
        axes.set_title(f"{name}\n(effective depth {depths[name]:.2g})")
    figure.supxlabel(SIGMA_LABEL, fontsize=8)
    titles = ["first stage kept", *(f"first {k:g} stages kept" for k in list(marks)[1:])]
    handles = mark_handles(dict(zip(titles, marks.values(), strict=True)))
    free = Line2D([], [], color=GREY, ls="--", lw=0.8, label=f"no cost (up to {FREE:g})")
    legend_above(figure, [*handles, free], [seeds_note(rows), *depth_notes(summary)])
    return figure


def _draw_costs(
    axes: Axes, rows: pd.DataFrame, whole: pd.DataFrame, marks: dict[float, Mark]
) -> None:
    """One panel; `whole`: the rows of all panels, which share their axes."""
    _level_axis(axes, whole)
    value_axis(axes, whole, log=True)
    axes.axhline(FREE, color=GREY, ls="--", lw=0.8)
    for k, mark in marks.items():
        mine = rows[rows["k"] == k].sort_values("sigma")
        draw_points(axes, mine["sigma"].to_numpy(), mine, mark, 0, ms=3)


@styled()
def plot_convergence(summary: pd.DataFrame) -> Figure:
    """Held-out loss, and by how much the training loss is away from it, against the noise level.

    A row a ratio and series, a line an architecture. Dotted: the best constant image.
    """
    models = summary[summary["architecture"] != REAL]
    losses, gaps = (
        level_rows(models, metric, "denoising errors") for metric in ("heldout_loss", "loss_gap")
    )
    shares = _relative(gaps, losses)
    constant = summary[(summary["metric"] == "constant_loss") & (summary["seed"] == ALL)]
    constant = dict(zip(constant["ratio"], constant["value"], strict=True))
    blocks, marks = ratio_blocks(losses), architecture_marks(losses["architecture"])
    figure, grid = panel_grid(len(blocks), 2, share="col")
    for (ratio, block), line in zip(blocks, grid, strict=True):
        for rows, axes in zip((losses, shares), line, strict=True):
            _level_axis(axes, losses)
            draw_architectures(axes, in_block(rows[rows["ratio"] == ratio], block), marks)
        value_axis(line[0], losses, log=True)
        line[0].axhline(constant[ratio], color=GREY, ls=":", lw=1)
        line[1].set_ylim(limits(shares, [0]))
        line[1].axhline(0, color=GREY, lw=0.8)
        line[0].set_ylabel(f"{row_name(ratio, block, blocks)}\nloss a pixel")
        line[1].set_ylabel("% of held-out loss")
    for title, axes in zip(("held-out loss", "training loss minus it"), grid[0], strict=True):
        axes.set_title(title)
    figure.supxlabel(SIGMA_LABEL, fontsize=8)
    dotted = Line2D([], [], color=GREY, ls=":", lw=1, label="best constant image")
    legend_above(figure, [*mark_handles(marks), dotted], [seeds_note(losses)])
    return figure


def _relative(gaps: pd.DataFrame, losses: pd.DataFrame) -> pd.DataFrame:
    """Gaps in percent of the held-out loss of the same run and level, taken as exact."""
    keys = ["ratio", "architecture", "seed", "sigma"]
    whole = gaps.merge(losses[[*keys, "value"]], on=keys, suffixes=("", "_whole"))
    ends: Sequence[str] = ("value", "lower", "upper")
    return whole.assign(**{end: 100 * whole[end] / whole["value_whole"] for end in ends})


def _level_axis(axes: Axes, rows: pd.DataFrame) -> None:
    """A log axis of noise levels; shaded: those at which stages are judged."""
    low, high = rows["sigma"].min() / 1.4, rows["sigma"].max() * 1.4
    log_axis(axes.xaxis, low, high)
    decades = 10.0 ** np.arange(np.ceil(np.log10(low)), np.log10(high))
    axes.set_xticks(decades)
    axes.axvspan(*DEPTH_LEVELS, color="#f1f1f1", lw=0, zorder=0)
    axes.set_xlim(low, high)
