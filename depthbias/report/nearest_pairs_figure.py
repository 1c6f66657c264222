"""The generated images that are nearest to a training image, beside that training image."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from depthbias.estimates.runs import ordered_architectures
from depthbias.report.image_drawing import draw_image
from depthbias.report.names import ratio_title, sampler_title
from depthbias.report.style import GREY, styled
from depthbias.system.errors import UserError


@styled()
def plot_nearest_pairs(
    pairs: pd.DataFrame, real: np.ndarray, samples: Mapping[str, np.ndarray], embedding: str
) -> Figure:
    """The nearest pairs of every U-Net: generated image left, its nearest training image right.

    pairs: those of one ratio and seed, as measure_neighbors.py writes them; real: the data set,
    uint8 [N, H, W, C]; samples: images of every U-Net, the same. Under a pair its distance (or
    cosine similarity). UserError if there are none in this embedding.
    """
    rows = pairs[pairs["embedding"] == embedding].sort_values("rank")
    if rows.empty:
        raise UserError(f"no pairs in the embedding {embedding!r}: measure the neighbours again")
    names, columns = ordered_architectures(rows["architecture"]), int(rows["rank"].max())
    height = 0.56 * len(names) + 0.4
    figure = Figure(figsize=(7, height))
    edges = {"left": 0.1, "right": 0.99, "bottom": 0.16 / height, "top": 1 - 0.36 / height}
    grid = GridSpec(len(names), columns, figure, **edges, wspace=0.16, hspace=0.45)
    for line, name in enumerate(names):
        for column, (_, pair) in enumerate(rows[rows["architecture"] == name].iterrows()):
            axes = figure.add_subplot(grid[line, column])
            _draw(axes, samples[name][pair["index"]], real[pair["row"]], f"{pair['value']:.4g}")
            if column == 0:
                axes.annotate(name, (-0.08, 0.5), ha="right", va="center", xycoords="axes fraction")
    first = rows.iloc[0]
    title = (
        f"{ratio_title(first['ratio'])}, seed {first['seed']}, {sampler_title(first['sampler'])}"
    )
    figure.suptitle(f"{title}: generated | nearest training image, in {embedding}", fontsize=8)
    return figure


def _draw(axes: Axes, generated: np.ndarray, training: np.ndarray, value: str) -> None:
    """Two images [H, W, C] side by side with a gap, the value under them."""
    for place, image in ((0.0, generated), (1.04, training)):
        draw_image(axes, image, place, 0)
    axes.set(xlim=(0, 2.04), ylim=(1, 0), aspect="equal")
    axes.set_axis_off()
    axes.annotate(value, (0.5, -0.04), ha="center", va="top", color=GREY, xycoords="axes fraction")
