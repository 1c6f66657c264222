"""Figures of edits of a region: their properties beside random directions, and the images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from depthbias.estimates.runs import Run, ordered_architectures, read_run
from depthbias.estimates.tidy import of
from depthbias.report.image_drawing import canvas, draw_image
from depthbias.report.jacobian_figures import latest
from depthbias.report.names import ratio_title
from depthbias.report.panels import draw_points, legend_above, mark_handles, panel_grid
from depthbias.report.structure_figures import log_axis
from depthbias.report.style import COLOURS, GREY, class_marks, styled
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz

KINDS = {
    "loco": "LOCO (projected)",
    "unprojected": "not projected",
    "random": "random",
    "random-inside": "random in the region",
}
PROPERTIES = (
    "localisation",
    "gain",
    "linearity",
    "composability",
    "transferability",
    "homogeneity",
)
COLUMNS = {  # of the pictures: name in the file, heading, whether the change stands beside
    "original": ("image", False),
    "loco, backwards": ("LOCO -", False),
    "loco": ("LOCO +", True),
    "unprojected": ("not proj.", True),
    "random": ("random", True),
    "random-inside": ("rand. inside", True),
}
PITCH, MARGIN, IMAGES = 1.12, 1.6, 2  # in images; pictures a network


@styled()
def plot_properties(rows: pd.DataFrame) -> Figure:
    """Properties of edits against the length of a step: a row a level, a line a kind of direction.

    Of the deepest network and the first ratio.
    """
    edits = rows[rows["metric"].str.startswith("edit_") & rows["sigma"].notna()]
    mine, title = latest(edits)
    names = [name for name in PROPERTIES if not of(mine, f"edit_{name}").empty]
    sigmas = np.sort(mine["sigma"].unique())
    marks = dict(zip(KINDS, class_marks(len(KINDS)), strict=True))
    figure, grid = panel_grid(len(sigmas), len(names), share="col")
    for sigma, line in zip(sigmas, grid, strict=True):
        here = mine[mine["sigma"] == sigma]
        for name, axes in zip(names, line, strict=True):
            for place, (kind, mark) in enumerate(marks.items()):
                shown = of(here, f"edit_{name}:{kind}").sort_values("k")
                draw_points(axes, shown["k"].to_numpy(), shown, mark, 1.5 * place - 2, ms=3)
        line[0].set_ylabel(f"$\\sigma$ = {sigma:g}")
    strengths = of(mine, "edit_gain")["k"].unique()
    for name, axes in zip(names, grid[0], strict=True):
        axes.set_title(name)
        _limits(axes, of(mine, f"edit_{name}"), name)
        log_axis(axes.xaxis, strengths.min() / 1.5, strengths.max() * 1.5)
        axes.set_xticks(strengths)
    figure.supxlabel("length of the step, percent of the noise's", fontsize=8)
    named = {KINDS[kind]: mark for kind, mark in marks.items()}
    legend_above(figure, mark_handles(named), [title])
    return figure


def _limits(axes: Axes, rows: pd.DataFrame, name: str) -> None:
    """From 0, or the lowest value, to 1, or the highest; intervals may leave the panel."""
    low, high = min(0.0, rows["value"].min()), rows["value"].max()
    top = 1.2 * high if name == "gain" else 1.05
    axes.set_ylim(low - 0.05 * (top - low), top)


class Edits(NamedTuple):
    """Pictures of one run at one level: {name: uint8 [N, H, W, C]}, the region, the strength."""

    run: Run
    sigma: float
    pictures: dict[str, np.ndarray]
    region: np.ndarray
    strength: int


def _read(path: Path) -> Edits:
    """The middle level of one run; UserError for a damaged file."""
    run, sigmas, shown, pictures, region, strength = read_npz(
        path, "run", "sigmas", "shown", "pictures", "region", "strength"
    )
    names = [str(name) for name in shown.ravel()]
    whole = pictures.ndim == 6 and pictures.shape[:2] == (sigmas.size, len(names))
    if not whole or pictures.dtype != np.uint8 or region.shape != (2, 2) or strength.ndim:
        raise UserError(f"{path}: holds no edits or is damaged: delete it and run again")
    middle = sigmas.size // 2
    by_name = dict(zip(names, pictures[middle], strict=True))
    return Edits(read_run(path, run), float(sigmas[middle]), by_name, region, int(strength))


def read_edits(paths: Sequence[Path]) -> list[Edits]:
    """The runs in reading order of their architectures; UserError unless they differ only there."""
    found: dict[str, Edits] = {}
    for path in paths:
        item = _read(path)
        first = next(iter(found.values()), item)
        same = item.run._replace(architecture=first.run.architecture) == first.run
        alike = (item.sigma, item.strength) == (first.sigma, first.strength)
        if not (same and alike and np.array_equal(item.region, first.region)):
            raise UserError(
                f"{path}: another study, ratio, seed or edit than {paths[0]}: give the files of "
                "one ratio and seed, all made with the same settings"
            )
        found[item.run.architecture] = item
    return [found[name] for name in ordered_architectures(found)]


@styled()
def plot_edits(runs: Sequence[Edits]) -> Figure:
    """Images before and after edits of one region, and beside them what changed.

    Rows: images of every U-Net from the same noise. Changes: orange is brighter, blue darker.
    """
    wide = len(COLUMNS) + sum(beside for _, beside in COLUMNS.values())
    rows = [(run, index) for run in runs for index in range(_images(run))]
    figure, axes = canvas(wide * PITCH, len(rows) * PITCH, margin=MARGIN, above=0.6, heading=0.4)
    above: dict[str, Any] = {"ha": "center", "va": "bottom", "color": GREY, "fontsize": 6.5}
    for row, (run, index) in enumerate(rows):
        y, x = row * PITCH, 0.0
        if not index:
            axes.text(-0.2, y + 0.5 * PITCH * _images(run), run.run.architecture, ha="right")
        for name, (heading, beside) in COLUMNS.items():
            picture = run.pictures[name][index]
            draw_image(axes, picture, x, y)
            _outline(axes, run, x, y)
            if not row:
                axes.text(x + 0.5, -0.12, heading, **above)
            x += PITCH
            if beside:
                change = picture.astype(float) - run.pictures["original"][index]
                _draw_change(axes, change.mean(axis=2), x, y)
                _outline(axes, run, x, y)
                if not row:
                    axes.text(x + 0.5, -0.12, "change", **above)
                x += PITCH
    keys = runs[0].run
    axes.set_title(
        f"study {keys.study}, {ratio_title(keys.ratio)}, seed {keys.seed}: edits at $\\sigma$ = "
        f"{runs[0].sigma:g} by {runs[0].strength} % of the noise's length, region outlined"
    )
    return figure


def _images(run: Edits) -> int:
    return min(IMAGES, len(run.pictures["original"]))


def _outline(axes: Axes, run: Edits, x: float, y: float) -> None:
    size = run.pictures["original"].shape[1]
    (top, bottom), (left, right) = run.region / size
    place, wide, high = (x + left, y + top), right - left, bottom - top
    axes.add_patch(Rectangle(place, wide, high, fill=False, ec=COLOURS[1], lw=0.7))


def _draw_change(axes: Axes, change: np.ndarray, x: float, y: float) -> None:
    """A change of grey levels [H, W], from -255 (blue) to 255 (orange)."""
    look: dict[str, Any] = {"cmap": "PuOr_r", "vmin": -200, "vmax": 200, "interpolation": "none"}
    axes.imshow(change, extent=(x, x + 1, y + 1, y), **look)
