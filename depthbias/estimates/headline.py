"""The headline numbers of a study, for `dvc metrics` and `dvc plots`."""

from typing import Any

import pandas as pd

from depthbias.estimates.arm_names import ARMS, in_arm
from depthbias.estimates.tidy import main_sampler, models, of, over_seeds

AMPLIFICATION = ("kappa", "kappa_per_depth", "log_odds_shift_per_depth")  # in every arm
# The headline metrics, and which of their rows where there are several; "first": the smallest k.
METRICS: dict[str, dict[str, Any]] = {
    "share_corrected": {},
    "undecidable_share": {},
    "failed_share": {},
    **{in_arm(metric, arm): {} for metric in AMPLIFICATION for arm in ARMS},
    "lpips": {},
    "lpips_per_depth": {},
    "nn_distance": {"class": "", "k": "first"},
    "nn_distance_per_depth": {"k": "first"},
    "nn_cosine": {"class": "", "k": "first"},
    "nn_cosine_per_depth": {"k": "first"},
    "memorised_share": {"class": ""},
    "kid": {"class": ""},
    "linearity": {"class": "middle", "k": 45},
    "linearity_per_depth": {"class": "middle", "k": 45},
}


def headline(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows over all seeds of METRICS, in every embedding, with the main sampler."""
    rows = models(over_seeds(summary))
    rows = main_sampler(rows[rows["value"].notna()])
    return pd.concat([_chosen(rows, name, only) for name, only in METRICS.items()])


def _chosen(rows: pd.DataFrame, name: str, only: dict[str, Any]) -> pd.DataFrame:
    """The rows of a metric with the class and k of METRICS."""
    rows = of(rows, name)
    for key, value in only.items():
        rows = rows[rows[key] == (rows["k"].min() if value == "first" else value)]
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
