"""[BIAS] Table 2 from a summary: class proportions, a column a U-Net, and what explains them."""

import math

import pandas as pd

from depthbias.diffusion.architectures import ARCHITECTURES
from depthbias.estimates.arm_names import ARMS, in_arm
from depthbias.estimates.runs import REAL, ordered_architectures
from depthbias.estimates.tidy import models, of, over_seeds, real
from depthbias.report.cells import INTERVAL, cell, columns_of, lines, narrow, trends, wide
from depthbias.report.depth_notes import depth_notes
from depthbias.report.names import ratio_title, sampler_title, setting_title
from depthbias.report.pages import Section
from depthbias.report.published import CELEBA_GENERATED, CELEBA_TRAINING, SOURCE

SHARES = {arm.share: arm.title for arm in ARMS.values()}  # metric: name of a line
SHARES |= {"undecidable_share": "undecidable", "failed_share": "failures"}
METRICS = [
    *SHARES,
    *(in_arm("log_odds_shift", arm) for arm in ARMS),
    "log_odds_sampler_difference",
    *(in_arm("kappa", arm) for arm in ARMS),
]
KEYS = ["study", "ratio", "sampler", "metric", "class"]


def wide_table(summary: pd.DataFrame) -> pd.DataFrame:
    """One row for each study, ratio, sampler, metric and class; training data, real, U-Nets beside.

    An estimate NAME has the columns NAME, NAME_lower, NAME_upper and NAME_n. Shares are fractions.
    Rows whose `source` is "published" hold the published values, where the study was published.
    """
    rows = summary[summary["metric"].isin(METRICS)]
    ours = models(over_seeds(rows))
    trained = of(summary[summary["architecture"] != REAL], "share_train")
    trained = trained.groupby(["ratio", "class"])["value"].mean()
    control = real(rows).groupby(["ratio", "metric", "class"]).first()  # of the first seed's subset
    made = []
    for keys, group in ours.groupby(KEYS, sort=False):
        line = dict(zip(KEYS, keys, strict=True)) | {"source": "ours"}
        place = (line["ratio"], line["metric"], line["class"])
        if line["class"] and line["metric"] in SHARES:
            line["training"] = trained[line["ratio"], line["class"]]
        if place in control.index:
            line |= wide(REAL, control.loc[place])
        for _, row in group.iterrows():
            line |= wide(row["architecture"], row)
        made.append(line)
    names = [REAL, *ordered_architectures(ours["architecture"])]
    estimates = [column for name in names for column in columns_of(name)]
    table = pd.DataFrame(made, columns=[*KEYS, "source", "training", *estimates])
    table = _with_published(table)
    return table.sort_values("metric", key=lambda m: m.map(METRICS.index), kind="stable")


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
    shares = table[table["metric"].isin(SHARES)]
    found = [
        _shares(ratio, sampler, rows)
        for (ratio, sampler), rows in shares.groupby(["ratio", "sampler"], sort=False)
    ]
    found += _odds(
        _of_arms(summary, "kappa"),
        "Amplification exponent κ",
        "Slope of logit p(generated) on logit p(training) over the ratios: 1 is faithful, more "
        f"amplifies, less attenuates; {INTERVAL}.",
    )
    for metric, heading, what, interval in TRENDS:
        for scale, title, told in (
            ("depth", "a stage of depth", depth_notes(summary)),
            ("effective_depth", "a stage of effective depth", [EFFECTIVE]),
        ):
            found += trends(
                _of_arms(summary, f"{metric}_per_{scale}"),
                GROUP,
                _named,
                f"{heading} {title}",
                f"Change of {what} with every stage more: 0 is no trend; "
                + " ".join([interval, *told]),
                digits=3,
            )
    found += _odds(
        _of_arms(summary, "log_odds_sampler_difference"),
        "Sampler control",
        "Log-odds of the class with this sampler minus those with the main sampler, same models: 0 "
        f"is no difference; {INTERVAL}.",
    )
    return found + _transitions(summary)


GROUP = ("class", "ratio", "sampler", "images")
TRENDS = (
    (
        "log_odds_shift",
        "Log-odds shift",
        "logit p(generated) - logit p(training)",
        "with 95 % intervals over runs (binomial GLM, clustered by run).",
    ),
    (
        "kappa",
        "Amplification exponent κ",
        "κ",
        "with 95 % intervals over architectures and seeds.",
    ),
)
EFFECTIVE = (
    "A stage counts if cutting it off costs something. "
    "The effective depth of an architecture is taken as exact."
)


def _named(name: str, ratio: str, sampler: str, images: str) -> str:
    """The first cell of a line."""
    return f"{name}, {setting_title(ratio, sampler)}, {images}"


def _of_arms(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of a metric in every arm, and which images count as the column `images`."""
    named = {in_arm(metric, arm): found.title for arm, found in ARMS.items()}
    rows = over_seeds(pd.concat([of(summary, name) for name in named]))
    return rows.assign(images=rows["metric"].map(named))


def _odds(rows: pd.DataFrame, heading: str, note: str) -> list[Section]:
    """A metric on the scale of log-odds: a line an arm, columns U-Nets."""
    if rows.empty:
        return []
    names = ordered_architectures(rows["architecture"])
    found = list(lines(rows, GROUP, "architecture", names, _named))
    return [Section(heading, note, ["class", *names], found)]


def _shares(ratio: str, sampler: str, rows: pd.DataFrame) -> Section:
    """Table 2 for one ratio and sampler."""
    known = rows.columns.intersection(list(ARCHITECTURES), sort=False)
    architectures = [name for name in known if rows[name].notna().any()]
    control = [REAL] if rows[REAL].notna().any() else []
    made = []
    for _, row in rows.iterrows():
        published = row["source"] == "published"
        name = f"{row['class']}, published" if published else row["class"]
        digits = 2 if published else 1
        if row["metric"] != "share_corrected":
            name = ", ".join(filter(None, [row["class"], SHARES[row["metric"]]]))
        trained = "-" if math.isnan(row["training"]) else f"{100 * row['training']:.{digits}f}"
        cells = [cell(narrow(column, row), 100, digits) for column in [*control, *architectures]]
        made.append([name, trained, *cells])
    note = f"Share of generated images in %, corrected for the classifier's errors, {INTERVAL}. "
    note += "Then among the decided images, among those on the manifold of real images of their "
    note += "class, and with all failures (undecided or off the manifold) counted away from the "
    note += "class or towards it: the true share lies between these two."
    if (rows["source"] == "published").any():
        note += f" Published: {SOURCE}, Table 2; its training settings are not published."
    header = ["class", "training data", *["real images"] * len(control), *architectures]
    title = ratio_title(ratio)
    return Section(f"{title.capitalize()}, {sampler_title(sampler)}", note, header, made)


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
        made = [
            [name, *(f"{100 * share:.1f}" for share in shares.loc[name]), p[name]]
            for name in ordered_architectures(shares.index)
        ]
        note = "% of noises of which the shallowest U-Net of the series makes the first class and "
        note += "this one the second, mean over seeds; p of equal class proportions, lowest and "
        note += "highest of the seeds (McNemar's test; of more than two classes Stuart-Maxwell's)."
        heading = f"Same-noise transitions: {setting_title(ratio, sampler)}"
        found.append(Section(heading, note, ["U-Net", *shares.columns, "p"], made))
    return found
