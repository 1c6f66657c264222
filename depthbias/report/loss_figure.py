"""Training loss and held-out loss against images seen."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from depthbias.estimates.runs import Run, read_run
from depthbias.report.names import ratio_title
from depthbias.report.panels import architecture_marks, legend_above, mark_handles, panel_grid
from depthbias.report.style import Mark, styled
from depthbias.system.errors import UserError, reading

# Columns of a log, and what they are called.
LOSSES = {
    "loss": "training loss\n(mean squared error)",
    "heldout_loss": "held-out loss\n(averaged weights)",
}
KEYS = [key for key in Run._fields if key != "sampler"]


@styled()
def plot_losses(logs: pd.DataFrame, study: str) -> Figure:
    """Losses against images seen on two log axes; a column a ratio, a colour a depth.

    First row: the training loss, second row: that of the averaged weights on held-out images.
    `logs`: ratio, architecture, seed, images (seen), loss, heldout_loss. Thin: all rows of every
    log. Thick: the mean over rows and seeds in 12 steps a decade. Line styles: the series.
    """
    ratios, marks = list(logs["ratio"].unique()), architecture_marks(logs["architecture"])
    marks = {name: mark._replace(marker="") for name, mark in marks.items()}
    figure, grid = panel_grid(len(LOSSES), len(ratios), share="all")
    for (loss, label), line in zip(LOSSES.items(), grid, strict=True):
        for ratio, axes in zip(ratios, line, strict=True):
            _draw_panel(axes, logs[(logs["ratio"] == ratio) & (logs["images"] > 0)], loss, marks)
        line[0].set_ylabel(label)
    for ratio, axes in zip(ratios, grid[0], strict=True):
        axes.set_title(ratio_title(ratio))
    figure.supxlabel("images seen (thousands)", fontsize=8)
    seeds = logs["seed"].nunique()
    note = f"study {study}"
    if seeds > 1:
        note += f"; thin: each of {seeds} seeds; thick: their mean"
    legend_above(figure, mark_handles(marks), [note])
    return figure


def _draw_panel(axes: Axes, logs: pd.DataFrame, loss: str, marks: Mapping[str, Mark]) -> None:
    """One loss of the runs of one ratio."""
    for name, mark in marks.items():
        mine = logs[logs["architecture"] == name]
        for _, run in mine.groupby("seed"):
            axes.plot(run["images"] / 1000, run[loss], color=mark.colour, lw=0.4, alpha=0.3)
        step = np.round(np.log10(mine["images"]) * 12)
        mean = mine.groupby(step)[["images", loss]].mean()
        axes.plot(mean["images"] / 1000, mean[loss], color=mark.colour, ls=mark.line)
    axes.set(xscale="log", yscale="log")
    for axis, steps in ((axes.xaxis, (1, 3)), (axes.yaxis, (1, 2, 5))):
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def read_logs(paths: Iterable[Path], study: str) -> pd.DataFrame:
    """The rows of all training logs: study, ratio, architecture, seed, images, loss and
    heldout_loss.

    UserError for a file that is no training log, and for a run of another study.
    """
    parts = []
    for path in paths:
        with reading(path, "not a training log", "train again"):
            log = pd.read_csv(path, dtype=dict.fromkeys(KEYS, str))[[*KEYS, "images", *LOSSES]]
        told = log[KEYS].drop_duplicates().to_dict("records")
        if len(told) != 1:
            raise UserError(f"{path}: a log of {len(told)} runs, not of one: train again")
        read_run(path, told[0], study)
        parts.append(log)
    return pd.concat(parts)
