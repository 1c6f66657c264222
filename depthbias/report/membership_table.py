"""Table of membership attacks over all noise levels, and their trend over depth."""

from typing import Any

import pandas as pd

from depthbias.estimates.runs import ordered_architectures
from depthbias.estimates.tidy import models, over_seeds
from depthbias.measures.membership import FALSE_POSITIVES
from depthbias.measures.membership_rows import ATTACKS
from depthbias.report.cells import INTERVAL, lines, trends, wide
from depthbias.report.depth_notes import depth_notes
from depthbias.report.membership_figures import TITLES
from depthbias.report.names import ratio_title
from depthbias.report.pages import Section
from depthbias.system.errors import UserError

METRICS = {"attack_auc": "AUC", "attack_tpr": f"found at {FALSE_POSITIVES:.0%}"}


def wide_table(summary: pd.DataFrame) -> pd.DataFrame:
    """A row for each study, ratio and architecture, a column for each attack, metric and class.

    An estimate NAME has the columns NAME, NAME_lower, NAME_upper and NAME_n.
    """
    made: list[dict[str, Any]] = []
    for (study, ratio, name), group in _rows(summary).groupby(
        ["study", "ratio", "architecture"], sort=False
    ):
        line = {"study": study, "ratio": ratio, "architecture": name}
        for _, row in group.iterrows():
            line |= wide(f"{row['metric']} {row['class']}".rstrip(), row)
        made.append(line)
    return pd.DataFrame(made)


def sections(summary: pd.DataFrame) -> list[Section]:
    """The same as tables to read: both attacks, then each by class; then trends over depth."""
    rows = _rows(summary)
    note = "Members: training images. Others: held-out images, weighted to the same proportions. "
    note += "AUC: how often a member scores higher than another image; .5 knows nothing. Found: "
    note += f"share of members above the score that at most {FALSE_POSITIVES:.0%} of the others "
    note += f"exceed. Scores over all noise levels, {INTERVAL}."
    found = []
    for ratio in rows["ratio"].unique():
        own = rows[rows["ratio"] == ratio]
        metrics = [f"{metric}:{attack}" for attack in ATTACKS for metric in METRICS]
        whole = own[own["class"] == ""]
        heading = f"Membership attacks: {ratio_title(ratio)}"
        found.append(_section(heading, note, whole, "metric", metrics, _named))
        for attack in ATTACKS:
            mine = own[(own["metric"] == f"attack_auc:{attack}") & (own["class"] != "")]
            classes = list(mine["class"].unique())
            heading = f"AUC of the {TITLES[attack]} by class: {ratio_title(ratio)}"
            words = "Members and others of one class."
            found.append(_section(heading, words, mine, "class", classes, str))
    return found + trends(
        summary[summary["metric"].str.startswith("attack_auc_per_depth:")],
        ["metric", "ratio"],
        _trend,
        "Trend over depth",
        "Change of the AUC with every stage more: 0 is no trend; below 0 shallower models give "
        + " ".join(["more away. With 95 % intervals over runs.", *depth_notes(summary)]),
        digits=4,
    )


def _rows(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of models over all seeds and levels: ratios, in them architectures in reading order."""
    rows = models(over_seeds(summary))
    metric = rows["metric"].str.partition(":")[0]
    rows = rows[metric.isin(METRICS) & rows["sigma"].isna()]
    if rows.empty:
        raise UserError("the summary has no membership attacks: measure the study's membership")
    order = {name: place for place, name in enumerate(ordered_architectures(rows["architecture"]))}
    ratios = rows["ratio"].factorize()[0]
    rows = rows.assign(_ratio=ratios, _place=rows["architecture"].map(order))
    return rows.sort_values(["_ratio", "_place"], kind="stable")


def _section(
    heading: str, note: str, rows: pd.DataFrame, across: str, columns: list[str], name: Any
) -> Section:
    made = lines(rows, ["architecture"], across, columns, str, digits=3)
    return Section(heading, note, ["architecture", *map(name, columns)], list(made))


def _named(metric: str) -> str:
    """ "attack_auc:loss" as "loss attack, AUC"."""
    kind, _, attack = metric.partition(":")
    return f"{TITLES[attack]}, {METRICS[kind]}"


def _trend(metric: str, ratio: str) -> str:
    """The first cell of a line of trends."""
    return f"{TITLES[metric.partition(':')[2]]}, {ratio_title(ratio)}"
