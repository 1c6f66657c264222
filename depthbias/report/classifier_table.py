"""Table of the classifiers of a study: how often each is right about held-out images."""

import pandas as pd

from depthbias.estimates.tidy import of, real
from depthbias.report.cells import lines, wide
from depthbias.report.pages import Section
from depthbias.system.errors import UserError

METRICS = ("classifier_accuracy", "classified_as")


def wide_table(summary: pd.DataFrame) -> pd.DataFrame:
    """A row for each classifier, a column for each class and each pair of classes.

    An estimate NAME has the columns NAME, NAME_lower, NAME_upper and NAME_n; shares are fractions.
    """
    made = []
    for name, group in _rows(summary).groupby("classifier", sort=False):
        line = {"study": group["study"].iloc[0], "classifier": name}
        for row in group.to_dict("records"):
            line |= wide(_column(row["metric"], row["class"]), row)
        made.append(line)
    return pd.DataFrame(made)


def sections(summary: pd.DataFrame) -> list[Section]:
    """The same as tables to read: accuracy, and what is taken for what."""
    rows = _rows(summary)
    look = {"scale": 100.0, "digits": 1}
    held = rows[rows["metric"] == METRICS[0]]
    n = int(held.loc[held["class"] != "", "n"].groupby(held["classifier"]).sum().iloc[0])
    classes = list(held["class"].unique())
    note = f"Percent of {n} held-out images that calibrate, with Wilson's 95 % intervals."
    found = list(lines(held, ["classifier"], "class", classes, str, **look))
    header = ["classifier", *(name or "balanced" for name in classes)]
    accuracy = Section("Images classified right", note, header, found)
    taken = rows[rows["metric"] == METRICS[1]]
    pairs = list(taken["class"].unique())
    found = list(lines(taken, ["classifier"], "class", pairs, str, **look))
    note = "Percent of the held-out images of the first class that are taken for the second."
    return [accuracy, Section("What is taken for what", note, ["classifier", *pairs], found)]


def _column(metric: str, name: str) -> str:
    return name if metric == METRICS[1] else f"accuracy {name}".rstrip()


def _rows(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows about held-out images, with the classifier and the metric without it."""
    rows = real(pd.concat([of(summary, metric) for metric in METRICS]))
    if rows.empty:
        raise UserError("the summary has no other classifiers: measure the study's classifiers")
    parts = rows["metric"].str.partition(":")
    return rows.assign(metric=parts[0], classifier=parts[2])
