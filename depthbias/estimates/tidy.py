"""The tidy table of measurements: columns, reading, writing, uniting, and selecting rows.

A metric of an embedding is called METRIC:EMBEDDING. Selections keep the order of the rows.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from depthbias.estimates.runs import ALL, REAL, TRAIN
from depthbias.system.errors import UserError, reading
from depthbias.system.files import write_csv

COLUMNS = [
    "study",
    "ratio",
    "architecture",
    "seed",
    "sampler",
    "metric",
    "class",
    "k",
    "sigma",
    "value",
    "lower",
    "upper",
    "n",
    "runs",
]
KEYS = COLUMNS[: COLUMNS.index("value")]


def tidy(rows: Iterable[dict[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """Rows as a frame with exactly COLUMNS (absent ones empty); an unknown column is a bug."""
    frame = pd.DataFrame(rows)
    unknown = set(frame.columns) - set(COLUMNS)
    if unknown:
        raise ValueError(f"unknown columns: {sorted(unknown)}")
    return frame.reindex(columns=COLUMNS)


def write_rows(path: str | Path, rows: Iterable[dict[str, Any]] | pd.DataFrame) -> None:
    """Write tidy rows as CSV, atomically; floats with 10 significant digits."""
    write_csv(path, tidy(rows))


def read_rows(path: str | Path) -> pd.DataFrame:
    """Read tidy rows; text columns are strings (empty where absent), numbers are floats."""
    text = {name: str for name in KEYS if name not in ("k", "sigma")}
    with reading(path, "not a table of results", "delete it and run again"):
        frame = pd.read_csv(path, dtype=text, keep_default_na=True)
    if list(frame.columns) != COLUMNS:
        raise UserError(f"{path}: columns are not {', '.join(COLUMNS)}: delete it and run again")
    return frame.fillna(dict.fromkeys(text, ""))


def unite(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """All rows, those with the same study together, in it the same ratio, and so on.

    The values of a column come in the order in which the parts first have them: classes and ratios
    as configured, the main sampler first. UserError for two rows with the same keys.
    """
    table = pd.concat(parts, ignore_index=True)
    twice = table[table.duplicated(KEYS)]
    if len(twice):
        first = ", ".join(str(v) for v in twice.iloc[0][KEYS] if v != "" and not pd.isna(v))
        raise UserError(f"two rows of the same measurement ({first}): give every part once")
    places = table[KEYS].apply(lambda column: pd.factorize(column)[0])
    return table.loc[places.sort_values(KEYS, kind="stable").index]


def of(
    rows: pd.DataFrame,
    metric: str,
    *,
    class_name: str | None = None,
    k: float | None = None,
) -> pd.DataFrame:
    """Rows with a finite value of one metric: of all its embeddings, classes and k, or of one.

    metric: its name without embedding, or the whole "METRIC:EMBEDDING".
    """
    name = rows["metric"] if ":" in metric else rows["metric"].str.split(":").str[0]
    chosen = (name == metric) & np.isfinite(rows["value"])
    if class_name is not None:
        chosen &= rows["class"] == class_name
    if k is not None:
        chosen &= rows["k"] == k
    return rows[chosen]


def models(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows about models, or about a series of them: neither images of the data set nor pairs."""
    apart = rows["architecture"].isin(["", REAL, TRAIN])
    pair = rows["architecture"].str.contains("~") | rows["seed"].str.contains("~")
    return rows[~apart & ~pair]


def real(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows about held-out images."""
    return rows[rows["architecture"] == REAL]


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows over all seeds."""
    return rows[rows["seed"] == ALL]


def single_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows about one seed: neither over seeds nor about a pair of them."""
    return rows[~rows["seed"].isin(["", ALL]) & ~rows["seed"].str.contains("~")]


def main_sampler(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the main sampler, which a table lists first, and rows without a sampler."""
    first = rows.loc[rows["sampler"] != "", "sampler"].head(1)
    return rows[rows["sampler"].isin([*first, ""])]
