"""Table of the classifiers of a study: how often each is right, what it finds, who agrees."""

from collections.abc import Iterator

import pandas as pd

from depthbias.estimates.tidy import main_sampler, models, of, over_seeds, real
from depthbias.report.cells import lines, wide
from depthbias.report.names import ratio_title
from depthbias.report.pages import Section
from depthbias.system.errors import UserError

METRICS = ("classifier_accuracy", "classified_as")
# metric: heading, digits
FOUND = {
    "log_odds_shift": ("Log-odds shift by classifier", 2),
    "kappa": ("Kappa by classifier", 2),
    "log_odds_shift_per_depth": ("Change of the log-odds shift with every stage more", 3),
    "kappa_per_depth": ("Change of kappa with every stage more", 3),
}
FOUND_NOTE = (
    "All images, corrected with the confusion of the classifier, 95 % intervals over seeds and "
    "images. All of them: their mean; its interval holds the spread of the classifiers too."
)
TITLES = {"_over_classifiers": "all of them", "_by_hand": "by hand"}
AGREED = {
    "agreement": "all images",
    "agreement_inside": "on the manifold",
    "agreement_outside": "off it",
}


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
    """The same as tables to read; then what each finds in the generated images, and agreement."""
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
    taken_for = Section("What is taken for what", note, ["classifier", *pairs], found)
    return [accuracy, taken_for, *_findings(summary), *_agreement(summary)]


def _findings(summary: pd.DataFrame) -> Iterator[Section]:
    """Log-odds shift, kappa and slopes, a column a classifier and one for all of them."""
    rows = main_sampler(models(over_seeds(summary)))
    for metric, (heading, digits) in FOUND.items():
        ending = rows["metric"].str.removeprefix(metric)
        own = rows.assign(by=ending)[rows["metric"].str.startswith(f"{metric}_")]
        own = own[own["by"].str.match("_by:|_over_classifiers$|_by_hand$") & own["value"].notna()]
        if own.empty:
            continue
        columns = list(own["by"].unique())
        header = [TITLES.get(one, one.removeprefix("_by:")) for one in columns]
        down = ["ratio", "architecture", "class"]
        found = list(lines(own, down, "by", columns, _line, digits=digits))
        yield Section(heading, FOUND_NOTE, ["models", *header], found)


def _agreement(summary: pd.DataFrame) -> Iterator[Section]:
    """How many images all classifiers put into one class."""
    rows = main_sampler(over_seeds(summary))
    rows = rows[rows["metric"].isin(AGREED) & rows["value"].notna()]
    if len(rows):
        down = ["ratio", "architecture"]
        found = lines(rows, down, "metric", list(AGREED), _line, scale=100.0, digits=1)
        note = "Percent of the images to which all classifiers give the same class; real: held out."
        yield Section("Agreement", note, ["images", *AGREED.values()], list(found))


def _line(ratio: str, architecture: str, name: str = "") -> str:
    """The first cell of a line."""
    return ", ".join(part for part in (architecture, ratio_title(ratio), name) if part)


def _column(metric: str, name: str) -> str:
    return name if metric == METRICS[1] else f"accuracy {name}".rstrip()


def _rows(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows about held-out images, with the classifier and the metric without it."""
    rows = real(pd.concat([of(summary, metric) for metric in METRICS]))
    if rows.empty:
        raise UserError("the summary has no other classifiers: measure the study's classifiers")
    parts = rows["metric"].str.partition(":")
    return rows.assign(metric=parts[0], classifier=parts[2])
