"""Small multiples: what the line plots have in common, against depth and against noise levels."""

import math
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from depthbias.diffusion.architectures import SERIES, get_architecture
from depthbias.estimates.runs import ALL, REAL, ordered_architectures
from depthbias.report.names import sampler_title
from depthbias.report.style import GREY, LINES, PALE, Mark, ordered_marks
from depthbias.system.errors import UserError

DEPTH_LABEL = "depth (resolution stages)"
ROW_HEIGHT = 1.75  # inches
BESIDE_SHIFT = 0.45  # depth2-large stands between depth 2 and depth 3


class PanelRow(NamedTuple):
    """One row of panels: the models of one series, sampled in one way."""

    sampler: str
    series: str


def metric_rows(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows of one metric with a finite value, and what tells panels where they belong.

    Adds depth, x (the place on an axis of depth), series and shown_with; real images: NaN and "".
    Architectures without depth have the next whole numbers after the deepest.
    """
    rows = summary[(summary["metric"] == metric) & np.isfinite(summary["value"])].copy()
    named = {
        name: get_architecture(name)
        for name in rows["architecture"].unique()
        if name not in ("", REAL)
    }
    places = {name: float(found.depth) for name, found in named.items() if found.depth}
    without = [name for name in ordered_architectures(named) if name not in places]
    first = max(places.values(), default=0.0) + 1
    beside = {name: BESIDE_SHIFT for name in places if named[name].beside}
    places |= {name: first + place for place, name in enumerate(without)}
    names = list(rows["architecture"])
    rows["depth"] = [places.get(name, math.nan) for name in names]
    rows["x"] = [places.get(name, math.nan) + beside.get(name, 0.0) for name in names]
    rows["series"] = [named[name].series if name in named else "" for name in names]
    rows["shown_with"] = [named[name].shown_with if name in named else "" for name in names]
    return rows


def level_rows(
    summary: pd.DataFrame, metric: str, subject: str, k: float | None = None, single: bool = True
) -> pd.DataFrame:
    """Rows of one metric (and k) at single noise levels, else over several of them.

    UserError if there are none; subject: what to measure then.
    """
    rows = metric_rows(summary, metric)
    rows = rows[(rows["sigma"].notna() == single) & (k is None or rows["k"] == k)]
    if rows.empty:
        kind = metric if k is None else f"{metric} (k {k:g})"
        raise UserError(f"the summary has no {kind}: measure the study's {subject}")
    return rows


def scaled(rows: pd.DataFrame, factor: float = 100.0) -> pd.DataFrame:
    """Rows with their values and intervals times a factor, as percentages unless told."""
    return rows.assign(**{part: factor * rows[part] for part in ("value", "lower", "upper")})


def blocks_of(rows: pd.DataFrame) -> list[PanelRow]:
    """Rows of panels: the main sampler first, and in it the published series first."""
    models = rows[rows["depth"].notna()]
    if models.empty:
        raise UserError("the summary has no model to plot: measure the study first")
    found = set(models["shown_with"])
    samplers = models["sampler"].unique()
    return [PanelRow(sampler, name) for sampler in samplers for name in SERIES if name in found]


def in_block(rows: pd.DataFrame, block: PanelRow) -> pd.DataFrame:
    """The rows of one row of panels: of a series, and of those that are shown with it."""
    return rows[(rows["shown_with"] == block.series) & (rows["sampler"] == block.sampler)]


def panel_grid(rows: int, columns: int, share: Literal["all", "col"]) -> tuple[Figure, np.ndarray]:
    """A figure at most a page (7 in) wide for up to 5 columns, and its axes [rows, columns]."""
    width = min(7.0, 1.3 + 2.0 * columns) if columns <= 5 else 0.5 + 1.3 * columns
    figure = Figure(figsize=(width, ROW_HEIGHT * rows + 0.6), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.05, h_pad=0.05)  # type: ignore[union-attr, call-arg]
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=share)


def name_rows(grid: np.ndarray, blocks: Sequence[PanelRow], label: str) -> None:
    """Label the y axes at the left, and name the rows of panels where they differ."""
    samplers = len({block.sampler for block in blocks}) > 1
    series = len({block.series for block in blocks}) > 1
    for axes, block in zip(grid[:, 0], blocks, strict=True):
        axes.set_ylabel(label)
        title = [SERIES[block.series]] * series + [sampler_title(block.sampler)] * samplers
        axes.annotate(
            "\n".join(title),
            (0, 0.5),
            xytext=(-4, 0),
            xycoords=axes.yaxis.label,
            textcoords="offset points",
            rotation=90,
            weight="bold",
            ha="right",
            va="center",
            multialignment="center",
        )


def draw_points(
    axes: Axes, x: np.ndarray, rows: pd.DataFrame, mark: Mark, shift: float, **look: Any
) -> None:
    """Estimates with error bars, `shift` points to the right; infinite bars leave the panel.

    The limits of the y axis must be set by the caller: shifted points do not move them.
    """
    value = rows["value"].to_numpy()
    reach = np.abs(rows[["lower", "upper"]].to_numpy().T - value)
    reach = np.nan_to_num(reach, nan=0.0, posinf=1e3 * (1 + np.abs(value).max(initial=0)))
    options: dict[str, Any] = {"color": mark.colour, "marker": mark.marker, "ls": mark.line}
    options |= {"elinewidth": 0.8, "transform": _shifted(axes, shift)}
    axes.errorbar(x, value, yerr=reach, **(options | look))


def draw_line(axes: Axes, rows: pd.DataFrame, mark: Mark, shift: float, seeds: bool = True) -> None:
    """One quantity over depth, `shift` points to the right.

    A line through the estimates over all seeds; what is only shown with the series apart from it,
    as it has another size or no depth; with `seeds`, pale dots for the single seeds.
    """
    own, x = rows["series"] == rows["shown_with"], rows["x"]
    over_seeds = rows["seed"] == ALL
    line = rows[over_seeds & own].sort_values("depth")
    draw_points(axes, line["depth"].to_numpy(), line, mark, shift)
    apart = over_seeds & ~own
    draw_points(axes, x[apart].to_numpy(), rows[apart], mark, shift, mfc="white", ls="none")
    if seeds:
        dots: dict[str, Any] = {
            "color": mark.colour,
            "alpha": 0.4,
            "ms": 3.5,
            "mew": 0,
            "zorder": 1,
        }
        beside = _shifted(axes, shift + 4.5)
        axes.plot(x[~over_seeds], rows["value"][~over_seeds], ".", transform=beside, **dots)


def _shifted(axes: Axes, points: float) -> Any:
    """Data coordinates moved to the right by `points` on paper, whatever the scale of the axis."""
    to_inches = axes.figure.dpi_scale_trans
    return axes.transData + ScaledTranslation(points / 72, 0, to_inches)


def draw_ghost(axes: Axes, rows: pd.DataFrame, block: PanelRow) -> None:
    """The published series in grey behind the line of another one."""
    if block.series == "published":
        return
    published = rows[(rows["series"] == "published") & (rows["seed"] == ALL)]
    line = published[published["sampler"] == block.sampler].sort_values("depth")
    axes.plot(line["depth"], line["value"], color=PALE, lw=1, zorder=0.9)


def depth_ticks(rows: pd.DataFrame) -> dict[float, str]:
    """Places on an axis of depth, from the left, and their labels: a depth, or else a name."""
    models = rows[rows["depth"].notna()]
    names = dict(zip(models["depth"], models["architecture"], strict=True))
    depths = {place: get_architecture(name).depth for place, name in sorted(names.items())}
    return {place: str(depth or names[place]) for place, depth in depths.items()}


def depth_axis(axes: Axes, rows: pd.DataFrame, control: bool) -> float:
    """Ticks at the depths, with "real" to their left if there is a control; returns its x."""
    labels = depth_ticks(rows)
    place = min(labels) - 1.0
    ticks = {place: REAL, **labels} if control else labels
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xlim(min(ticks) - 0.5, max(ticks) + 0.6)
    if control:
        axes.axvspan(place - 0.5, place + 0.45, color="#f1f1f1", lw=0, zorder=0)
    return place


def line_ends(rows: pd.DataFrame, by: str, marks: dict[str, Mark]) -> list[tuple[float, str, Mark]]:
    """Where the line of each mark ends: at the deepest model, over all seeds."""
    trend = rows[(rows["seed"] == ALL) & (rows["series"] == rows["shown_with"])]
    last = trend.sort_values("depth").groupby(by)["value"].last()
    return [(last[name], name, mark) for name, mark in marks.items() if name in last]


def legend_above(figure: Figure, handles: Sequence[Artist], notes: Sequence[str]) -> None:
    """Legend over the panels, under lines of notes; the figure grows by the height of both."""
    columns = max(2, int(figure.get_figwidth() / 1.55))
    heading = [line for note in notes for line in wrap(note, int(14 * figure.get_figwidth()))]
    lines = len(heading) + math.ceil(len(handles) / columns)
    figure.set_figheight(figure.get_figheight() + 0.15 * lines + 0.1)
    legend = figure.legend(
        handles=list(handles),
        loc="outside upper center",
        ncols=columns,
        title="\n".join(heading),
        alignment="center",
        handlelength=2.4,
        columnspacing=1.4,
        borderaxespad=0.3,
    )
    legend.get_title().set_multialignment("center")


def mark_handles(marks: Mapping[str, Mark]) -> list[Artist]:
    """A legend entry for the line of every mark, {name: mark}."""
    return [
        Line2D([], [], color=mark.colour, marker=mark.marker, ls=mark.line, label=name)
        for name, mark in marks.items()
    ]


def limits(
    rows: pd.DataFrame, also: Iterable[float] = (), room: float = 0.06
) -> tuple[float, float]:
    """Ends of a y axis that hold all values, the finite intervals over seeds, and `also`.

    room: left free below and above, as a share of what is shown.
    """
    bounds = rows.loc[rows["seed"] == ALL, ["lower", "upper"]].to_numpy().ravel()
    shown = np.array([*rows["value"], *bounds, *also])
    shown = shown[np.isfinite(shown)]
    free = room * (shown.max() - shown.min()) or 0.1
    return float(shown.min() - free), float(shown.max() + free)


def line_handles(rows: pd.DataFrame) -> list[Artist]:
    """Legend entries of what `draw_line` and `draw_ghost` draw of these rows, in grey."""
    entries: list[dict[str, Any]] = [
        {"marker": "o", "lw": 1.2, "label": "95 % interval"},
        {"marker": ".", "ls": "none", "alpha": 0.5, "ms": 5, "mew": 0, "label": "one seed"},
    ]
    apart = set(rows["series"][rows["series"] != rows["shown_with"]])
    if apart:
        label = ", ".join(SERIES[name] for name in SERIES if name in apart)
        entries.append({"marker": "o", "mfc": "white", "ls": "none", "label": label})
    if {"published"} < set(rows["shown_with"]) - {""}:
        entries.append({"color": PALE, "lw": 1, "label": SERIES["published"]})
    return [Line2D([], [], **({"color": GREY} | entry)) for entry in entries]


def sample_note(rows: pd.DataFrame) -> str:
    """What a point rests on: study, seeds and images a model."""
    single = rows[(rows["seed"] != ALL) & rows["depth"].notna()]
    seeds = max(single["seed"].nunique(), 1)
    images = sorted({int(n) for n in single["n"].dropna()})
    shown = f"{images[0]:,}" + (f" to {images[-1]:,}" if len(images) > 1 else "") if images else "?"
    study = rows["study"].iloc[0]
    several = f"{seeds} seeds" if seeds > 1 else "one seed (no interval)"
    return f"study {study}: {several}, {shown} images a model"


def architecture_marks(architectures: Iterable[str]) -> dict[str, Mark]:
    """A colour and marker for each depth, a line style for each series."""
    found = [get_architecture(name) for name in ordered_architectures(architectures)]
    depths = sorted({a.depth for a in found}, key=lambda depth: depth or math.inf)
    by_depth = dict(zip(depths, ordered_marks(len(depths)), strict=True))
    lines = dict(zip(SERIES, LINES, strict=False))
    return {a.name: by_depth[a.depth]._replace(line=lines[a.series]) for a in found}


def empty_figure(words: str) -> Figure:
    """A figure that says why it shows nothing."""
    figure = Figure(figsize=(4.5, 1.0))
    figure.text(0.5, 0.5, words, ha="center", va="center", fontsize=9)
    return figure
