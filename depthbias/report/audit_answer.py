"""What an audit says of each subject: does it copy training images, does it shift classes?"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from depthbias.estimates.runs import ALL, REAL, TRAIN
from depthbias.report.cells import PARTS, cell
from depthbias.report.pages import Section
from depthbias.system.errors import UserError, suggestion

COPIES, NONE, OPEN = "copies", "no more copies than real images", "cannot tell"
AMPLIFIES, ATTENUATES, FAITHFUL = "amplifies", "attenuates", "no shift told apart from 0"
LEAK = "memorised_share:pixels"
ATTACK = "attack_auc:loss"
QUESTION = "Does it leak its training images, does it amplify their bias?"
BACKGROUNDS = {REAL: "held-out images", TRAIN: "training images, among the others"}
# The columns of the table: title, metric, factor, digits.
COLUMNS = (
    ("memorised, %", LEAK, 100, 1),
    ("authentic, %", "authentic_share:pixels", 100, 1),
    ("distance to the nearest training image, pixels", "nn_distance:pixels", 1, 1),
    ("membership attack, AUC", ATTACK, 1, 3),
    ("undecidable, %", "undecidable_share", 100, 1),
)
# A condition of --fail-if: metric, class or none, comparison, threshold.
CONDITION = re.compile(
    r"\s*([^\s<>\[]+)(?:\[([^\]]*)\])?\s*([<>])\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*"
)


class Answer(NamedTuple):
    """About one subject; bias: "" without classes; told: both in a sentence."""

    subject: str
    leak: str
    bias: str
    told: str


def headline(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows of an audit over all noise levels, for the least k, of all images and each class.

    A subject is one run, so its rows over seeds tell no interval: those of the run do. Some rows
    about real images are only there over seeds.
    """
    rows = summary[summary["sigma"].isna() & summary["value"].notna()]
    keys = ["architecture", "metric", "class"]
    least = rows.groupby(keys)["k"].transform("min")
    rows = rows[rows["k"].isna() | (rows["k"] == least)]
    alone = rows.assign(over=rows["seed"] == ALL).sort_values("over", kind="stable")
    return rows.loc[alone.drop_duplicates(keys).index.sort_values()]


def one(rows: pd.DataFrame, subject: str, metric: str, class_name: str = "") -> Mapping[str, Any]:
    """The estimate of a metric; without a row NaN."""
    keys = (rows["architecture"] == subject) & (rows["metric"] == metric)
    found = rows[keys & (rows["class"] == class_name)]
    return dict(found.iloc[0]) if len(found) else dict.fromkeys(PARTS, float("nan"))


def answers(summary: pd.DataFrame, subjects: Sequence[str], classes: Sequence[str]) -> list[Answer]:
    """What the audit says of each subject. classes: majority first; none: not of bias."""
    rows = headline(summary)
    background = REAL if REAL in set(rows["architecture"][rows["metric"] == LEAK]) else TRAIN
    return [_answer(rows, subject, background, classes) for subject in subjects]


def _answer(rows: pd.DataFrame, subject: str, background: str, classes: Sequence[str]) -> Answer:
    own, usual = one(rows, subject, LEAK), one(rows, background, LEAK)
    leak = OPEN
    if own["lower"] > usual["upper"]:
        leak = COPIES
    elif own["value"] <= usual["upper"]:
        leak = NONE
    told = (
        f"{subject}: {leak} (memorised: {cell(own, 100, 1)} % of its images; of "
        f"{BACKGROUNDS[background]}: {cell(usual, 100, 1)} %)"
    )
    if not classes:
        return Answer(subject, leak, "", f"{told}.")
    last = classes[-1]
    shift = one(rows, subject, "log_odds_shift", last)
    bias = OPEN if pd.isna(shift["lower"]) else FAITHFUL
    bias = AMPLIFIES if shift["upper"] < 0 else ATTENUATES if shift["lower"] > 0 else bias
    share, trained = (
        one(rows, subject, "share_corrected", last),
        one(rows, subject, "share_train", last),
    )
    told += (
        f"; {bias} (share of {last}: {cell(share, 100, 1)} %, trained on {cell(trained, 100, 1)} %)"
    )
    return Answer(subject, leak, bias, f"{told}.")


def sections(
    summary: pd.DataFrame, subjects: Sequence[str], classes: Sequence[str]
) -> Iterator[Section]:
    """The tables of the page: what is measured of each subject, and its classes."""
    rows = headline(summary)
    there = [column for column in COLUMNS if (rows["metric"] == column[1]).any()]
    lines = [
        [
            title,
            *(cell(one(rows, name, metric), scale, digits) for _, metric, scale, digits in there),
        ]
        for name, title in [*((name, name) for name in subjects), *BACKGROUNDS.items()]
        if (rows["architecture"] == name).any()
    ]
    note = "With 95 % intervals. A copy is far nearer to one training image than to all others."
    yield Section("Subjects", note, ["", *(title for title, *_ in there)], lines)
    if classes:
        cells = [
            [
                name,
                class_name,
                cell(one(rows, name, "share_train", class_name), 100, 1),
                cell(one(rows, name, "share_corrected", class_name), 100, 1),
                cell(one(rows, name, "log_odds_shift", class_name)),
            ]
            for name in subjects
            for class_name in classes
        ]
        note = (
            "Shares are corrected for the classifier's errors. A shift below 0: the class shrinks."
        )
        header = ["subject", "class", "trained, %", "generated, %", "log-odds shift"]
        yield Section("Classes", note, header, cells)


class Condition(NamedTuple):
    """A metric over or under a threshold, as far as its interval says so."""

    metric: str
    class_name: str
    over: bool
    threshold: float

    def holds(self, estimate: Mapping[str, Any]) -> bool:
        """Whether the whole interval is beyond the threshold."""
        if self.over:
            return bool(estimate["lower"] > self.threshold)
        return bool(estimate["upper"] < self.threshold)


def condition(text: str) -> Condition:
    """Read 'memorised_share:pixels > 0.01' or 'share_corrected[nine] < 0.2'; else a UserError."""
    if not (found := CONDITION.fullmatch(text)):
        raise UserError(
            f"--fail-if: {text!r} is no condition: write METRIC > NUMBER or METRIC[CLASS] < NUMBER "
            "like 'memorised_share:pixels > 0.01'"
        )
    metric, class_name, sign, number = found.groups()
    return Condition(metric, class_name or "", sign == ">", float(number))


def failures(rows: pd.DataFrame, subjects: Sequence[str], text: str) -> list[str]:
    """A line for each subject of which a condition holds; rows: `headline` of a summary.

    UserError for a metric or class that no subject has.
    """
    wanted = condition(text)
    rows = rows[rows["architecture"].isin(subjects)]
    if not (rows["metric"] == wanted.metric).any():
        known = sorted(set(rows["metric"]))
        raise UserError(f"--fail-if: no metric {wanted.metric!r}{suggestion(wanted.metric, known)}")
    classes = set(rows["class"][rows["metric"] == wanted.metric])
    if wanted.class_name not in classes:
        told = ", ".join(
            f"{wanted.metric}[{name}]" if name else wanted.metric for name in sorted(classes)
        )
        raise UserError(f"--fail-if: {text!r}: write one of {told}")
    found = [(name, one(rows, name, wanted.metric, wanted.class_name)) for name in subjects]
    limit = "lower" if wanted.over else "upper"
    return [
        f"{name}: {text.strip()}: {cell(estimate, digits=4)}, the {limit} limit is beyond it"
        for name, estimate in found
        if wanted.holds(estimate)
    ]
