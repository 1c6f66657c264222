"""Training loss against images seen."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from depthbias.estimates.runs import Run, read_run
from depthbias.report.names import ratio_title
from depthbias.report.panels import architecture_marks, legend_above, mark_handles, panel_grid
from depthbias.report.style import styled
from depthbias.system.errors import UserError, reading

KEYS = [key for key in Run._fields if key != "sampler"]


@styled()
def plot_losses(logs: pd.DataFrame, study: str) -> Figure:
    """Training loss against images seen on two log axes; a panel a ratio, a colour a depth.

    `logs`: ratio, architecture, seed, images (seen), loss. Thin: all rows of every log. Thick: the
    mean over rows and seeds in 12 steps a decade. Line styles tell the series apart.
    """
    ratios, marks = list(logs["ratio"].unique()), architecture_marks(logs["architecture"])
    marks = {name: mark._replace(marker="") for name, mark in marks.items()}
    figure, grid = panel_grid(1, len(ratios), share="all")
    for ratio, axes in zip(ratios, grid[0], strict=True):
        for name, mark in marks.items():
            mine = logs[
                (logs["ratio"] == ratio) & (logs["architecture"] == name) & (logs["images"] > 0)
            ]
            for _, run in mine.groupby("seed"):
                axes.plot(run["images"] / 1000, run["loss"], color=mark.colour, lw=0.4, alpha=0.3)
            step = np.round(np.log10(mine["images"]) * 12)
            mean = mine.groupby(step)[["images", "loss"]].mean()
            axes.plot(mean["images"] / 1000, mean["loss"], color=mark.colour, ls=mark.line)
        axes.set(xscale="log", yscale="log", title=ratio_title(ratio))
        for axis, steps in ((axes.xaxis, (1, 3)), (axes.yaxis, (1, 2, 5))):
            axis.set_major_locator(LogLocator(subs=steps))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    grid[0, 0].set_ylabel("training loss\n(mean squared error)")
    figure.supxlabel("images seen (thousands)", fontsize=8)
    seeds = logs["seed"].nunique()
    note = f"study {study}"
    if seeds > 1:
        note += f"; thin: each of {seeds} seeds; thick: their mean"
    legend_above(figure, mark_handles(marks), [note])
    return figure


def read_logs(paths: Iterable[Path], study: str) -> pd.DataFrame:
    """The rows of all training logs: study, ratio, architecture, seed, images, loss.

    UserError for a file that is no training log, and for a run of another study.
    """
    parts = []
    for path in paths:
        with reading(path, "not a training log", "train again"):
            log = pd.read_csv(path, dtype=dict.fromkeys(KEYS, str))[[*KEYS, "images", "loss"]]
        told = log[KEYS].drop_duplicates().to_dict("records")
        if len(told) != 1:
            raise UserError(f"{path}: a log of {len(told)} runs, not of one: train again")
        read_run(path, told[0], study)
        parts.append(log)
    return pd.concat(parts)
