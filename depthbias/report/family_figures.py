"""Figures of families of models: which make the same image of the same noise, and when."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthbias.estimates.runs import ALL
from depthbias.estimates.tidy import of
from depthbias.report.image_drawing import canvas, draw_image
from depthbias.report.panels import ROW_HEIGHT, draw_points, legend_above, mark_handles
from depthbias.report.structure_figures import log_axis
from depthbias.report.style import GREY, Mark, class_marks, ordered_marks, styled
from depthbias.system.errors import UserError
from depthbias.theory.family_files import Made
from depthbias.theory.family_names import DELTA, GRID, TITLES

NOISES = 8  # shown in the picture
SETS = "number of training images"


@styled()
def plot_families(rows: pd.DataFrame) -> Figure:
    """RP of every pair of families from the same noise, with its 95 % interval.

    Below the diagonal: the same training images. On it: one family, disjoint training images.
    """
    rows = _over_seeds(rows)
    shares = of(rows, "family_rp")
    largest = shares["k"].max()
    shares = shares[shares["k"] == largest]
    there = set(shares["architecture"].str.split("~").explode())
    names = [name for name in TITLES if name in there]
    side = len(names)
    figure = Figure(figsize=(1.6 + 1.05 * side, 0.9 + 0.62 * side), layout="constrained")
    axes = figure.subplots()
    values = np.full((side, side), np.nan)
    for i, j in product(range(side), repeat=2):
        if i < j:
            continue
        row = _cell(rows, shares, names[i], names[j], largest)
        values[i, j] = row["value"]
        text = f"{100 * row['value']:.0f}\n[{100 * row['lower']:.0f}, {100 * row['upper']:.0f}]"
        colour = "white" if row["value"] > 0.55 else "black"
        axes.text(j, i, text, ha="center", va="center", fontsize=6.5, color=colour)
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    titles = [TITLES[name] for name in names]
    axes.set_xticks(range(side), titles, rotation=20, ha="right")
    axes.set_yticks(range(side), titles)
    axes.tick_params(length=0)
    axes.set_title(
        f"RP in %, {largest:g} training images; diagonal: disjoint ones", fontsize=8, loc="left"
    )
    return figure


def _cell(
    rows: pd.DataFrame, shares: pd.DataFrame, first: str, second: str, size: float
) -> pd.Series:
    """The row of a pair, in either order; of a family with itself that of disjoint images."""
    if first == second:
        apart = rows[rows["metric"].str.startswith("family_rp_disjoint:") & (rows["k"] == size)]
        found = apart[apart["architecture"] == first]
        found = found[found["metric"] == f"family_rp_disjoint:{_width(rows):g}"]
    else:
        found = shares[shares["architecture"].isin([f"{first}~{second}", f"{second}~{first}"])]
    return found.iloc[0]


def _width(rows: pd.DataFrame) -> float:
    """That of the networks that are compared: the multi-delta is named with it."""
    metric = rows[(rows["architecture"] == DELTA) & rows["metric"].str.startswith("family_gl:")]
    return float(metric["metric"].iloc[0].partition(":")[2])


@styled()
def plot_family_grid(rows: pd.DataFrame) -> Figure:
    """Against the number of training images, a line a width: RP of disjoint ones, GL, precision.

    Right: RP of the trained model and the multi-delta of the same images.
    """
    rows = _over_seeds(rows)
    grid = rows[rows["architecture"] == GRID]
    widths = sorted({float(m.partition(":")[2]) for m in of(grid, "family_gl")["metric"]})
    marks = dict(zip(widths, ordered_marks(len(widths)), strict=True))
    figure = Figure(figsize=(7.0, ROW_HEIGHT + 0.75), layout="constrained")
    panels = figure.subplots(1, 4, sharex=True, sharey=True)
    names = {
        "family_rp_disjoint": "RP, disjoint images",
        "family_gl": "GL",
        "family_precision": "precision",
    }
    for axes, (name, title) in zip(panels, names.items(), strict=False):
        for place, (width, mark) in enumerate(marks.items()):
            mine = of(grid, f"{name}:{width:g}").sort_values("k")
            _draw(axes, mine, mark, place)
        axes.set_title(title)
    pair = rows[rows["architecture"] == f"{GRID}~{DELTA}"]
    for name, mark in zip(("family_rp", "family_rp_chance"), class_marks(2), strict=True):
        _draw(panels[3], of(pair, name).sort_values("k"), mark, 0)
    panels[3].set_title("RP with the multi-delta")
    sizes = of(grid, "family_gl")["k"]
    log_axis(panels[0].xaxis, sizes.min() / 1.3, sizes.max() * 1.3)
    panels[0].set(ylim=(-0.04, 1.04), ylabel="share of images")
    figure.supxlabel(SETS, fontsize=8)
    chance = dict(zip(("same noise", "different noises"), class_marks(2), strict=True))
    named = {f"width {width:g}": mark for width, mark in marks.items()}
    legend_above(figure, mark_handles(named | {f"right: {n}": m for n, m in chance.items()}), [])
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, mark: Mark, place: int) -> None:
    draw_points(axes, rows["k"].to_numpy(), rows, mark, 1.5 * place - 1.5)


def _over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    found = rows[(rows["seed"] == ALL) & rows["metric"].str.startswith("family_")]
    if of(found, "family_rp").empty:
        raise UserError("the rows have no families: measure them first")
    return found


@styled()
def plot_family_samples(seeds: Sequence[Made]) -> Figure:
    """What every family makes of the same noises, the largest training set of the first seed."""
    made = seeds[0]
    largest = max(member.size for member in made.members)
    shown = [
        (TITLES[m.family], images)
        for m, images in zip(made.members, made.images, strict=True)
        if (m.width, m.size, m.half) == (made.width, largest, "a")
    ]
    pitch, count = 1.12, min(NOISES, made.images.shape[1])
    figure, axes = canvas(count * pitch, len(shown) * pitch, margin=2.6, above=0.5, heading=0.2)
    for row, (title, images) in enumerate(shown):
        axes.text(-0.15, row * pitch + 0.5, title, ha="right", va="center", fontsize=7)
        for column in range(count):
            draw_image(axes, images[column], column * pitch, row * pitch)
    for column in range(count):
        axes.text(
            column * pitch + 0.5, -0.1, f"noise {column}", ha="center", color=GREY, fontsize=6.5
        )
    return figure
