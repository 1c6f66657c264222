"""Tables of measures of models and of real images alike: a line each, a column a measure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from depthbias.estimates.runs import REAL, TRAIN, ordered_architectures
from depthbias.estimates.tidy import models, of
from depthbias.report.cells import PARTS, cell, wide
from depthbias.report.names import setting_title
from depthbias.report.pages import Section

BACKGROUNDS = {TRAIN: "training images", REAL: "held-out images"}


class TableColumn(NamedTuple):
    """One metric of the table: how it is named, found and written."""

    label: str
    metric: str
    class_name: str = ""
    k: float | None = None
    scale: float = 1.0
    digits: int = 2

    @property
    def key(self) -> str:
        """Its name in the wide table."""
        parts = [self.metric, "" if self.k is None else f"k={self.k:g}", self.class_name]
        return " ".join(filter(None, parts))


def wide_rows(rows: pd.DataFrame, columns: Sequence[TableColumn]) -> pd.DataFrame:
    """A row for each study, ratio, sampler and model (or real images), the columns side by side.

    rows: over seeds. An estimate NAME has the columns NAME, NAME_lower, NAME_upper and NAME_n.
    """
    made: list[dict[str, Any]] = []
    for ratio, sampler in _settings(rows, columns):
        for name, own in _images(rows, ratio, sampler, columns):
            line = {"study": rows["study"].iloc[0], "ratio": ratio, "sampler": sampler}
            line |= {"architecture": name, "source": "ours"}
            for column in columns:
                line |= wide(column.key, _find(own, column))
            made.append(line)
    return pd.DataFrame(made)


def _settings(rows: pd.DataFrame, columns: Sequence[TableColumn]) -> list[tuple[str, str]]:
    """Ratio and sampler of every group of models that was measured."""
    own = models(rows[rows["metric"].isin([column.metric for column in columns])])
    return list(own[["ratio", "sampler"]].drop_duplicates().itertuples(index=False, name=None))


def _images(
    rows: pd.DataFrame, ratio: str, sampler: str, columns: Sequence[TableColumn]
) -> list[tuple[str, pd.DataFrame]]:
    """The rows of real images, then of U-Nets in reading order, by their names."""
    own = rows[rows["metric"].isin([column.metric for column in columns])]
    own = own[(own["ratio"] == ratio) & own["sampler"].isin([sampler, ""])]
    names = set(own["architecture"])
    ordered = [*(name for name in BACKGROUNDS if name in names), *ordered_architectures(names)]
    return [(name, own[own["architecture"] == name]) for name in ordered]


def _find(rows: pd.DataFrame, column: TableColumn) -> pd.Series:
    """The estimate in the rows of one model; NaN throughout if there is none."""
    own = of(rows, column.metric, class_name=column.class_name, k=column.k)[list(PARTS)]
    return own.iloc[0] if len(own) else pd.Series(np.nan, own.columns)


def tables(
    title: str, note: str, rows: pd.DataFrame, columns: Sequence[TableColumn]
) -> list[Section]:
    """A section for each ratio and sampler, a row for each U-Net and kind of real images."""
    found = []
    for ratio, sampler in _settings(rows, columns):
        made = [
            [
                BACKGROUNDS.get(name, name),
                *(cell(_find(own, c), c.scale, c.digits) for c in columns),
            ]
            for name, own in _images(rows, ratio, sampler, columns)
        ]
        heading = f"{title}: {setting_title(ratio, sampler)}"
        found.append(Section(heading, note, ["images", *(c.label for c in columns)], made))
    return found


def trend_name(metric: str, k: float, ratio: str, sampler: str) -> str:
    """The first cell of a line of trends."""
    stem = metric.replace("_per_depth", "") + ("" if np.isnan(k) else f" k={k:g}")
    return f"{stem}, {setting_title(ratio, sampler)}"
