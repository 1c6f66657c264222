"""Figures of MoLRG: phase diagrams of recovery, their boundary, and the learned denoiser."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from depthbias.estimates.tidy import of
from depthbias.report.panels import ROW_HEIGHT, draw_points, legend_above, mark_handles
from depthbias.report.structure_figures import log_axis
from depthbias.report.style import GREY, Mark, class_marks, ordered_marks, styled

TITLES = {
    "pca": "PCA",
    "spectral": "spectral clustering",
    "k-subspaces": "K-subspaces",
    "denoiser": "learned denoiser",
}


@styled()
def plot_phases(rows: pd.DataFrame) -> Figure:
    """Share of trials that recover, over d and N: a row a number of subspaces K."""
    cells = _split(of(rows, "molrg_recovered"))
    counts = sorted(cells["K"].unique())
    shown = {K: [m for m in TITLES if _has(cells, K, m)] for K in counts}
    columns = max(map(len, shown.values()))
    size = (1.1 + 1.9 * columns, ROW_HEIGHT * len(counts) + 1)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(counts), columns, squeeze=False, sharex=True, sharey=True)
    for K, line in zip(counts, grid, strict=True):
        for axes in line[len(shown[K]) :]:
            axes.set_visible(False)
        for method, axes in zip(shown[K], line, strict=False):
            mine = cells[(cells["K"] == K) & (cells["method"] == method)]
            image = _draw_phase(axes, mine, of(rows, f"molrg_boundary:{method}"), K)
            axes.set_title(f"K = {K}: {TITLES[method]}")
        line[0].set_ylabel("points a class, N")
    figure.supxlabel("dimension of a subspace, d", fontsize=8)
    bar = figure.colorbar(image, ax=grid, shrink=0.6, label="share of trials that recover")
    bar.outline.set_visible(False)
    dot = Line2D([], [], color="white", mec=GREY, marker="o", label="fewest points, mean")
    rule = Line2D([], [], color="#D55E00", lw=1.2, label="theory: N = d for K = 1, d + 1 for K = 2")
    legend_above(figure, [dot, rule], [])
    return figure


def _draw_phase(axes: Axes, cells: pd.DataFrame, boundary: pd.DataFrame, classes: int) -> AxesImage:
    """One phase diagram; returns its image, for the bar of colours."""
    table = cells.pivot_table(index="k", columns="d", values="value")
    width = table.columns.to_numpy(), table.index.to_numpy()
    extent = (width[0][0] - 0.5, width[0][-1] + 0.5, width[1][0] - 0.5, width[1][-1] + 0.5)
    look: dict[str, Any] = {
        "origin": "lower",
        "aspect": "auto",
        "vmin": 0,
        "vmax": 1,
        "cmap": "cividis",
    }
    image = axes.imshow(table.to_numpy(), extent=extent, interpolation="nearest", **look)
    edge = width[0] + (classes > 1)
    axes.step(width[0], edge - 0.5, where="mid", color="#D55E00", lw=1.2)
    mean = boundary[boundary["class"] == f"{classes}x"]
    axes.plot(mean["k"], mean["value"], "o", color="white", mec=GREY, ms=3)
    axes.set(xlim=extent[:2], ylim=extent[2:])
    return image


@styled()
def plot_boundary(rows: pd.DataFrame) -> Figure:
    """Fewest points less d, against d; the learned denoiser's distance to the posterior mean."""
    edges, gaps = _split(of(rows, "molrg_boundary")), _split(of(rows, "molrg_denoising"))
    counts, dimensions = sorted(edges["K"].unique()), sorted(gaps["d"].unique())
    marks = dict(zip(TITLES, class_marks(len(TITLES)), strict=True))
    shades = dict(zip(dimensions, ordered_marks(len(dimensions)), strict=True))
    figure = Figure(figsize=(6.2, ROW_HEIGHT * len(counts) + 1.2), layout="constrained")
    grid = figure.subplots(len(counts), 2, squeeze=False, sharex="col", sharey="col")
    for K, (left, right) in zip(counts, grid, strict=True):
        _draw_edges(left, edges[edges["K"] == K], marks)
        left.axhline(int(K > 1), color=GREY, lw=0.8)
        left.set(title=f"K = {K}", ylabel="fewest points a class, less d")
        for d, mark in shades.items():
            mine = gaps[(gaps["K"] == K) & (gaps["d"] == d)]
            look: dict[str, Any] = {"color": mark.colour, "marker": mark.marker, "ms": 3, "lw": 1}
            right.plot(mine["k"] - d, mine["value"], **look)
        right.set(title=f"K = {K}, learned denoiser", ylabel="relative squared distance")
        right.axvline(int(K > 1), color=GREY, lw=0.8)
    log_axis(grid[0, 1].yaxis, 1e-5, 1.5)
    for axes, label in zip(grid[-1], ("dimension d", "N - d"), strict=True):
        axes.set_xlabel(label)
    names = {TITLES[name]: mark for name, mark in marks.items()}
    levels = {f"d = {d}": mark for d, mark in shades.items()}
    legend_above(figure, mark_handles(names | levels), [])
    return figure


def _draw_edges(axes: Axes, rows: pd.DataFrame, marks: dict[str, Mark]) -> None:
    """Mean and interval of the boundary of every method, less d."""
    found = [name for name in marks if (rows["method"] == name).any()]
    for place, name in enumerate(found):
        mine = rows[rows["method"] == name].copy()
        for part in ("value", "lower", "upper"):
            mine[part] -= mine["k"]
        draw_points(axes, mine["k"].to_numpy(), mine, marks[name], 2.5 * place)
    reach = rows["upper"] - rows["k"]
    axes.set(ylim=(-0.4, max(1.6, reach.max() + 0.2)))
    axes.set(xlim=(rows["k"].min() - 0.6, rows["k"].max() + 0.8), xticks=rows["k"].unique())


def _split(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their method, K, and d (NaN where they are of all d)."""
    parts = rows["class"].str.split("x")
    method = rows["metric"].str.partition(":")[2]
    classes, dimensions = parts.str[0].astype(int), pd.to_numeric(parts.str[1])
    return rows.assign(method=method, K=classes, d=dimensions)


def _has(cells: pd.DataFrame, classes: int, method: str) -> bool:
    return bool(((cells["K"] == classes) & (cells["method"] == method)).any())
