"""Figures of round trips: bias and variance beside the k-NN twin, and flips by noise level."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthbias.estimates.runs import TRAIN
from depthbias.report.panels import (
    DEPTH_LABEL,
    ROW_HEIGHT,
    architecture_marks,
    depth_axis,
    draw_line,
    draw_points,
    empty_figure,
    in_block,
    legend_above,
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
)
from depthbias.report.style import GREY, Mark, class_marks, styled
from depthbias.system.errors import UserError

MISSING = "the summary has no round trips: measure the study's flips"
ONE_SEED = "Bias and variance need two training seeds; this study has one."
LINES = {
    "bias": "bias²",
    "variance_sets": "variance between training sets",
    "variance_noises": "variance between noises",
}
PARTS = {"heldout": "held-out images", "training": "training images"}
WEIGHTED = 4.0  # the weighted votes of all images stand so many times right of the largest k


@styled()
def plot_bias_variance(summary: pd.DataFrame) -> Figure:
    """Bias² and variance of the decoded class: of k-NN against k, of U-Nets against depth.

    A row a ratio, series and part of the images; means over noise levels, on the same axes.
    """
    if not summary["metric"].str.startswith("flip_rate:").any():
        raise UserError(MISSING)
    found = {name: _over_levels(summary, f"class_{name}:{{}}") for name in LINES}
    whole = pd.concat(found.values())
    if whole.empty:
        return empty_figure(ONE_SEED)
    models = whole[whole["architecture"] != TRAIN]
    blocks = ratio_blocks(models)
    rows = [(ratio, block, part) for ratio, block in blocks for part in PARTS]
    marks = dict(zip(LINES, class_marks(len(LINES)), strict=True))
    figure = Figure(figsize=(5.6, ROW_HEIGHT * len(rows) + 0.6), layout="constrained")
    grid = figure.subplots(len(rows), 2, squeeze=False, sharex="col", sharey=True)
    for (ratio, block, part), (left, right) in zip(rows, grid, strict=True):
        _neighbor_axis(left, whole)
        depth_axis(right, models, control=False)
        left.set_ylim(limits(whole, [0]))
        for place, (name, mark) in enumerate(marks.items()):
            mine = found[name]
            mine = mine[(mine["ratio"] == ratio) & (mine["part"] == part)]
            shift = 1.5 * (place - 1)
            _draw_neighbors(left, mine[mine["architecture"] == TRAIN], mark, shift)
            draw_line(right, in_block(mine, block), mark, shift, seeds=False)
        for axes in (left, right):
            axes.axhline(0, color=GREY, lw=0.6, zorder=0.5)
        left.set_ylabel(f"{row_name(ratio, block, blocks)}\n{PARTS[part]}".strip())
    for axes, title in zip(grid[0], ("nearest neighbours", "networks"), strict=True):
        axes.set_title(title)
    for axes, label in zip(grid[-1], ("k", DEPTH_LABEL), strict=True):
        axes.set_xlabel(label)
    handles = mark_handles({LINES[name]: mark for name, mark in marks.items()})
    weighted = Line2D(
        [], [], color=GREY, marker="o", mfc="white", ls="none", label="weighted votes"
    )
    legend_above(figure, [*handles, weighted], [_note(models)])
    return figure


@styled()
def plot_flips(summary: pd.DataFrame) -> Figure:
    """How often held-out images of one class come back as another, against the noise level.

    A column a pair of classes, a row a ratio and series, a line an architecture; grey: k-NN by
    weighted votes.
    """
    whole = _rows(summary, "flip_rate:heldout")
    whole = whole[whole["sigma"].notna()]
    if whole.empty:
        raise UserError(MISSING)
    models = whole[whole["architecture"] != TRAIN]
    twins = whole[(whole["architecture"] == TRAIN) & whole["k"].isna()]
    pairs, blocks = list(models["class"].unique()), ratio_blocks(models)
    marks = architecture_marks(models["architecture"])
    figure, grid = panel_grid(len(blocks), len(pairs), share="all")
    for (ratio, block), line in zip(blocks, grid, strict=True):
        for pair, axes in zip(pairs, line, strict=True):
            log_axis(axes.xaxis, whole["sigma"].min() / 1.4, whole["sigma"].max() * 1.4)
            axes.set_ylim(-0.03, 1.03)
            twin = twins[(twins["ratio"] == ratio) & (twins["class"] == pair)]
            twin = twin.sort_values("sigma")
            axes.plot(twin["sigma"], twin["value"], color=GREY, lw=1, ls=":")
            mine = models[(models["ratio"] == ratio) & (models["class"] == pair)]
            draw_architectures(axes, in_block(mine, block), marks)
        line[0].set_ylabel(f"{row_name(ratio, block, blocks)}\nshare that flips".strip())
    for pair, axes in zip(pairs, grid[0], strict=True):
        axes.set_title(pair.replace("->", " → "))
    figure.supxlabel(SIGMA_LABEL, fontsize=8)
    twin = Line2D([], [], color=GREY, lw=1, ls=":", label="weighted votes")
    legend_above(figure, [*mark_handles(marks), twin], [seeds_note(models)])
    return figure


def _rows(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows of models, as `metric_rows`, and of neighbours, which have no depth."""
    twins = summary["architecture"] == TRAIN
    own = summary[twins & (summary["metric"] == metric)]
    return pd.concat([metric_rows(summary[~twins], metric), own])


def _over_levels(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows over all noise levels of a metric of both parts; metric: with {} for the part."""
    found = [_rows(summary, metric.format(part)).assign(part=part) for part in PARTS]
    rows = pd.concat(found)
    return rows[rows["sigma"].isna()]


def _neighbor_axis(axes: Axes, rows: pd.DataFrame) -> None:
    """A log axis of k, with the weighted votes right of it."""
    numbers = sorted(rows["k"].dropna().unique())
    end = WEIGHTED * numbers[-1]
    log_axis(axes.xaxis, numbers[0] / 1.6, end * 1.6)
    axes.set_xticks([*numbers, end], [*(f"{k:g}" for k in numbers), "all"])


def _draw_neighbors(axes: Axes, rows: pd.DataFrame, mark: Mark, shift: float) -> None:
    voted = rows[rows["k"].notna()].sort_values("k")
    draw_points(axes, voted["k"].to_numpy(), voted, mark, shift)
    weighted = rows[rows["k"].isna()]
    place = weighted["k"].fillna(WEIGHTED * voted["k"].max()).to_numpy()
    draw_points(axes, place, weighted, mark, shift, mfc="white", ls="none")


def _note(rows: pd.DataFrame) -> str:
    """The study, and what bias and variance rest on."""
    sets, images = (int(rows[name].max()) for name in ("runs", "n"))
    interval = "95 % interval" if sets > 2 else "no interval below three"
    return f"study {rows['study'].iloc[0]}: {sets} training sets ({interval}), {images} images"
