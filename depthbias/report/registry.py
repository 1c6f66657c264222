"""The figures that are drawn from a study's summary alone: a row here, a caption, and it is drawn.

Their names are those of the files. Figures that need other files have scripts of their own.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from depthbias.report.bias_figures import plot_kappa, plot_proportions
from depthbias.report.denoising_figures import plot_convergence, plot_depth_use
from depthbias.report.distance_figures import plot_diversity, plot_neighbors
from depthbias.report.quality_figure import plot_quality
from depthbias.report.structure_figures import (
    ERRORS,
    LINEARITY,
    WEIGHTS,
    plot_against_depth,
    plot_levels,
)
from depthbias.system.errors import UserError

# name: function of the summary
SUMMARY_FIGURES: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "proportions": plot_proportions,
    "kappa": plot_kappa,
    "depth-use": plot_depth_use,
    "convergence": plot_convergence,
    "linearity": partial(plot_levels, measures=LINEARITY, share=False),
    "structure": plot_against_depth,
    "score-errors": partial(plot_levels, measures=ERRORS, share=True),
    "linear-maps": partial(plot_levels, measures=WEIGHTS, share=False),
}
# name: function of the summary and of what the embeddings are, {name: {"origin": ...}}
EXPLAINED_FIGURES: dict[str, Callable[[pd.DataFrame, Mapping[str, Any]], Figure]] = {
    "diversity": plot_diversity,
    "neighbors": plot_neighbors,
    "quality": plot_quality,
}
NAMES = (*SUMMARY_FIGURES, *EXPLAINED_FIGURES)


def draw(name: str, summary: pd.DataFrame, provenance: Mapping[str, Any]) -> Figure:
    """The figure `name` of a summary; UserError if it needs a provenance and has none."""
    if name in SUMMARY_FIGURES:
        return SUMMARY_FIGURES[name](summary)
    if not provenance:
        raise UserError(f"{name}: no description of the embeddings: give it as --provenance")
    return EXPLAINED_FIGURES[name](summary, provenance)
