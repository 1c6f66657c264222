"""Figures of the watermark: how often it is found, against what, and what it costs to see it."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthbias.estimates.tidy import of
from depthbias.report.panels import ROW_HEIGHT, draw_points, legend_above, mark_handles
from depthbias.report.structure_figures import log_axis
from depthbias.report.style import GREY, Mark, class_marks, ordered_marks, styled
from depthbias.system.errors import UserError
from depthbias.theory.watermark_names import ATTACKS, BANDS, GAUSSIAN

LEVEL_LABEL = "noise level at which the image is marked (images span -1 to 1)"
PREDICTED: dict[str, Any] = {"ls": (0, (2, 1.2)), "mfc": "white"}
CHANCE = 0.01


@styled()
def plot_watermark(rows: pd.DataFrame) -> Figure:
    """Share of marked images found at 1 % false alarms, and PSNR, against the noise level.

    A row a band: of the trained model, with Wilson's intervals; right: PSNR of the mark, with that
    of the Gaussian, the prediction.
    """
    bands, marks = _bands(rows), _attack_marks(rows)
    figure = Figure(figsize=(6.6, ROW_HEIGHT * len(bands) + 0.6), layout="constrained")
    grid = figure.subplots(len(bands), 2, squeeze=False, sharex=True, sharey="col")
    for name, (left, right) in zip(bands, grid, strict=True):
        found = _model(of(rows, f"watermark_detected:{name}"))
        for place, (course, mark) in enumerate(marks.items()):
            mine = found[found["class"] == course]
            shift = 1.5 * (place - len(marks) / 2)
            draw_points(left, mine["sigma"].to_numpy(), mine, mark, shift)
        left.axhline(CHANCE, color=GREY, lw=0.8)
        left.set(ylim=(-0.04, 1.04), ylabel=f"{name} band:\nfound at 1 % false alarms")
        for look, carrier in (({}, _model), (PREDICTED, _gaussian)):
            mine = carrier(of(rows, f"watermark_psnr:{name}"))
            right.plot(mine["sigma"], mine["value"], "o", **({"color": GREY, "ls": "-"} | look))
        right.set(ylabel="PSNR of the mark, dB")
    levels = rows["sigma"].dropna()
    log_axis(grid[0, 0].xaxis, levels.min() / 1.3, levels.max() * 1.3)
    figure.supxlabel(LEVEL_LABEL, fontsize=8)
    lines = [
        Line2D([], [], color=GREY, marker="o", label="PSNR: trained model"),
        Line2D([], [], color=GREY, marker="o", label="PSNR: Gaussian", **PREDICTED),
    ]
    legend_above(figure, [*mark_handles(_titled(marks)), *lines], [_note(rows)])
    return figure


@styled()
def plot_roc(rows: pd.DataFrame) -> Figure:
    """Marked images found against false alarms, logarithmic: a row a band, a column a level."""
    bands, marks = _bands(rows), _attack_marks(rows)
    rows = _model(rows)
    levels = sorted(of(rows, "watermark_roc")["sigma"].unique())
    size = (1.0 + 1.25 * len(levels), 0.8 * ROW_HEIGHT * len(bands) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(bands), len(levels), squeeze=False, sharex=True, sharey=True)
    for name, line in zip(bands, grid, strict=True):
        for level, axes in zip(levels, line, strict=True):
            found = of(rows, f"watermark_roc:{name}")
            _draw_roc(axes, found[found["sigma"] == level], marks)
        line[0].set_ylabel(f"{name} band:\nfound")
    for level, axes in zip(levels, grid[0], strict=True):
        axes.set_title(f"level {level:g}")
    grid[0, 0].set_xscale("log")
    figure.supxlabel("false alarms (by the null, which is exact)", fontsize=8)
    legend_above(figure, mark_handles(_titled(marks)), [_note(rows)])
    return figure


def _draw_roc(axes: Axes, rows: pd.DataFrame, marks: dict[str, Mark]) -> None:
    for course, mark in marks.items():
        mine = rows[rows["class"] == course].sort_values("k")
        axes.plot(mine["k"], mine["value"], color=mark.colour, ls=mark.line, lw=1.2)
    ends = np.geomspace(rows["k"].min(), 1, 50)
    axes.plot(ends, ends, color=GREY, lw=0.8)
    axes.set(ylim=(-0.04, 1.04))


@styled()
def plot_tradeoff(rows: pd.DataFrame) -> Figure:
    """The trade-off, seen and found.

    Left: found at 1 % false alarms, over all attacks, against PSNR, a line a band and carrier.
    Right two: along every principal direction of the training images, against its variance, how
    much of a mark reaches the image, and its correlation with what is found of it there.
    """
    figure = Figure(figsize=(7.0, 2.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    colours = dict(zip(_bands(rows), class_marks(len(_bands(rows))), strict=True))
    for name, mark in colours.items():
        for look, carrier in (({}, _model), (PREDICTED, _gaussian)):
            psnr = carrier(of(rows, f"watermark_psnr:{name}")).set_index("sigma")["value"]
            found = carrier(of(rows, f"watermark_detected:{name}")).groupby("sigma")["value"].mean()
            line = {"color": mark.colour, "marker": mark.marker, "ls": "-"} | look
            left.plot(psnr, found.loc[psnr.index], **line)
    left.set(xlabel="PSNR of the mark, dB", ylabel="found, mean over attacks", ylim=(-0.04, 1.04))
    levels = sorted(of(rows, "watermark_gain")["sigma"].unique())
    shades = dict(zip(levels, ordered_marks(len(levels)), strict=True))
    for level, mark in shades.items():
        mine = rows[rows["sigma"] == level]
        _draw_directions(middle, mine, "watermark_gain", mark)
        _draw_directions(right, mine, "watermark_kept", mark)
    middle.set(ylabel="reaches the image (gain)", ylim=(-0.05, 1.2))
    right.set(ylabel="found in the image (correlation)", ylim=(-0.35, 1.05))
    for axes in (middle, right):
        axes.set(xlabel="variance of images (left: none)")
    bands = {f"{name} band": mark._replace(line="-") for name, mark in colours.items()}
    shown = {f"level {level:g}": mark._replace(line="none") for level, mark in shades.items()}
    grey = Line2D([], [], color=GREY, label="Gaussian (predicted)", ls=PREDICTED["ls"])
    legend_above(figure, [*mark_handles(bands | shown), grey], [_note(rows)])
    return figure


def _draw_directions(axes: Axes, rows: pd.DataFrame, metric: str, mark: Mark) -> None:
    """Dots of the model, a line of the Gaussian, against the variance along the directions.

    A variance of 0 stands left of all others.
    """
    variance = _model(of(rows, "watermark_variance"))["value"].to_numpy()
    floor = variance[variance > 0].min() / 10
    place = np.where(variance > 0, variance, floor)
    axes.plot(place, _model(of(rows, metric))["value"], mark.marker, color=mark.colour, ms=2.5)
    predicted = _gaussian(of(rows, metric))["value"]
    axes.plot(place, predicted, color=mark.colour, lw=0.9, ls=PREDICTED["ls"])
    axes.set_xscale("log")


def _model(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["architecture"] != GAUSSIAN]


def _gaussian(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["architecture"] == GAUSSIAN]


def _bands(rows: pd.DataFrame) -> list[str]:
    """The bands that were measured; UserError if none was."""
    found = set(of(rows, "watermark_detected")["metric"].str.split(":").str[1])
    if not found:
        raise UserError("the rows have no watermark: measure it first")
    return [name for name in BANDS if name in found]


def _attack_marks(rows: pd.DataFrame) -> dict[str, Mark]:
    found = list(of(rows, "watermark_detected")["class"].unique())
    return dict(zip(found, class_marks(len(found)), strict=True))


def _titled(marks: dict[str, Mark]) -> dict[str, Mark]:
    return {f"after: {ATTACKS[name]}": mark for name, mark in marks.items()}


def _note(rows: pd.DataFrame) -> str:
    run = _model(of(rows, "watermark_detected")).iloc[0]
    told = f"{run['architecture']}, ratio {run['ratio']}, seed {run['seed']}"
    return f"study {run['study']}: {told}, {int(run['n']):,} images"
