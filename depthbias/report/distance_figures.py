"""Diversity and nearest neighbours against depth, with real images as the background."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import ALL
from depthbias.report.depth_notes import depth_notes
from depthbias.report.panels import (
    DEPTH_LABEL,
    PanelRow,
    blocks_of,
    depth_ticks,
    draw_ghost,
    draw_line,
    draw_points,
    in_block,
    legend_above,
    limits,
    line_handles,
    mark_handles,
    metric_rows,
    name_rows,
    panel_grid,
    sample_note,
    scaled,
)
from depthbias.report.published import LPIPS_X100, SOURCE
from depthbias.report.style import GREY, Mark, ordered_marks, styled
from depthbias.system.errors import UserError

BACKGROUNDS = {"train": "train", "real": "held out"}  # rows of real images: name on the x axis
MARKERS = {"train": "s", "real": "D"}
DASHED: dict[str, Any] = {"ls": (0, (4, 3)), "lw": 0.8, "alpha": 0.7, "zorder": 0.8}


class DistanceColumn(NamedTuple):
    """A column of panels: `rows` of models and of real images, a line for each ratio."""

    title: str
    label: str
    rows: pd.DataFrame
    published: Mapping[str, float] = {}


@styled()
def plot_diversity(summary: pd.DataFrame, about: Mapping[str, Any]) -> Figure:
    """Mean perceptual distance over pairs of images against depth (the right of [BIAS] Fig. 4).

    Columns: all pairs; of up to three classes the pairs within each; of two the pairs between them.
    A line a training ratio; dashed: held-out real images, mixed at that ratio. about: what the
    distance is, from measure_diversity.py.
    """
    backbone = about["diversity"]["embedding"].removeprefix("lpips-")
    label = "mean distance" if backbone == "classifier" else "mean LPIPS"
    own = {kind: summary[summary["metric"] == f"lpips{kind}:{backbone}"] for kind in KINDS}
    celeba = set(summary["study"]) == {"celeba"} and backbone != "classifier"
    published = {name: value / 100 for name, value in LPIPS_X100.items()} if celeba else {}
    columns = [DistanceColumn("all pairs", label, own[""], published)]
    classes = _classes_made(own["_within"])
    if len(classes) <= 3:
        columns += [_of_class(f"within {name}", label, own["_within"], name) for name in classes]
    pairs = _classes_made(own["_between"])
    if len(pairs) == 1:
        columns.append(_of_class("between classes", label, own["_between"], pairs[0]))
    return draw_columns(columns, about, depth_notes(summary))


KINDS = ("", "_within", "_between")


def _classes_made(rows: pd.DataFrame) -> list[str]:
    """The classes (or pairs) of which a model made images: held-out images are of every class."""
    return list(rows[~rows["architecture"].isin(BACKGROUNDS)]["class"].unique())


def _of_class(title: str, label: str, rows: pd.DataFrame, name: str) -> DistanceColumn:
    return DistanceColumn(title, label, rows[rows["class"] == name])


@styled()
def plot_neighbors(summary: pd.DataFrame, about: Mapping[str, Any]) -> Figure:
    """Nearness to the training images against depth, a column an embedding and one of copies.

    Distance or cosine similarity to the nearest training image (the least k measured), and the
    share of authentic images: those not nearer to their nearest training image than that is to its
    own nearest.
    Backgrounds: held-out images, and training images among the others. about: what the embeddings
    are, from measure_neighbors.py.
    """
    whole = summary[summary["class"] == ""]
    columns = []
    for name, described in about.items():
        cosine = described["metric"] == "cosine"
        rows = whole[whole["metric"] == f"nn_{'cosine' if cosine else 'distance'}:{name}"]
        rows = rows[rows["k"] == rows["k"].min()]
        label = "cosine similarity" if cosine else "distance (0 to 255 a pixel)"
        if not cosine and name != "pixels":
            label = "distance"
        nearest = "nearest" if rows["k"].min() == 1 else f"{rows['k'].min():g}th nearest"
        columns.append(DistanceColumn(f"{nearest} training image ({name})", label, rows))
    first = next(iter(about))
    own = whole[whole["metric"] == f"authentic_share:{first}"]
    label = "share of images (%)"
    columns.append(DistanceColumn(f"authentic images ({first})", label, scaled(own)))
    return draw_columns(columns, about, depth_notes(summary))


def draw_columns(
    columns: Sequence[DistanceColumn], about: Mapping[str, Any], also: Sequence[str] = ()
) -> Figure:
    """The columns, a row of panels a sampler and series, under notes on what is measured how."""
    for column in columns:
        if column.rows.empty:
            raise UserError(
                f"the summary has nothing for '{column.title}': measure the study again"
            )
    models = [_models(column.rows) for column in columns]
    blocks = blocks_of(models[0])
    ratios = list(models[0]["ratio"].unique())
    marks = dict(zip(ratios, ordered_marks(len(ratios)), strict=True))
    architectures = set(pd.concat([column.rows for column in columns])["architecture"])
    shown = [name for name in BACKGROUNDS if name in architectures]  # the panels share their x axis
    figure, grid = panel_grid(len(blocks), len(columns), share="col")
    for block, line in zip(blocks, grid, strict=True):
        for column, rows, axes in zip(columns, models, line, strict=True):
            _draw(axes, column, rows, block, marks, _axis(axes, models[0], shown))
    for column, axes in zip(columns, grid[0], strict=True):
        axes.set_title(column.title)
    name_rows(grid, blocks, columns[0].label)
    figure.supxlabel(DEPTH_LABEL, fontsize=8)
    handles = [*line_handles(models[0]), *mark_handles(marks)]
    handles.append(Line2D([], [], color=GREY, label="held-out images", **DASHED))
    if columns[0].published:
        handles.append(Line2D([], [], color=GREY, marker="x", ls="none", label=SOURCE))
    notes = [f"{found['embedding']}: {found['origin']}" for found in about.values()]
    legend_above(figure, handles, [sample_note(models[0]), *notes, *also])
    return figure


def _models(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of generated images, with depth and series."""
    generated = rows[~rows["architecture"].isin(BACKGROUNDS)]
    return metric_rows(generated, generated["metric"].iloc[0])


