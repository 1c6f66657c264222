"""Estimates as cells of tables: to be read, and as the columns of a wide table."""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from depthbias.diffusion.architectures import SERIES
from depthbias.report.pages import Section

INTERVAL = "with 95 % intervals over seeds and images"
PARTS = ("value", "lower", "upper", "n")  # an estimate: 95 % interval, images it rests on


def columns_of(name: str) -> list[str]:
    """The columns of an estimate in a wide table: NAME, NAME_lower, NAME_upper and NAME_n."""
    return [name, *(f"{name}_{part}" for part in PARTS[1:])]


def wide(name: str, estimate: Mapping[str, float]) -> dict[str, float]:
    """An estimate by its columns in a wide table."""
    return {column: estimate[part] for column, part in zip(columns_of(name), PARTS, strict=True)}


def narrow(name: str, row: Mapping[str, float]) -> dict[str, float]:
    """The estimate that a row of a wide table has under a name."""
    return {part: row[column] for column, part in zip(columns_of(name), PARTS, strict=True)}


def cell(estimate: Mapping[str, float], scale: float = 1.0, digits: int = 2) -> str:
    """An estimate as text, "12.3 [11.0, 13.9]"; without an interval "12.3"; absent "-"."""
    value, lower, upper = (scale * estimate[part] for part in PARTS[:3])
    if math.isnan(value):
        return "-"
    texts = [f"{number:z.{digits}f}" for number in (value, lower, upper)]
    if math.isnan(lower) or math.isnan(upper):
        return texts[0]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def lines(
    rows: pd.DataFrame,
    down: Sequence[str],
    across: str,
    columns: Sequence[Hashable],
    name: Callable[..., str],
    **look: Any,
) -> Iterator[list[str]]:
    """A line of cells for each group of tidy rows with equal keys `down`, called name(*keys).

    columns: values of the key `across`, in the order of the cells; look: as in `cell`.
    """
    for keys, group in rows.groupby(list(down), sort=False, dropna=False):
        cells = {row[across]: cell(row, **look) for _, row in group.iterrows()}
        yield [name(*keys), *(cells.get(column, "-") for column in columns)]


def trends(
    rows: pd.DataFrame,
    down: Sequence[str],
    name: Callable[..., str],
    heading: str,
    note: str,
    digits: int,
) -> list[Section]:
    """Slopes on depth, a column a series; nothing without rows. down, name: as in `lines`."""
    if rows.empty:
        return []
    series = [one for one in SERIES if one in set(rows["architecture"])]
    found = list(lines(rows, down, "architecture", series, name, digits=digits))
    first = "metric" if down[0] == "metric" else "class"
    return [Section(heading, note, [first, *(SERIES[one] for one in series)], found)]
