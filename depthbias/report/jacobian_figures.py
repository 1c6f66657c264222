"""Figures of Jacobians: rank and symmetry against noise level and depth, local linearity."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthbias.estimates.runs import ordered_architectures
from depthbias.estimates.tidy import of, over_seeds
from depthbias.report.names import ratio_title
from depthbias.report.panels import (
    architecture_marks,
    draw_points,
    in_block,
    legend_above,
    level_rows,
    mark_handles,
    panel_grid,
)
from depthbias.report.structure_figures import (
    SIGMA_LABEL,
    Measure,
    draw_architectures,
    log_axis,
    plot_against_depth,
    ratio_blocks,
    row_name,
    seeds_note,
    sigma_axis,
)
from depthbias.report.style import GREY, ordered_marks, styled
from depthbias.system.errors import UserError

AGAINST_DEPTH = (
    Measure("jacobian_rank", None, "", "rank ratio", False),
    Measure("jacobian_asymmetry", None, "", "asymmetry\n|J - Jᵀ| / |J|", True),
    Measure("local_error:leading", 20, "", "error of a step of 20 %,\nleading direction", False),
)
PANELS = {"norm": "ratio of norms", "cosine": "cosine", "error": "error of the change"}
KINDS = {"leading": "leading direction", "random": "random direction"}
MOST_LINES = 5


def latest(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows over seeds of the deepest network and the first ratio, and what they are of.

    UserError if there are none.
    """
    rows = over_seeds(rows)
    names = [name for name in ordered_architectures(rows["architecture"]) if name]
    if not names:
        raise UserError("the rows are of no model: measure the part's study first")
    ratio = rows["ratio"].iloc[0]
    mine = rows[(rows["architecture"] == names[-1]) & (rows["ratio"] == ratio)]
    return mine, f"study {mine['study'].iloc[0]}, {ratio_title(ratio)}, {names[-1]}"


@styled()
def plot_rank(rows: pd.DataFrame) -> Figure:
    """Rank ratio and asymmetry against the noise level: a row a ratio and series, a line a U-Net.

    Beside the rank, in grey, that of the Gaussian of the training images.
    """
    models = rows[~rows["metric"].str.contains("_per_depth") & (rows["architecture"] != "")]
    ranks = level_rows(models, "jacobian_rank", "jacobian part")
    apart = level_rows(models, "jacobian_asymmetry", "jacobian part")
    gaussian = level_rows(models, "jacobian_rank:gaussian", "jacobian part")
    blocks, marks = ratio_blocks(ranks), architecture_marks(ranks["architecture"])
    figure, grid = panel_grid(len(blocks), 2, share="col")
    figure.set_figwidth(6.2)
    for (ratio, block), (left, right) in zip(blocks, grid, strict=True):
        for axes, shown, log in ((left, ranks, False), (right, apart, True)):
            sigma_axis(axes, shown, log)
            draw_architectures(axes, in_block(shown[shown["ratio"] == ratio], block), marks)
        line = over_seeds(in_block(gaussian[gaussian["ratio"] == ratio], block))
        line = line.groupby("sigma")["value"].mean()
        left.plot(line.index, line, color=GREY, lw=1, ls=":")
        left.set_ylim(0, 1.03)
        left.set_ylabel("\n".join([row_name(ratio, block, blocks), "rank ratio"]).strip())
        right.set_ylabel("asymmetry")
    figure.supxlabel(SIGMA_LABEL, fontsize=8)
    reference = Line2D([], [], color=GREY, ls=":", label="Gaussian of the images")
    legend_above(figure, [*mark_handles(marks), reference], [seeds_note(ranks)])
    return figure


def plot_rank_depth(rows: pd.DataFrame) -> Figure:
    """Rank, asymmetry and local error, means over regimes of noise levels, against depth."""
    return plot_against_depth(rows, AGAINST_DEPTH)


@styled()
def plot_local(rows: pd.DataFrame) -> Figure:
    """Norm ratio, cosine and error against the length of a step, a line a noise level.

    A row a kind of direction; of the deepest network and the first ratio.
    """
    levels = of(rows, "local_error")
    mine, title = latest(levels[levels["sigma"].notna()])
    sigmas = np.sort(mine["sigma"].unique())
    picked = np.unique(np.linspace(0, len(sigmas) - 1, MOST_LINES).round().astype(int))
    marks = dict(zip(sigmas[picked], ordered_marks(len(picked)), strict=True))
    keys = ["study", "ratio", "architecture", "seed"]
    own = rows.merge(mine[keys].drop_duplicates(), on=keys)
    figure, grid = panel_grid(len(KINDS), len(PANELS), share="col")
    for (kind, words), line in zip(KINDS.items(), grid, strict=True):
        for name, axes in zip(PANELS, line, strict=True):
            shown = of(own, f"local_{name}:{kind}")
            for place, (sigma, mark) in enumerate(marks.items()):
                here = shown[shown["sigma"] == sigma].sort_values("k")
                draw_points(axes, here["k"].to_numpy(), here, mark, place - 2.0, ms=3)
            axes.axhline(float(name != "error"), color=GREY, lw=0.8)
        line[0].set_ylabel(words)
    strengths = mine["k"].unique()
    for name, axes in zip(PANELS, grid[0], strict=True):
        whole = of(own, f"local_{name}")
        whole = whole[whole["sigma"].isin(list(marks))]
        low, high = whole["value"].min(), whole["value"].max()
        room = 0.08 * max(high - low, 0.02)
        axes.set_title(PANELS[name])
        axes.set_ylim(min(low, 1.0 if name != "error" else 0.0) - room, max(high, 1.0) + room)
        log_axis(axes.xaxis, strengths.min() / 1.3, strengths.max() * 1.3)
        axes.set_xticks(strengths)
    figure.supxlabel("length of the step, percent of the noise's", fontsize=8)
    handles = mark_handles({f"$\\sigma$ = {sigma:g}": mark for sigma, mark in marks.items()})
    legend_above(figure, handles, [title])
    return figure
