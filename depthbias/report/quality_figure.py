"""How like held-out real images the generated ones are, against depth."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from depthbias.report.distance_figures import DistanceColumn, draw_columns
from depthbias.report.panels import scaled
from depthbias.report.quality_table import MEASURES
from depthbias.report.style import styled


@styled()
def plot_quality(summary: pd.DataFrame, about: Mapping[str, Any]) -> Figure:
    """Precision, recall, density, coverage and KID of all images, a column each, a line a ratio.

    Dashed: what new real images would reach, mixed at that ratio. about: the embedding of the
    manifold and its k, from measure_quality.py. Recall is left out where every model has a class of
    no more than k images.
    """
    [(embedding, described)] = about.items()
    whole = summary[(summary["class"] == "") & summary["value"].notna()]
    columns = []
    for name, (label, scale, _) in MEASURES.items():
        rows = whole[whole["metric"] == f"{name}:{embedding}"]
        rows = rows[rows["k"].isna() | (rows["k"] == described["k"])]
        columns.append(DistanceColumn(label.partition(" ")[0], label, scaled(rows, scale)))
    note = f"balls reach to the k-th nearest image of the class, k = {described['k']}"
    absent = {"recall"} - {one.title for one in columns if (one.rows["sampler"] != "").any()}
    return draw_columns([one for one in columns if one.title not in absent], about, [note])
