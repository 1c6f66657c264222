"""The tidy table of measurements: the columns of summary.csv and of the parts it is made of."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from depthbias.system.errors import UserError, explain
from depthbias.system.files import replacing

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
    with replacing(path) as temporary:
        tidy(rows).to_csv(temporary, index=False, float_format="%.10g")


def read_rows(path: str | Path) -> pd.DataFrame:
    """Read tidy rows; text columns are strings (empty where absent), numbers are floats."""
    text = {name: str for name in KEYS if name not in ("k", "sigma")}
    try:
        frame = pd.read_csv(path, dtype=text, keep_default_na=True)
    except OSError as error:
        raise explain(error, path, "cannot read") from error
    except ValueError as error:
        raise UserError(
            f"{path}: not a table of results ({error}): delete it and run again"
        ) from error
    if list(frame.columns) != COLUMNS:
        raise UserError(f"{path}: columns are not {', '.join(COLUMNS)}: delete it and run again")
    return frame.fillna(dict.fromkeys(text, ""))
