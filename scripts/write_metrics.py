"""Write the headline numbers of a study for `dvc metrics` (JSON) and `dvc plots` (CSV)."""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from depthbias.errors import UserError, run
from depthbias.files import replacing, write_json
from depthbias.tables import read_rows

METRICS = ["share_corrected", "undecidable_share", "kappa", "log_odds_shift_per_depth"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--summary", type=Path, required=True, help="tidy results of one study (.csv)")
    add("--metrics", type=Path, required=True, help="metric > ratio > U-Net > class (.json)")
    add("--plot", type=Path, required=True, help="corrected shares, one a row (.csv)")
    return parser.parse_args()


def headline(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows over all seeds of METRICS with the main sampler, which the summary lists first."""
    over_seeds = summary[(summary.seed == "all") & (summary.unet != "real")]
    rows = over_seeds[over_seeds.metric.isin(METRICS) & over_seeds.value.notna()]
    return rows[rows.sampler == rows.sampler.iloc[0]] if len(rows) else rows


def nested(rows: pd.DataFrame) -> dict[str, Any]:
    """{metric: {ratio: {unet: {class: value}}}}; a metric of no class ends at the U-Net."""
    tree: dict[str, Any] = {}
    for metric, ratio, unet, name, value in rows[
        ["metric", "ratio", "unet", "class", "value"]
    ].itertuples(index=False):
        branch = tree.setdefault(metric, {}).setdefault(ratio, {})
        if name:
            branch.setdefault(unet, {})[name] = value
        else:
            branch[unet] = value
    return tree


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """What `dvc plots` draws: estimate ("90-10 depth2 six"), share, lower, upper."""
    corrected = rows[rows.metric == "share_corrected"]
    name = corrected[["ratio", "unet", "class"]].agg(" ".join, axis=1)
    return (
        corrected[["value", "lower", "upper"]]
        .rename(columns={"value": "share"})
        .assign(estimate=name)[["estimate", "share", "lower", "upper"]]
    )


def main() -> None:
    arguments = parse()
    rows = headline(read_rows(arguments.summary))
    if rows.empty:
        raise UserError(f"{arguments.summary}: no class proportions: delete it and run again")
    write_json(arguments.metrics, nested(rows))
    with replacing(arguments.plot) as temporary:
        shares(rows).to_csv(temporary, index=False, float_format="%.10g")


if __name__ == "__main__":
    run(main)
