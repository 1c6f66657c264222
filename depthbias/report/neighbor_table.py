"""[BIAS] Table 3 from a summary: nearness to training images, with diversity, copies and trends."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from depthbias.estimates.tidy import over_seeds
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
    note = "Nearer than its neighbour: share of images nearer to their nearest training image than "
    note += "that is to its own nearest. Memorised: d1/d2 < 1/3 in pixels. GL pixel: mean of "
    note += "|x - NN(x)| / |x|, pixels of -1 to 1. GL: share without a training image above the "
    note += f"cosine of copies. {INTERVAL.capitalize()}."
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
            label = f"nearer than its neighbour, {name} (%)"
            columns.append(TableColumn(label, f"authenticity:{name}", scale=100, digits=1))
    return columns


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
    header = [
        "U-Net",
        *(f"{kind} {i}" for kind in ("cos", "L2") for i in range(1, 5)),
        "LPIPS x100",
    ]
    lines = [
        [name]
        + [f"{value:.4f}" for value in NEAREST_COSINE.get(name, ())]
        + [f"{value:.2f}" for value in NEAREST_EUCLIDEAN.get(name, ())]
        + ["-"] * (0 if name in NEAREST_COSINE else 8)
        + [f"{value:.2f}"]
        for name, value in LPIPS_X100.items()
    ]
    note = (
        f"{SOURCE}, Table 3: cosine similarity of Inception features and distance of pixels. The "
    )
    note += "headings of its columns are lost: they are columns 1 to 4 and no particular k. Mean "
    note += "LPIPS of its six models; its backbone is not published."
    return Section("Published values", note, header, lines)


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
            "; ".join(f"{file} {sha256}" for file, sha256 in described["sha256"].items()) or "-",
        ]
        for name, described in about.items()
    ]
    header = ["embedding", "origin", "input", "dimension", "files (SHA-256)"]
    return Section("Embeddings", "What the distances above are measured in.", header, lines)
