"""[BIAS] Table 2 from a summary: class proportions, a column a U-Net, and what explains them."""

import math

import pandas as pd

from depthbias.diffusion.architectures import ARCHITECTURES, SERIES
from depthbias.estimates.runs import ALL, REAL, ordered_architectures
from depthbias.report.names import ratio_title, sampler_title
from depthbias.report.pages import Section
from depthbias.report.published import CELEBA_GENERATED, CELEBA_TRAINING, SOURCE

METRICS = (
    "share_corrected",
    "undecidable_share",
    "log_odds_shift",
    "log_odds_sampler_difference",
    "kappa",
)
KEYS = ["study", "ratio", "sampler", "metric", "class"]
PARTS = ("", "_lower", "_upper", "_n")  # an estimate: value, 95 % interval, images it rests on
INTERVAL = "with 95 % intervals over seeds and images"


def wide_table(summary: pd.DataFrame) -> pd.DataFrame:
    """One row for each study, ratio, sampler, metric and class; training data, real, U-Nets beside.

    An estimate NAME has the columns NAME, NAME_lower, NAME_upper and NAME_n. Shares are fractions.
    Rows whose `source` is "published" hold the published values, where the study was published.
    """
    rows = summary[summary["metric"].isin(METRICS)]
    rows = rows[(rows["seed"] == ALL) | (rows["architecture"] == REAL)]
    names = ordered_architectures(rows["architecture"])
    trained = summary[(summary["metric"] == "share_train") & (summary["architecture"] != REAL)]
    trained = trained.groupby(["ratio", "class"])["value"].mean()
    real = rows[rows["architecture"] == REAL]
    real = real.groupby(["ratio", "metric", "class"]).first()  # of the first seed's subset
    lines = []
    for keys, group in rows[rows["architecture"] != REAL].groupby(KEYS, sort=False):
        line = dict(zip(KEYS, keys, strict=True)) | {"source": "ours"}
        place = (line["ratio"], line["metric"], line["class"])
        if line["metric"] == "share_corrected":
            line["training"] = trained[line["ratio"], line["class"]]
        if place in real.index:
            line |= _parts(REAL, real.loc[place])
        for _, row in group.iterrows():
            line |= _parts(row["architecture"], row)
        lines.append(line)
    estimates = [name + part for name in [REAL, *names] for part in PARTS]
    table = pd.DataFrame(lines, columns=[*KEYS, "source", "training", *estimates])
    table = _with_published(table)
    return table.sort_values("metric", key=lambda m: m.map(METRICS.index), kind="stable")


def _parts(name: str, row: pd.Series) -> dict[str, float]:
    """The columns of one estimate."""
    value, lower, upper, n = (name + part for part in PARTS)
    return {value: row["value"], lower: row["lower"], upper: row["upper"], n: row["n"]}


def _with_published(table: pd.DataFrame) -> pd.DataFrame:
    """Published shares under ours, if this is the study that was published."""
    shares = table[(table["metric"] == "share_corrected") & (table["ratio"] == "natural")]
    added = shares[KEYS].drop_duplicates("class").assign(source="published")
    label = added["class"].str.lower()
    if set(table["study"]) != {"celeba"} or set(label) != set(CELEBA_TRAINING):
        return table
    added["training"] = label.map(CELEBA_TRAINING) / 100
    for name in table.columns.intersection(list(CELEBA_GENERATED["male"])):
        added[name] = [CELEBA_GENERATED[one][name] / 100 for one in label]
    return pd.concat([table, added.reindex(columns=table.columns)], ignore_index=True)


def sections(summary: pd.DataFrame) -> list[Section]:
    """The same as tables to read: one a ratio and sampler, then kappa, trend and transitions."""
    table = wide_table(summary)
    shares = table[table["metric"].isin(["share_corrected", "undecidable_share"])]
    found = [
        _shares(ratio, sampler, rows)
        for (ratio, sampler), rows in shares.groupby(["ratio", "sampler"], sort=False)
    ]
    found += _odds(
        table,
        "kappa",
        "Amplification exponent κ",
        "Slope of logit p(generated) on logit p(training) over the ratios: 1 is faithful, more "
        f"amplifies, less attenuates; {INTERVAL}.",
    )
    found += _trends(summary)
    found += _odds(
        table,
        "log_odds_sampler_difference",
        "Sampler control",
        "Log-odds of the class with this sampler minus those with the main sampler, same models: 0 "
        f"is no difference; {INTERVAL}.",
    )
    return found + _transitions(summary)


