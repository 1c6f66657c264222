"""Figures of the theory bench: a row here, a caption, and a title in workflow/rules/theory.smk.

Their names are those of the files.
"""

from collections.abc import Callable, Sequence

import pandas as pd
from matplotlib.figure import Figure

from depthbias.report.bypass_figures import plot_bypass
from depthbias.report.editing_figures import plot_properties
from depthbias.report.family_figures import plot_families, plot_family_grid
from depthbias.report.jacobian_figures import plot_local, plot_rank, plot_rank_depth
from depthbias.report.landscape_figures import plot_energy, plot_laws, plot_merging, plot_surface
from depthbias.report.molrg_figures import plot_boundary, plot_phases
from depthbias.report.stage_figures import plot_stages
from depthbias.report.watermark_figures import plot_roc, plot_tradeoff, plot_watermark

Draw = Callable[[pd.DataFrame, Sequence[pd.DataFrame]], Figure]


def _of_rows(draw: Callable[[pd.DataFrame], Figure]) -> Draw:
    return lambda rows, summaries: draw(rows)


# name: function of the rows of its part, and of the summaries of the studies named beside it
FIGURES: dict[str, Draw] = {
    "merging": _of_rows(plot_merging),
    "laws": plot_laws,
    "surface": _of_rows(plot_surface),
    "energy": _of_rows(plot_energy),
    "phases": _of_rows(plot_phases),
    "boundary": _of_rows(plot_boundary),
    "rank": _of_rows(plot_rank),
    "rank-depth": _of_rows(plot_rank_depth),
    "local": _of_rows(plot_local),
    "edit-properties": _of_rows(plot_properties),
    "bypass": _of_rows(plot_bypass),
    "watermark": _of_rows(plot_watermark),
    "watermark-roc": _of_rows(plot_roc),
    "tradeoff": _of_rows(plot_tradeoff),
    "families": _of_rows(plot_families),
    "family-grid": _of_rows(plot_family_grid),
    "stages": _of_rows(plot_stages),
}
