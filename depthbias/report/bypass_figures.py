"""Figures of the bypassed mid block: of our models against the percentage, and of pipelines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthbias.estimates.runs import ALL, ordered_architectures
from depthbias.estimates.tidy import of
from depthbias.report.image_drawing import draw_image
from depthbias.report.panels import ROW_HEIGHT, draw_points, legend_above, mark_handles
from depthbias.report.style import GREY, Mark, class_marks, styled
from depthbias.system.errors import UserError
from depthbias.theory.schedule_names import SCHEDULE_TITLES

PITCH = 1.05  # of the images of a pipeline, in images

MEASURES = {  # metric: label of its row of panels
    "bypass_share": "share of the\nminority",
    "bypass_flips": "images whose\nclass changes",
    "bypass_precision": "precision",
    "bypass_perceptual": "perceptual\ndistance to 0 %",
    "bypass_nearest": "distance to nearest\ntraining image",
}


@styled()
def plot_bypass(rows: pd.DataFrame) -> Figure:
    """Measures against the percentage bypassed: a column an architecture, a line a schedule.

    Over seeds, with intervals; of classes the share of the last one. UserError without rows.
    """
    found = rows[rows["seed"] == ALL]
    shares = of(found, "bypass_share")
    if shares.empty:
        raise UserError("the rows have no bypass: measure it first")
    minority = shares["class"].iloc[-1]
    names = ordered_architectures(set(shares["architecture"]))
    marks = dict(zip(SCHEDULE_TITLES, class_marks(len(SCHEDULE_TITLES)), strict=True))
    size = (1.3 + 1.9 * len(names), 0.8 * ROW_HEIGHT * len(MEASURES) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(MEASURES), len(names), squeeze=False, sharex=True, sharey="row")
    for (metric, label), line in zip(MEASURES.items(), grid, strict=True):
        mine = of(found, metric, class_name=minority if metric == "bypass_share" else "")
        for name, axes in zip(names, line, strict=True):
            _draw(axes, mine[mine["architecture"] == name], metric, marks)
        _set_limits(line, mine)
        line[0].set_ylabel(label)
    for name, axes in zip(names, grid[0], strict=True):
        axes.set_title(name)
    figure.supxlabel("mid block bypassed, percent", fontsize=8)
    run = shares.iloc[0]
    note = f"study {run['study']}, ratio {run['ratio']}, minority {minority}"
    note += f", {int(run['runs'])} seeds"
    shown = {SCHEDULE_TITLES[name]: mark for name, mark in marks.items() if _has(found, name)}
    legend_above(figure, mark_handles(shown), [note])
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, metric: str, marks: dict[str, Mark]) -> None:
    """One panel: the lines of all schedules."""
    for place, (schedule, mark) in enumerate(marks.items()):
        line = of(rows, f"{metric}:{schedule}").sort_values("k")
        if len(line):
            draw_points(axes, line["k"].to_numpy(), line, mark, 1.5 * (place - 2))
    if metric == "bypass_share":
        plain = rows[rows["k"] == 0]
        for value in plain["value"].unique():
            axes.axhline(value, color=GREY, lw=0.8)
    axes.set(xlim=(-6, 106), xticks=[0, 25, 50, 75, 100])


def _set_limits(line: np.ndarray, rows: pd.DataFrame) -> None:
    """The y axis of a row of panels holds all values, and intervals as far as twice these."""
    low, high = rows["value"].min(), rows["value"].max()
    room = (high - low) or 0.1
    ends = [rows[end].fillna(rows["value"]) for end in ("lower", "upper")]  # one seed: no interval
    bottom = max(ends[0].min(), low - room, 0.0)
    line[0].set_ylim(bottom - 0.05 * room, min(ends[1].max(), high + room) + 0.05 * room)


def _has(rows: pd.DataFrame, schedule: str) -> bool:
    return bool(rows["metric"].str.endswith(f":{schedule}").any())


@styled()
def plot_pipeline(
    images: np.ndarray, prompts: Sequence[str], names: Sequence[str], rows: pd.DataFrame
) -> Figure:
    """The images of one seed: a row a prompt, a column a way of bypassing, with its numbers.

    images: uint8 [ways, prompts, H, W, 3]; names: [ways]; rows: of `pipeline_rows`, in that order.
    """
    ways, count = images.shape[:2]
    size = (PITCH * (ways + 1), PITCH * (count + 0.8))
    figure = Figure(figsize=(7, 7 * size[1] / size[0]), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-PITCH, PITCH * ways), ylim=(PITCH * count, -0.8 * PITCH), aspect="equal")
    axes.set_axis_off()
    head: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 6}
    side: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 7}
    likenesses, scores = of(rows, "pipeline_similarity"), of(rows, "pipeline_clip")
    for way, name in enumerate(names):
        numbers = [_told(likenesses.iloc[way], 2), _told(scores.iloc[way], 1)]
        axes.text(PITCH * way + 0.5, -0.05, "\n".join([name, *numbers]), **head)
        for row, image in enumerate(images[way]):
            draw_image(axes, image, PITCH * way, PITCH * row)
    for row, prompt in enumerate(prompts):
        axes.text(-0.05, PITCH * row + 0.5, prompt, **side)
    axes.text(-0.05, -0.05, "similarity\nCLIPScore", **(side | {"va": "bottom", "fontsize": 6}))
    return figure


def _told(row: pd.Series, digits: int) -> str:
    low, high = (f"{row[part]:.{digits}f}" for part in ("lower", "upper"))
    return f"{row['value']:.{digits}f} [{low}, {high}]"
