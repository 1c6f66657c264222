"""Figures and tables that are made of a study's summary alone: a row here, and a caption.

Their names are those of the files. What needs other files has a script of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from depthbias.report import (
    bias_table,
    classifier_table,
    membership_table,
    neighbor_table,
    quality_table,
)
from depthbias.report.bias_figures import plot_kappa, plot_proportions
from depthbias.report.classifier_figure import plot_thresholds
from depthbias.report.copied_figure import plot_copied
from depthbias.report.denoising_figures import plot_convergence, plot_depth_use
from depthbias.report.distance_figures import plot_diversity, plot_neighbors
from depthbias.report.doubts import doubts
from depthbias.report.flip_figures import plot_bias_variance, plot_flips
from depthbias.report.membership_figures import plot_membership
from depthbias.report.pages import Section
from depthbias.report.quality_figure import plot_quality
from depthbias.report.structure_figures import (
    ERRORS,
    LINEARITY,
    WEIGHTS,
    plot_against_depth,
    plot_levels,
)
from depthbias.system.errors import UserError
from depthbias.system.files import read_json

# name: function of the summary
SUMMARY_FIGURES: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "proportions": plot_proportions,
    "kappa": plot_kappa,
    "thresholds": plot_thresholds,
    "depth-use": plot_depth_use,
    "convergence": plot_convergence,
    "membership": plot_membership,
    "bias-variance": plot_bias_variance,
    "flips": plot_flips,
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
    "copied-training": plot_copied,
}
NAMES = (*SUMMARY_FIGURES, *EXPLAINED_FIGURES)


class SummaryTable(NamedTuple):
    """A table: the title of its page, and the module that makes it wide and as tables to read.

    explained: whether both need what the embeddings are.
    """

    title: str
    module: ModuleType
    explained: bool


SUMMARY_TABLES = {
    "proportions": SummaryTable("Class proportions", bias_table, explained=False),
    "neighbors": SummaryTable("Neighbours and diversity", neighbor_table, explained=True),
    "quality": SummaryTable("Quality of generated images", quality_table, explained=True),
    "classifiers": SummaryTable("Classifiers", classifier_table, explained=False),
    "membership": SummaryTable("Membership attacks", membership_table, explained=False),
}


def read_provenance(paths: Sequence[Path]) -> dict[str, Any]:
    """What the embeddings are, {name: {"origin": ...}}, from all of the files."""
    return {name: told for path in paths for name, told in read_json(path).items()}


def draw(name: str, summary: pd.DataFrame, provenance: Mapping[str, Any]) -> Figure:
    """The figure `name` of a summary; UserError if it needs a provenance and has none."""
    if name in SUMMARY_FIGURES:
        return SUMMARY_FIGURES[name](summary)
    _check_explained(name, provenance)
    return EXPLAINED_FIGURES[name](summary, provenance)


def table(
    name: str, summary: pd.DataFrame, provenance: Mapping[str, Any]
) -> tuple[str, pd.DataFrame, list[Section]]:
    """(title, wide table, tables to read) of a summary, else as `draw`.

    Above the first one stands what makes the numbers mean little.
    """
    title, module, explained = SUMMARY_TABLES[name]
    given = (summary, provenance) if explained else (summary,)
    if explained:
        _check_explained(name, provenance)
    title = f"{title}: study {summary['study'].iloc[0]}"
    sections = module.sections(*given)
    if (told := doubts(summary)) and sections:
        first = sections[0]
        sections[0] = first._replace(note=" ".join([*told, first.note]))
    return title, module.wide_table(*given), sections


def _check_explained(name: str, provenance: Mapping[str, Any]) -> None:
    if not provenance:
        raise UserError(f"{name}: no description of the embeddings: give it as --provenance")
