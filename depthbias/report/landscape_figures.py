"""Figures of energy landscapes: merging, what the laws predict of kappa, energy over levels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthbias.estimates.tidy import of, over_seeds
from depthbias.report.panels import (
    DEPTH_LABEL,
    ROW_HEIGHT,
    depth_axis,
    draw_points,
    legend_above,
    mark_handles,
    metric_rows,
    panel_grid,
)
from depthbias.report.structure_figures import log_axis
from depthbias.report.style import GREY, Mark, class_marks, ordered_marks, styled
from depthbias.system.errors import UserError

RECURSION, POWER = "-", (0, (2, 1.2))  # lines of the two laws
PLACES = (-5.0, -4.4, -3.9, -2.6, -2.0, 0.0, 0.5, 1.1, 3.2, 4.6)  # of `plot_surface`, made up
MINORITY = (False, False, False, True, True, False, False, False, True, False)
SURFACE_LEVELS = (0.2, 0.5, 1.0, 2.0)
DASHED: dict[str, Any] = {"ls": POWER, "mfc": "white"}
CURVATURES: dict[str, dict[str, Any]] = {"hessian": {}, "lipschitz": DASHED}


def law_handles(points: bool) -> list[Artist]:
    """Legend entries, in grey, of the recursion, of Theorem 2, and with `points` of simulation."""
    entries: list[Artist] = [
        Line2D([], [], color=GREY, ls=RECURSION, label="recursion (exact law of merging)"),
        Line2D([], [], color=GREY, ls=POWER, label="Theorem 2: odds^n (another law)"),
    ]
    dots = Line2D([], [], color=GREY, marker="o", ls="none", label="simulated, 95 % interval")
    return [dots, *entries] if points else entries


@styled()
def plot_merging(rows: pd.DataFrame) -> Figure:
    """The minority's share of minima against the level: a panel a group, a colour a ratio."""
    groups = list(of(rows, "landscape_share")["class"].unique())
    marks = _marks(of(rows, "landscape_share")["ratio"])
    figure, grid = panel_grid(1, len(groups), share="col")
    for group, axes in zip(groups, grid[0], strict=True):
        mine = rows[rows["class"] == group]
        for ratio, mark in marks.items():
            here = mine[mine["ratio"] == ratio]
            for law, line in (("recursion", RECURSION), ("odds-power", POWER)):
                shares = of(here, f"landscape_share:{law}")
                axes.plot(shares["k"], shares["value"], color=mark.colour, ls=line, lw=1)
            found = of(here, "landscape_share:simulated")
            draw_points(axes, found["k"].to_numpy(), found, mark._replace(marker="o"), 0, ls="none")
        axes.set(title=f"groups of {group}", ylim=(-0.02, 0.56))
    grid[0, 0].set_xticks(range(0, int(rows["k"].max()) + 1, 2))
    grid[0, 0].set_ylabel("minority's share of minima")
    figure.supxlabel("level of abstraction (mergings)", fontsize=8)
    lines = [Line2D([], [], color=m.colour, label=ratio) for ratio, m in marks.items()]
    legend_above(figure, [*law_handles(True), *lines], [])
    return figure


@styled()
def plot_laws(rows: pd.DataFrame, summaries: Sequence[pd.DataFrame]) -> Figure:
    """kappa that the laws predict against the level; beside it, kappa of studies against depth.

    Without a study the second panel is left out, and a note says so. UserError for a study whose
    summary has no kappa.
    """
    figure, grid = panel_grid(1, 1 + len(summaries), share="col")
    figure.set_figwidth(min(7.0, 2.6 + 2.2 * len(summaries)) if summaries else 4.0)
    kappas = of(rows, "landscape_kappa")
    marks = _marks(kappas["class"])
    _draw_laws(grid[0, 0], kappas, marks)
    for summary, axes in zip(summaries, grid[0, 1:], strict=True):
        _draw_measured(axes, summary, kappas, marks)
    notes = [] if summaries else ["theory.landscape.kappa_of names no study"]
    groups = {f"groups of {name}": mark._replace(line="-") for name, mark in marks.items()}
    legend_above(figure, [*law_handles(False), *mark_handles(groups)], notes)
    return figure


def _draw_laws(axes: Axes, kappas: pd.DataFrame, marks: Mapping[str, Mark]) -> None:
    for group, mark in marks.items():
        for law, line in (("recursion", RECURSION), ("odds-power", POWER)):
            mine = of(kappas[kappas["class"] == group], f"landscape_kappa:{law}")
            axes.plot(mine["k"], mine["value"], mark.marker, color=mark.colour, ls=line, ms=3)
    log_axis(axes.yaxis, 0.8, 100)
    axes.set(xlim=(-0.2, 4.2), xlabel="level (mergings)", ylabel="predicted kappa")
    axes.set_xticks(range(5))