def _odds(table: pd.DataFrame, metric: str, heading: str, note: str) -> list[Section]:
    """A metric on the scale of log-odds: rows ratio, sampler and class, columns U-Nets."""
    rows = table[table["metric"] == metric]
    if rows.empty:
        return []
    architectures = _architectures(rows)
    lines = []
    for _, row in rows.iterrows():
        over = "all ratios" if row["ratio"] == "all" else ratio_title(row["ratio"])
        first = f"{row['class']}, {over}, {sampler_title(row['sampler'])}"
        lines.append([first, *(_cell(row, name, 1, 2) for name in architectures)])
    return [Section(heading, note, ["class", *architectures], lines)]


def _architectures(rows: pd.DataFrame) -> list[str]:
    """The U-Nets that have a value in any of the rows."""
    return [name for name in rows.columns if name in ARCHITECTURES and rows[name].notna().any()]


def _cell(row: pd.Series, name: str, scale: float, digits: int) -> str:
    """An estimate as text, "12.3 [11.0, 13.9]"; without an interval "12.3"; absent "-"."""
    value, lower, upper = (scale * row[name + part] for part in PARTS[:3])
    if math.isnan(value):
        return "-"
    texts = [f"{number:z.{digits}f}" for number in (value, lower, upper)]
    if math.isnan(lower) or math.isnan(upper):
        return texts[0]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def _shares(ratio: str, sampler: str, rows: pd.DataFrame) -> Section:
    """Table 2 for one ratio and sampler."""
    architectures = _architectures(rows)
    control = [REAL] if rows[REAL].notna().any() else []
    lines = []
    for _, row in rows.iterrows():
        published = row["source"] == "published"
        name = f"{row['class']}, published" if published else row["class"]
        digits = 2 if published else 1
        if row["metric"] == "undecidable_share":
            name = "undecidable"
        trained = "-" if math.isnan(row["training"]) else f"{100 * row['training']:.{digits}f}"
        cells = [_cell(row, column, 100, digits) for column in [*control, *architectures]]
        lines.append([name, trained, *cells])
    note = f"Share of generated images in %, corrected for the classifier's errors, {INTERVAL}."
    if (rows["source"] == "published").any():
        note += f" Published: {SOURCE}, Table 2; its training settings are not published."
    header = ["class", "training data", *["real images"] * len(control), *architectures]
    title = ratio_title(ratio)
    return Section(f"{title.capitalize()}, {sampler_title(sampler)}", note, header, lines)


def _trends(summary: pd.DataFrame) -> list[Section]:
    """Slope of the log-odds shift on depth, a column a series."""
    rows = summary[summary["metric"] == "log_odds_shift_per_depth"]
    if rows.empty:
        return []
    series = [name for name in SERIES if name in set(rows["architecture"])]
    lines = []
    for (ratio, sampler, label), group in rows.groupby(["ratio", "sampler", "class"], sort=False):
        cells = {
            row["architecture"]: _cell(_named(row), "slope", 1, 3) for _, row in group.iterrows()
        }
        first = f"{label}, {ratio_title(ratio)}, {sampler_title(sampler)}"
        lines.append([first, *(cells.get(name, "-") for name in series)])
    note = "Change of logit p(generated) - logit p(training) with every stage more: 0 is no trend; "
    note += "with 95 % intervals over runs (binomial GLM, clustered by run)."
    header = ["class", *(SERIES[name] for name in series)]
    return [Section("Log-odds shift a stage of depth", note, header, lines)]


def _named(row: pd.Series) -> pd.Series:
    """The estimate of a tidy row under the column names of a wide one."""
    return pd.Series(_parts("slope", row))


def _ends(p: pd.Series) -> list[str]:
    """The smallest and the largest value as text, or the only one."""
    return list(dict.fromkeys(f"{value:.2g}" for value in (p.min(), p.max())))


def _transitions(summary: pd.DataFrame) -> list[Section]:
    """What became of the same noise in deeper models, a section a ratio and sampler."""
    moved = summary[summary["metric"] == "transition"]
    tests = summary[summary["metric"] == "transition_p"]
    found = []
    for (ratio, sampler), rows in moved.groupby(["ratio", "sampler"], sort=False):
        shares = rows.pivot_table(index="architecture", columns="class", values="value", sort=False)
        own = tests[(tests["ratio"] == ratio) & (tests["sampler"] == sampler)]
        p = own.groupby("architecture")["value"].agg(lambda p: " to ".join(_ends(p)))
        lines = [
            [name, *(f"{100 * share:.1f}" for share in shares.loc[name]), p[name]]
            for name in ordered_architectures(shares.index)
        ]
        note = "% of noises of which the shallowest U-Net of the series makes the first class and "
        note += "this one the second, mean over seeds; p of equal class proportions, lowest and "
        note += "highest of the seeds (McNemar's test; of more than two classes Stuart-Maxwell's)."
        heading = f"Same-noise transitions: {ratio_title(ratio)}, {sampler_title(sampler)}"
        found.append(Section(heading, note, ["U-Net", *shares.columns, "p"], lines))
    return found
