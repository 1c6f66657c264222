"""Figures of membership attacks: area under the curve against the noise level, and the curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from depthbias.diffusion.architectures import SERIES, get_architecture
from depthbias.measures.denoising_errors import DenoisingErrors
from depthbias.measures.membership import FALSE_POSITIVES, Side, at_shares, chance_band, roc
from depthbias.measures.membership_rows import ATTACKS, attacks_of, compared
from depthbias.measures.rows import grouped
from depthbias.report.names import ratio_title
from depthbias.report.panels import (
    architecture_marks,
    in_block,
    legend_above,
    level_rows,
    limits,
    mark_handles,
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
from depthbias.report.style import GREY, Mark, styled
from depthbias.system.errors import UserError

TITLES = {"loss": "loss attack", "sima": "SimA attack"}
POINTS = 200  # of a curve
SHADE = "#e8e8e8"


@styled()
def plot_membership(summary: pd.DataFrame) -> Figure:
    """AUC of the attacks against the noise level: a column each, a line an architecture.

    A row a ratio and series; grey: .5, what knows nothing.
    """
    whole = summary[summary["class"] == ""]
    columns = [level_rows(whole, f"attack_auc:{attack}", "membership") for attack in ATTACKS]
    whole = pd.concat(columns)
    blocks, marks = ratio_blocks(whole), architecture_marks(whole["architecture"])
    figure, grid = panel_grid(len(blocks), len(ATTACKS), share="all")
    for (ratio, block), line in zip(blocks, grid, strict=True):
        for rows, axes in zip(columns, line, strict=True):
            log_axis(axes.xaxis, whole["sigma"].min() / 1.4, whole["sigma"].max() * 1.4)
            axes.set_ylim(limits(whole, [0.5]))
            axes.axhline(0.5, color=GREY, lw=0.8)
            draw_architectures(axes, in_block(rows[rows["ratio"] == ratio], block), marks)
        line[0].set_ylabel(f"{row_name(ratio, block, blocks)}\nAUC")
    for attack, axes in zip(ATTACKS, grid[0], strict=True):
        axes.set_title(TITLES[attack])
    figure.supxlabel(SIGMA_LABEL, fontsize=8)
    legend_above(figure, mark_handles(marks), [seeds_note(whole)])
    return figure


@styled()
def plot_roc(runs: Sequence[DenoisingErrors]) -> Figure:
    """ROC curves of both attacks over all noise levels, on log axes, for the runs of one ratio.

    A column an attack, a row a series, a line an architecture: the mean over seeds, at equal
    false-positive shares. Thin: single seeds. Shaded: 95 % of models that know nothing.
    """
    if len({(one.run.study, one.run.ratio) for one in runs}) != 1:
        raise UserError("--measurements: give those of one study and ratio")
    shown = {
        one.run.architecture: get_architecture(one.run.architecture).shown_with for one in runs
    }
    blocks = [name for name in SERIES if name in shown.values()]
    marks = architecture_marks(shown)
    figure, grid = panel_grid(len(blocks), len(ATTACKS), share="all")
    for block, line in zip(blocks, grid, strict=True):
        own = [one for one in runs if shown[one.run.architecture] == block]
        for attack, axes in zip(ATTACKS, line, strict=True):
            _draw_curves(axes, own, attack, marks)
        name = f"{SERIES[block]}\n" if len(blocks) > 1 else ""
        line[0].set_ylabel(f"{name}members found")
    for attack, axes in zip(ATTACKS, grid[0], strict=True):
        axes.set_title(TITLES[attack])
    figure.supxlabel("non-members taken for members", fontsize=8)
    chance = Patch(color=SHADE, label="95 % of what knows nothing")
    level = Line2D([], [], color=GREY, ls=":", lw=0.8, label=f"{FALSE_POSITIVES:.0%}")
    lines = [
        Line2D([], [], color=mark.colour, ls=mark.line, label=name) for name, mark in marks.items()
    ]
    legend_above(figure, [*lines, chance, level], [_note(runs)])
    return figure


def _draw_curves(
    axes: Axes, runs: Sequence[DenoisingErrors], attack: str, marks: dict[str, Mark]
) -> None:
    """One panel: the curves of an attack, from the least false-positive share that can be told."""
    low = float(next(compared(runs[0])).sides[1].weights.min())
    shares = np.geomspace(low, 1, POINTS)
    members, others, sides = _scores(runs[0], attack)
    band = chance_band(members, others, sides, shares, "roc", attack, *runs[0].run.key)
    axes.fill_between(shares, *np.maximum(band, low / 2), color=SHADE, lw=0, zorder=0)
    for group in grouped(runs, "architecture"):
        mark = marks[group[0].run.architecture]
        true = np.stack([at_shares(roc(*_scores(one, attack)), shares) for one in group])
        true = np.maximum(true, low / 2)  # below the panel
        look: dict[str, Any] = {"color": mark.colour, "ls": mark.line}
        if len(group) > 1:
            axes.plot(shares, true.T, lw=0.5, alpha=0.4, **look)
        axes.plot(shares, true.mean(axis=0), **look)
    for axis in (axes.xaxis, axes.yaxis):
        log_axis(axis, low, 1)
    axes.plot([low, 1], [low, 1], color=GREY, lw=0.8)
    axes.axvline(FALSE_POSITIVES, color=GREY, ls=":", lw=0.8)


def _scores(
    errors: DenoisingErrors, attack: str
) -> tuple[np.ndarray, np.ndarray, tuple[Side, Side]]:
    """Scores over all levels of members and non-members, and how much each of them counts."""
    everything, found = next(compared(errors)), attacks_of(errors)[ATTACKS.index(attack)]
    return found.members[-1], found.others[-1], everything.sides


def _note(runs: Sequence[DenoisingErrors]) -> str:
    """What the curves rest on."""
    run, seeds = runs[0].run, len({one.run.seed for one in runs})
    several = f"mean of {seeds} seeds" if seeds > 1 else "one seed"
    images = f"{runs[0].training_labels.size} members, {runs[0].heldout_labels.size} others"
    return f"study {run.study}, {ratio_title(run.ratio)}: {several}; {images} a model"
