"""Write the headline numbers of a study for `dvc metrics` (JSON) and `dvc plots` (CSV)."""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from depthbias.estimates.tidy import read_rows
from depthbias.system.errors import UserError, command
from depthbias.system.files import replacing, write_json

# The headline metrics, and which of their rows where there are several; "first": the smallest k.
METRICS: dict[str, dict[str, Any]] = {
    "share_corrected": {},
    "undecidable_share": {},
    "kappa": {},
    "log_odds_shift_per_depth": {},
    "lpips": {},
    "lpips_per_depth": {},
    "nn_distance": {"class": "", "k": "first"},
    "nn_distance_per_depth": {"k": "first"},
    "nn_cosine": {"class": "", "k": "first"},
    "nn_cosine_per_depth": {"k": "first"},
    "memorised_share": {"class": ""},
    "linearity": {"class": "middle", "k": 45},
    "linearity_per_depth": {"class": "middle", "k": 45},
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--summary", type=Path, required=True, help="tidy results of one study (.csv)")
    add("--metrics", type=Path, required=True, help="metric > ratio > U-Net > class (.json)")
    add("--plot", type=Path, required=True, help="corrected shares, one a row (.csv)")
    return parser.parse_args()


def headline(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows over all seeds of METRICS with the main sampler, which the summary lists first."""
    rows = summary[(summary.seed == "all") & ~summary.architecture.isin(["real", "train"])]
    rows = rows[rows.value.notna()]
    main = rows.sampler[rows.sampler != ""]
    rows = rows[rows.sampler.isin([*main[:1], ""])]
    return pd.concat([chosen(rows, name, only) for name, only in METRICS.items()])


def chosen(rows: pd.DataFrame, name: str, only: dict[str, Any]) -> pd.DataFrame:
    """The rows of a metric, in every embedding, with the class and k of METRICS."""
    rows = rows[rows.metric.str.partition(":")[0] == name]
    for key, value in only.items():
        rows = rows[rows[key] == (rows.k.min() if value == "first" else value)]
    return rows


def nested(rows: pd.DataFrame) -> dict[str, Any]:
    """{metric: {ratio: {architecture: {class: value}}}}; a metric of no class ends earlier."""
    tree: dict[str, Any] = {}
    for metric, ratio, architecture, name, value in rows[
        ["metric", "ratio", "architecture", "class", "value"]
    ].itertuples(index=False):
        branch = tree.setdefault(metric, {}).setdefault(ratio, {})
        if name and "class" not in METRICS[metric.partition(":")[0]]:
            branch.setdefault(architecture, {})[name] = value
        else:
            branch[architecture] = value
    return tree


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """What `dvc plots` draws: estimate ("90-10 depth2 six"), share, lower, upper."""
    corrected = rows[rows.metric == "share_corrected"]
    name = corrected[["ratio", "architecture", "class"]].agg(" ".join, axis=1)
    return (
        corrected[["value", "lower", "upper"]]
        .rename(columns={"value": "share"})
        .assign(estimate=name)[["estimate", "share", "lower", "upper"]]
    )


def main() -> None:
    arguments = parse()
    rows = headline(read_rows(arguments.summary))
    if "share_corrected" not in set(rows.metric):
        raise UserError(f"{arguments.summary}: no class proportions: delete it and run again")
    write_json(arguments.metrics, nested(rows))
    with replacing(arguments.plot) as temporary:
        shares(rows).to_csv(temporary, index=False, float_format="%.10g")


if __name__ == "__main__":
    command(main)
