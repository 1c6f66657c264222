"""[BIAS] Table 3 from a summary: nearness to training images, with diversity, copies and trends."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from depthbias.estimates.tidy import models, of, over_seeds, real
from depthbias.measures.copy_thresholds import in_words
from depthbias.report.cells import INTERVAL, lines, trends
from depthbias.report.depth_notes import depth_notes
from depthbias.report.measure_table import TableColumn, tables, trend_name, wide_rows
from depthbias.report.names import setting_title
from depthbias.report.pages import Section
from depthbias.report.published import LPIPS_X100, NEAREST_COSINE, NEAREST_EUCLIDEAN, SOURCE


def wide_table(summary: pd.DataFrame, about: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each study, ratio, sampler and U-Net (or real images), a column for each measure.

    An estimate NAME has the columns NAME, NAME_lower, NAME_upper and NAME_n; shares are fractions.
    Rows whose `source` is "published" hold the published values, where the study was published.
    """
    rows = over_seeds(summary)
    columns = [*_diversity(rows, about), *_nearest(rows, about), *_copies(rows, about)]
    return pd.concat([wide_rows(rows, columns), _published_rows(rows)], ignore_index=True)


def sections(summary: pd.DataFrame, about: Mapping[str, Any]) -> list[Section]:
    """The same as tables to read, then trends over depth, reproducibility and the embeddings."""
    rows = over_seeds(summary)
    nearest = _nearest(rows, about)
    note = f"Mean over images of the similarity to the k-th nearest training image, {INTERVAL}. "
    note += "cos: cosine similarity; L2: distance, of pixels of 0 to 255 at the study's size. "
    note += "Training images are compared with the others, held-out ones are mixed at the ratio."
    found = tables("Nearest training images", note, rows, nearest)
    if set(rows["study"]) == {"celeba"}:
        found.append(_published())
    note = "Authentic: share of images not nearer to their nearest training image than that is to "
    note += "its own nearest. Memorised: d1/d2 < 1/3 in pixels. GL pixel: mean of "
    note += "|x - NN(x)| / |x|, pixels of -1 to 1. GL: share without a training image above the "
    note += (
        "cosine of copies. Copied by k: share of training images that some of k images copy, in "
    )
    note += f"pixels by d1/d2, else by that cosine. {INTERVAL.capitalize()}."
    found += tables("Copies", note, rows, _copies(rows, about))
    note = f"Mean perceptual distance over pairs of images, {INTERVAL}."
    found += tables("Diversity", note, rows, _diversity(rows, about))
    found += trends(
        rows[rows["metric"].str.contains(r"^(?:nn_|lpips).*_per_depth:", regex=True)],
        ["metric", "k", "ratio", "sampler"],
        trend_name,
        "Trend over depth",
        "Change with every stage more: 0 is no trend; a distance that grows, or a cosine that "
        "falls, means that shallower models sit closer to their training images. With 95 % "
        + " ".join(["intervals over runs.", *depth_notes(summary)]),
        digits=4,
    )
    return [*found, *_reproducibility(rows), _embeddings(about)]


def _nearest(rows: pd.DataFrame, about: Mapping[str, Any]) -> list[TableColumn]:
    """The k-th neighbours: cosine similarities first, as in the paper, then distances."""
    columns = []
    for kind, short, digits in (("cosine", "cos", 4), ("distance", "L2", 2)):
        for name in about:
            metric = f"nn_{kind}:{name}"
            for k in sorted(rows.loc[rows["metric"] == metric, "k"].unique()):
                columns.append(TableColumn(f"{name} {short} k={k:g}", metric, k=k, digits=digits))
    return columns


def _copies(rows: pd.DataFrame, about: Mapping[str, Any]) -> list[TableColumn]:
    columns = []
    for name in about:
        if name == "pixels":
            label = "memorised (%)"
            columns.append(TableColumn(label, "memorised_share:pixels", scale=100, digits=1))
            columns.append(TableColumn("GL pixel", "gl_pixel:pixels", digits=3))
        elif f"gl_score:{name}" in set(rows["metric"]):
            columns.append(TableColumn(f"GL, {name} (%)", f"gl_score:{name}", scale=100, digits=1))
        if name != "diversity":
            label = f"authentic, {name} (%)"
            columns.append(TableColumn(label, f"authentic_share:{name}", scale=100, digits=1))
        metric = f"training_copied_share:{name}"
        for k in _sample_counts(rows, metric):
            label = f"copied by {k:g}, {name} (%)"
            columns.append(TableColumn(label, metric, k=k, scale=100, digits=1))
    return columns


