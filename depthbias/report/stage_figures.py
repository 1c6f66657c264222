"""The figure of networks whose noise levels are treated by stages."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthbias.estimates.runs import ALL
from depthbias.estimates.tidy import of
from depthbias.report.panels import ROW_HEIGHT, draw_points, legend_above, mark_handles
from depthbias.report.structure_figures import log_axis
from depthbias.report.style import GREY, class_marks, styled
from depthbias.system.errors import UserError
from depthbias.theory.stage_names import KINDS, UNIFIED

LEVEL = "noise level (images span -1 to 1)"


@styled()
def plot_stages(rows: pd.DataFrame) -> Figure:
    """Similarity of noise levels; what stages change of the held-out loss, and what they cost."""
    found = rows[(rows["seed"] == ALL) & rows["sigma"].notna()]
    similarity, loss = of(found, "stages_similarity"), of(found, "stages_loss_change")
    if similarity.empty or loss.empty:
        raise UserError("the rows have no stages: measure them first")
    figure = Figure(figsize=(7.0, 1.45 * ROW_HEIGHT), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _similarity(left, similarity)
    marks = dict(zip(KINDS, class_marks(len(KINDS)), strict=True))
    costs = of(found, "stages_megaflops")
    for place, (kind, mark) in enumerate(marks.items()):
        mine = loss[loss["architecture"] == kind].sort_values("sigma")
        if kind != UNIFIED:
            draw_points(middle, mine["sigma"].to_numpy(), mine, mark, 1.5 * place - 2.25)
        cost = costs[costs["architecture"] == kind].sort_values("sigma")
        style = {"color": mark.colour, "ls": mark.line, "marker": mark.marker, "ms": 3}
        right.plot(cost["sigma"], cost["value"], **style)
    middle.axhline(0, color=GREY, lw=0.8)
    ends = loss[["value", "lower", "upper"]].to_numpy()
    low, high = np.nanmin(ends), np.nanmax(ends)
    middle.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    middle.set_title("held-out loss, change")
    right.set_title("cost, million operations")
    right.set_ylim(0, 1.15 * costs["value"].max())
    for axes in (middle, right):
        log_axis(axes.xaxis, loss["sigma"].min() / 1.3, loss["sigma"].max() * 1.3)
        axes.set_xlabel(LEVEL)
    legend_above(figure, mark_handles({KINDS[kind]: mark for kind, mark in marks.items()}), [])
    return figure


def _similarity(axes: Axes, rows: pd.DataFrame) -> None:
    """The matrix of levels; its rows and columns are the levels in order."""
    table = rows.pivot_table(index="sigma", columns="k", values="value").sort_index()
    axes.imshow(table.to_numpy(), cmap="Blues", vmin=0, vmax=1, origin="lower")
    ticks = np.arange(0, len(table), 3)
    names = [f"{table.index[i]:g}" for i in ticks]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.set(title="similarity of levels", xlabel="noise level", ylabel="noise level")
