"""Depths at equal images seen beside depths at equal held-out loss, as tables to read."""

from collections.abc import Iterator

import pandas as pd

from depthbias.diffusion.architectures import SERIES
from depthbias.estimates.runs import ordered_architectures
from depthbias.estimates.tidy import models, of, over_seeds
from depthbias.measures.matched_loss import EQUAL_IMAGES, EQUAL_LOSS
from depthbias.report.cells import INTERVAL, cell
from depthbias.report.names import ratio_title
from depthbias.report.pages import Section

HEADINGS = {
    EQUAL_IMAGES: ("Equal images seen", "Every model at the end of its training"),
    EQUAL_LOSS: (
        "Equal held-out loss",
        "Every model at the snapshot whose held-out loss is nearest to the largest final one",
    ),
}
MEASURES = {  # metric: (name, decimals)
    "images_seen": ("images seen", 0),
    "heldout_loss": ("held-out loss", 4),
    "log_odds_shift": ("log-odds shift", 2),
    "kappa": ("κ", 2),
}


def sections(rows: pd.DataFrame) -> list[Section]:
    """A table for each way of matching: a line a ratio and measure, a column an architecture.

    The last columns are slopes on depth, one a series.
    """
    found = []
    own = models(over_seeds(rows))
    names = ordered_architectures(set(own["architecture"]) - set(SERIES))
    series = [name for name in SERIES if name in set(own["architecture"])]
    header = ["ratio", *names, *(f"a stage ({SERIES[name]})" for name in series)]
    for arm, (heading, note) in HEADINGS.items():
        mine = own[own["study"].str.endswith(f"-{arm}")]
        lines = list(_lines(mine, names, series))
        found.append(Section(heading, f"{note}, {INTERVAL}.", header, lines))
    return found


def _lines(rows: pd.DataFrame, names: list[str], series: list[str]) -> Iterator[list[str]]:
    """Cells of all ratios; of classes the last one, the minority."""
    for ratio in rows["ratio"].unique():
        here = rows[rows["ratio"] == ratio]
        for metric, (title, digits) in MEASURES.items():
            cells = []
            for columns, name in ((names, metric), (series, f"{metric}_per_depth")):
                mine = of(here, name)
                mine = mine[mine["class"] == (mine["class"].iloc[-1] if len(mine) else "")]
                by_name = {row["architecture"]: row for _, row in mine.iterrows()}
                cells += [_cell(by_name, one, digits) for one in columns]
            if set(cells) != {"-"}:
                yield [f"{ratio_title(ratio)}: {title}", *cells]


def _cell(by_name: dict[str, pd.Series], name: str, digits: int) -> str:
    return cell(by_name[name], digits=digits) if name in by_name else "-"
