"""Figure of the training images that some generated image copies, against how many there are."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthbias.estimates.runs import ALL, REAL
from depthbias.report.panels import (
    architecture_marks,
    in_block,
    legend_above,
    limits,
    mark_handles,
    metric_rows,
    panel_grid,
    scaled,
)
from depthbias.report.structure_figures import (
    draw_architectures,
    log_axis,
    ratio_blocks,
    row_name,
    seeds_note,
)
from depthbias.report.style import GREY, styled
from depthbias.system.errors import UserError

METRIC = "training_copied_share"


@styled()
def plot_copied(summary: pd.DataFrame, about: Mapping[str, Any]) -> Figure:
    """Share of training images that have a copy, against the number of generated images.

    A column an embedding in which copies are told, a row a ratio and series, a line an
    architecture. Dashed: as many held-out images in their place. about: what the embeddings are,
    from measure_neighbors.py.
    """
    columns = {name: _rows(summary, name) for name in about if _told(summary, name)}
    if not columns:
        raise UserError(f"the summary has no {METRIC}: measure the study's neighbours")
    whole = pd.concat(columns.values())
    blocks, marks = ratio_blocks(whole), architecture_marks(whole["architecture"])
    figure, grid = panel_grid(len(blocks), len(columns), share="col")
    for (ratio, block), line in zip(blocks, grid, strict=True):
        for rows, axes in zip(columns.values(), line, strict=True):
            log_axis(axes.xaxis, 0.8, 1.3 * whole["k"].max())
            held = rows["architecture"] == REAL
            axes.set_ylim(limits(rows[~held], [0, *rows.loc[held, "value"]]))
            mine = rows[rows["ratio"] == ratio]
            real = mine[(mine["architecture"] == REAL) & (mine["seed"] == ALL)].sort_values("k")
            axes.plot(real["k"], real["value"], color=GREY, ls=(0, (4, 3)), lw=1)
            draw_architectures(axes, in_block(mine, block), marks, against="k")
        line[0].set_ylabel(f"{row_name(ratio, block, blocks)}\ntraining images (%)")
    for name, axes in zip(columns, grid[0], strict=True):
        axes.set_title(_title(name, about[name]))
    figure.supxlabel("generated images", fontsize=8)
    real = Line2D([], [], color=GREY, ls=(0, (4, 3)), lw=1, label="held-out images")
    legend_above(figure, [*mark_handles(marks), real], [seeds_note(whole)])
    return figure


def _told(summary: pd.DataFrame, embedding: str) -> bool:
    return bool((summary["metric"] == f"{METRIC}:{embedding}").any())


def _rows(summary: pd.DataFrame, embedding: str) -> pd.DataFrame:
    """The curves in one embedding, in percent."""
    return scaled(metric_rows(summary[summary["class"] == ""], f"{METRIC}:{embedding}"))


def _title(embedding: str, described: Mapping[str, Any]) -> str:
    """What a copy is in an embedding."""
    if embedding == "pixels":
        return "pixels\n(d1/d2 < 1/3)"
    return f"{embedding}\n(cosine above {described['copies']['threshold']:.4g})"