def _sample_counts(rows: pd.DataFrame, metric: str) -> list[float]:
    """The most images of a model, before them the most that held-out ones can be compared at."""
    own = of(rows, metric, class_name="")
    made, held = (set(part["k"]) for part in (models(own), real(own)))
    return sorted({max(counts) for counts in (made, made & held) if counts})


def _diversity(rows: pd.DataFrame, about: Mapping[str, Any]) -> list[TableColumn]:
    if "diversity" not in about:
        return []
    backbone = about["diversity"]["embedding"].removeprefix("lpips-")
    columns = [TableColumn("all pairs", f"lpips:{backbone}", digits=4)]
    for kind in ("within", "between"):
        metric = f"lpips_{kind}:{backbone}"
        for name in rows.loc[rows["metric"] == metric, "class"].unique():
            columns.append(TableColumn(f"{kind} {name}", metric, name, digits=4))
    return columns


def _reproducibility(rows: pd.DataFrame) -> list[Section]:
    """RP scores of pairs of U-Nets, a column a ratio and sampler."""
    own = rows[rows["metric"].str.startswith("rp_score:")]
    own = own.assign(setting=[*zip(own["ratio"], own["sampler"], strict=True)])
    note = "% of noises of which two U-Nets (same training images) make images whose cosine is "
    note += f"above that of copies; {INTERVAL}."
    found = []
    for metric, group in own.groupby("metric", sort=False):
        settings = list(group["setting"].unique())
        made = lines(group, ["architecture"], "setting", settings, _both, scale=100, digits=1)
        header = ["U-Nets", *(setting_title(*setting) for setting in settings)]
        title = f"Reproducibility (RP score), {metric.partition(':')[2]}"
        found.append(Section(title, note, header, list(made)))
    return found


def _both(pair: str) -> str:
    """ "a~b" as "a and b"."""
    return pair.replace("~", " and ")


def _published() -> Section:
    """The paper's values, whose column headings are lost."""
    kinds = [("cos", NEAREST_COSINE, 4), ("L2", NEAREST_EUCLIDEAN, 2)]
    header = [f"{kind} {i}" for kind, *_ in kinds for i in range(1, 5)]
    rows = [
        [
            name,
            *(f"{v:.{digits}f}" for _, table, digits in kinds for v in table.get(name, ())),
            *["-"] * (0 if name in NEAREST_COSINE else len(header)),
            f"{lpips:.2f}",
        ]
        for name, lpips in LPIPS_X100.items()
    ]
    note = f"{SOURCE}, Table 3: cosine similarity of Inception features and distance of pixels. "
    note += (
        "The headings of its columns are lost: they are columns 1 to 4 and no particular k. The "
    )
    note += "scale and size of the pixels are not published: compare the distances among "
    note += "themselves alone. Mean LPIPS of its six models; its backbone is not published."
    return Section("Published values", note, ["U-Net", *header, "LPIPS x100"], rows)


def _published_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """The same for the CSV file; empty for another study."""
    if set(rows["study"]) != {"celeba"}:
        return pd.DataFrame()
    lines = []
    for name, value in LPIPS_X100.items():
        line: dict[str, Any] = {"study": "celeba", "ratio": "natural", "architecture": name}
        line |= {"source": "published", "lpips published": value / 100}
        for kind, table in (("cos", NEAREST_COSINE), ("L2", NEAREST_EUCLIDEAN)):
            line |= {f"{kind} column {i + 1}": v for i, v in enumerate(table.get(name, ()))}
        lines.append(line)
    return pd.DataFrame(lines)


def _embeddings(about: Mapping[str, Any]) -> Section:
    """What every number was computed with."""
    lines = [
        [
            name,
            described["origin"],
            described["transform"],
            str(described.get("dimension", "-")),
            in_words(described),
            "; ".join(f"{file} {sha256}" for file, sha256 in described["sha256"].items()) or "-",
        ]
        for name, described in about.items()
    ]
    header = [
        "embedding",
        "origin",
        "input",
        "dimension",
        "copies: cosine above",
        "files (SHA-256)",
    ]
    return Section("Embeddings", "What the distances above are measured in.", header, lines)
