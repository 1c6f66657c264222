"""The look of every figure: fonts, colours that the colour-blind can tell apart, stable files."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthbias.system.errors import UserError
from depthbias.system.files import replacing

GREY = "#6b6b6b"
PALE = "#b5b5b5"

# Okabe and Ito (2008), without the two that are too light to be read as text.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9")
MARKERS = ("o", "s", "^", "v", "P", "X", "<", ">")
LINES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (6, 1.5)),
    (0, (6, 1.5, 1, 1.5)),
    (0, (3, 1.2)),
    (0, (3, 1, 1, 1, 1, 1)),
)

SETTINGS: Any = {  # matplotlib types its keys one by one
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same on every machine
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.title_fontsize": 7.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "errorbar.capsize": 1.8,
    "savefig.dpi": 200,
    "image.composite_image": False,  # small images stay as they are in an SVG
    "svg.fonttype": "path",  # an SVG inside an HTML report cannot load fonts
    "svg.hashsalt": "depthbias",  # equal figures, equal bytes
}


class Mark(NamedTuple):
    """How one line of a figure is drawn; each of the three tells it apart on its own."""

    colour: str | tuple[float, float, float, float]
    marker: str
    line: str | tuple[int, tuple[float, ...]]


def class_marks(count: int) -> list[Mark]:
    """Marks of `count` unordered things (classes)."""
    return [
        Mark(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], LINES[i % len(LINES)])
        for i in range(count)
    ]


def ordered_marks(count: int) -> list[Mark]:
    """Marks of `count` ordered things (ratios, depths), from dark to not too light."""
    scale = mpl.colormaps["viridis"]
    positions = [0.76 * i / max(count - 1, 1) for i in range(count)]
    return [
        Mark(scale(position), MARKERS[i % len(MARKERS)], LINES[i % len(LINES)])
        for i, position in enumerate(positions)
    ]


@contextmanager
def styled() -> Iterator[None]:
    """Inside, matplotlib has these settings and no others; afterwards the user's own are back."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Positions at least `gap` apart, order kept: moved up, or down where they would pass 1."""
    order = sorted(range(len(positions)), key=positions.__getitem__)
    moved = list(positions)
    for below, above in itertools.pairwise(order):
        moved[above] = max(moved[above], moved[below] + gap)
    ceiling = 1.0
    for index in reversed(order):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    return moved


def label_ends(axes: Axes, ends: Sequence[tuple[float, str, Mark]], gap: float) -> None:
    """Write the names of lines right of `axes`.

    ends: (end of the line in data units, name, mark); gap: least distance of names as a share of
    the height of the axes.
    """
    low, high = axes.get_ylim()
    fractions = spread([(value - low) / (high - low) for value, _, _ in ends], gap)
    for fraction, (_, name, mark) in zip(fractions, ends, strict=True):
        axes.annotate(
            name,
            (1, fraction),
            xytext=(3, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=mark.colour,
            va="center",
        )


def save(figure: Figure, paths: Sequence[str | Path]) -> None:
    """Write `figure` to each path, as its ending says (svg, png, pdf); equal figures, equal bytes.

    Raises UserError for another ending or when a file cannot be written.
    """
    dateless: dict[str, dict[str, None]] = {
        "svg": {"Date": None},
        "png": {},
        "pdf": {"CreationDate": None},
    }
    for path in paths:
        ending = Path(path).suffix.removeprefix(".")
        if ending not in dateless:
            raise UserError(f"{path}: not a figure format: end it in .svg, .png or .pdf")
        with styled(), replacing(path) as temporary:
            figure.savefig(temporary, format=ending, metadata=dateless[ending])