def _draw_measured(
    axes: Axes, summary: pd.DataFrame, kappas: pd.DataFrame, marks: Mapping[str, Mark]
) -> None:
    """kappa of one study, main sampler, and the laws after one merging as lines across."""
    found = over_seeds(metric_rows(summary, "kappa"))
    found = found[(found["depth"] > 0) & (found["sampler"] == found["sampler"].iloc[:1].squeeze())]
    if found.empty:
        raise UserError("a summary has no kappa: its study needs two ratios")
    first = kappas[kappas["k"] == 1]
    depth_axis(axes, found, control=False)
    for group, mark in marks.items():
        for law, line in (("recursion", RECURSION), ("odds-power", POWER)):
            for value in of(first[first["class"] == group], f"landscape_kappa:{law}")["value"]:
                axes.axhline(value, color=mark.colour, ls=line, lw=0.8)
    draw_points(axes, found["x"].to_numpy(), found, Mark("#000000", "o", "none"), 0)
    reach = found[["value", "lower", "upper"]].to_numpy()
    axes.set_ylim(min(0.0, np.nanmin(reach) - 0.2), max(5.3, np.nanmax(reach) + 0.2))
    axes.set(title=f"study {found['study'].iloc[0]}", xlabel=DEPTH_LABEL)
    axes.set_ylabel("measured kappa; lines: one merging")


@styled()
def plot_surface(_: pd.DataFrame) -> Figure:
    """E_s of ten made-up points on a line at four levels, with its minima and whose they are."""
    import torch  # a job that draws other figures needs none

    from depthbias.theory.energy import Energy, distinct

    energy, minority = Energy(torch.tensor(PLACES)[:, None]), torch.tensor(MINORITY)
    line = torch.linspace(-6.0, 5.6, 400, dtype=torch.float64)[:, None]
    figure = Figure(figsize=(7.0, 2.0), layout="constrained")
    grid = figure.subplots(1, len(SURFACE_LEVELS))
    marks = dict(zip(("majority", "minority"), class_marks(2), strict=True))
    for s, axes in zip(SURFACE_LEVELS, grid, strict=True):
        height = energy.value(line, s)
        axes.plot(line[:, 0], height, color=GREY, lw=1)
        minima, _owners = distinct(energy.descend(energy.points, s), s)
        theirs = energy.weights(minima, s)[:, minority].sum(1) > 0.5
        low, high = float(height.min()), float(height.max())
        for wanted, mark in zip((False, True), marks.values(), strict=True):
            shown, own = minima[theirs == wanted], energy.points[minority == wanted, 0]
            look: dict[str, Any] = {"color": mark.colour, "marker": mark.marker, "ls": "none"}
            axes.plot(shown[:, 0], energy.value(shown, s), **look)
            axes.plot(own, [low - 0.15 * (high - low)] * len(own), "|", color=mark.colour)
        axes.set(title=f"s = {s:g}: {len(minima)} minim{'a' if len(minima) > 1 else 'um'}")
        axes.set(yticks=[], xlabel="x")
    grid[0].set_ylabel("energy $E_s(x)$")
    dots = {f"minimum of the {name}": mark._replace(line="none") for name, mark in marks.items()}
    ticks = Line2D([], [], color=GREY, marker="|", ls="none", label="data points")
    legend_above(figure, [*mark_handles(dots), ticks], [])
    return figure


@styled()
def plot_energy(rows: pd.DataFrame) -> Figure:
    """Minima, whose they are, and curvature of the energy of training images against s."""
    marks = _marks(of(rows, "energy_minima")["ratio"])
    figure = Figure(figsize=(6.2, 2 * ROW_HEIGHT + 1.2), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True)
    for ratio, mark in marks.items():
        mine = rows[rows["ratio"] == ratio]
        _line(grid[0, 0], of(mine, "energy_minima"), mark)
        _line(grid[0, 1], of(mine, "energy_minority_minima"), mark)
        _line(grid[0, 1], of(mine, "energy_minority_basins"), mark, **DASHED)
        for axes, power in ((grid[1, 0], 0), (grid[1, 1], 2)):
            for name, look in CURVATURES.items():
                found = of(mine, f"energy_{name}")
                value = found["value"] / found["sigma"] ** power
                _line(axes, found.assign(value=value), mark, **look)
    grid[1, 0].axhline(1, color=GREY, lw=0.8)
    levels = rows["sigma"].dropna().unique()
    grid[1, 1].plot(levels, levels**-2.0, color=GREY, lw=0.8)
    for axes in (grid[0, 0], *grid[1]):
        axes.set_yscale("log")
    log_axis(grid[1, 0].xaxis, levels.min() / 1.1, levels.max() * 1.1)
    labels = ["minima", "the minority's share", "curvature of $E_s$", "curvature of $E_s / s^2$"]
    for axes, label in zip(grid.flat, labels, strict=True):
        axes.set_ylabel(label)
    figure.supxlabel("s (images span -1 to 1)", fontsize=8)
    grey = [
        Line2D([], [], color=GREY, marker="o", label="share of minima; Hessian"),
        Line2D([], [], color=GREY, marker="o", label="of images; gradient", **DASHED),
    ]
    legend_above(figure, [*mark_handles(marks), *grey], [])
    return figure


def _line(axes: Axes, rows: pd.DataFrame, mark: Mark, **look: Any) -> None:
    options: dict[str, Any] = {"color": mark.colour, "marker": mark.marker, "ms": 3, "lw": 1} | look
    axes.plot(rows["sigma"], rows["value"], **options)


def _marks(names: pd.Series) -> dict[str, Mark]:
    found = [name for name in names.unique() if name]
    return dict(zip(found, ordered_marks(len(found)), strict=True))