def _draw(
    axes: Axes,
    column: DistanceColumn,
    models: pd.DataFrame,
    block: PanelRow,
    marks: Mapping[str, Mark],
    places: Mapping[str, float],
) -> None:
    """One panel: a line a ratio, and real images at their places at the left."""
    over_seeds = column.rows[column.rows["seed"] == ALL]
    axes.set_ylim(limits(pd.concat([models, over_seeds]), column.published.values()))
    for position, (ratio, mark) in enumerate(marks.items()):
        shift = 2.5 * (position - (len(marks) - 1) / 2)
        mine = models[models["ratio"] == ratio]
        draw_ghost(axes, mine, block)
        draw_line(axes, in_block(mine, block), mark, shift, seeds=len(marks) <= 2)
        for name in places:
            real = over_seeds[(over_seeds["architecture"] == name) & (over_seeds["ratio"] == ratio)]
            look: dict[str, Any] = {"marker": MARKERS[name], "ls": "none"}
            draw_points(axes, np.full(len(real), places[name]), real, mark, shift, **look)
            if name == "real":
                for value in real["value"]:
                    axes.axhline(value, color=mark.colour, **DASHED)
    for name, value in column.published.items():
        found = get_architecture(name)
        if found.depth and found.series == "published" == block.series:
            axes.plot(found.depth, value, "x", color=GREY, ms=4)
    axes.set_ylabel(column.label)


def _axis(axes: Axes, models: pd.DataFrame, shown: Sequence[str]) -> dict[str, float]:
    """Ticks at the depths, and left of them one for each background; returns their places."""
    ticks = depth_ticks(models)
    depths = list(ticks)
    places = {name: depths[0] - float(len(shown) - i) for i, name in enumerate(shown)}
    names = [BACKGROUNDS[name].replace(" ", "\n") for name in shown]
    axes.set_xticks([*places.values(), *depths], [*names, *ticks.values()])
    axes.set_xlim(min([*places.values(), depths[0]]) - 0.55, depths[-1] + 0.6)
    if shown:
        axes.axvspan(
            depths[0] - len(shown) - 0.55, depths[0] - 0.5, color="#f1f1f1", lw=0, zorder=0
        )
    return places
