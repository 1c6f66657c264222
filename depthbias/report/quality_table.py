"""How like held-out real images the generated ones are: a table for the report, from a summary."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from depthbias.estimates.tidy import of, over_seeds
from depthbias.report.cells import INTERVAL, trends
from depthbias.report.measure_table import TableColumn, tables, trend_name, wide_rows
from depthbias.report.pages import Section

# name of a measure: (label, factor, digits)
MEASURES = {
    "precision": ("precision (%)", 100.0, 1),
    "recall": ("recall (%)", 100.0, 1),
    "density": ("density", 1.0, 2),
    "coverage": ("coverage (%)", 100.0, 1),
    "kid": ("KID x 1000", 1000.0, 1),
}


def wide_table(summary: pd.DataFrame, _: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each ratio, sampler and U-Net (or real images); all measures, embeddings and k.

    An estimate NAME has the columns NAME, NAME_lower, NAME_upper and NAME_n; shares are fractions.
    """
    rows = over_seeds(summary)
    columns = [
        TableColumn("", metric, name, None if pd.isna(k) else k)
        for measure in MEASURES
        for metric, name, k in _kinds(of(rows, measure))
    ]
    return wide_rows(rows, columns)


def _kinds(rows: pd.DataFrame) -> list[tuple[str, str, float]]:
    """Metric, class and k of the rows, each once."""
    kinds = rows[["metric", "class", "k"]].drop_duplicates()
    return list(kinds.itertuples(index=False, name=None))


def sections(summary: pd.DataFrame, about: Mapping[str, Any]) -> list[Section]:
    """The same for one k: all images in every embedding, then each class, then trends over depth.

    about: the embedding of the manifold and its k, from measure_quality.py.
    """
    rows = over_seeds(summary)
    [(chosen, described)] = about.items()
    k = float(described["k"])
    note = f"Balls reach to the k-th nearest image of the class, k = {k:g}; {INTERVAL}. Held out: "
    note += "what new real images would reach. KID: squared distance of the distributions."
    precisions = of(rows, "precision")
    found = []
    for metric in precisions["metric"].unique():
        name = metric.partition(":")[2]
        found += tables(f"All images, {name}", note, rows, _columns(name, [""], k))
    classes = [name for name in precisions["class"].unique() if name]
    found += tables(f"By class, {chosen}", note, rows, _columns(chosen, classes, k))
    pattern = rf"^(?:{'|'.join(MEASURES)})_per_depth:"
    shown = rows[rows["metric"].str.contains(pattern, regex=True)]
    return found + trends(
        shown[shown["k"].isna() | (shown["k"] == k)],
        ["metric", "k", "ratio", "sampler"],
        trend_name,
        "Trend over depth",
        "Change with every stage more, shares as fractions: 0 is no trend. With 95 % intervals "
        "over runs.",
        digits=4,
    )


def _columns(embedding: str, classes: Sequence[str], k: float) -> list[TableColumn]:
    """The five measures of each class."""
    return [
        TableColumn(
            f"{name} {label}".strip(),
            f"{measure}:{embedding}",
            name,
            None if measure == "kid" else k,
            scale,
            digits,
        )
        for name in classes
        for measure, (label, scale, digits) in MEASURES.items()
    ]
