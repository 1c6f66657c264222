"""Two ways of doing the same work, timed in turns, so that a busy machine slows both alike."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch


@dataclass(frozen=True)
class Row:
    """One line of the table: images a second of both, and the ratio ours / theirs of every turn."""

    work: str
    model: str
    theirs_name: str
    ours: float
    theirs: float
    ratios: list[float]
    checked: str

    def cells(self) -> list[str]:
        """Markdown cells in the order of HEADINGS."""
        spread = f"{min(self.ratios):.2f} to {max(self.ratios):.2f}"
        return [
            self.work,
            self.model,
            rate(self.ours),
            f"{rate(self.theirs)} ({self.theirs_name})",
            f"{median(self.ratios):.2f}",
            spread,
            self.checked,
        ]


HEADINGS = [
    "work",
    "model",
    "depthbias, images/s",
    "diffusers, images/s",
    "ratio, median",
    "ratio, all turns",
    "same results",
]


def rate(images_per_second: float) -> str:
    """Three digits."""
    return f"{images_per_second:,.0f}" if images_per_second >= 100 else f"{images_per_second:.3g}"


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def in_turns(
    ours: Callable[[], None], theirs: Callable[[], None], turns: int
) -> tuple[list[float], list[float]]:
    """Seconds of every call of both, one of each a turn, first the one, then the other.

    A turn before them warms up and is not counted.
    """
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns + 1):
        sides = [(0, ours), (1, theirs)]
        for side, work in sides if turn % 2 else reversed(sides):
            started = _now()
            work()
            if turn:
                seconds[side].append(_now() - started)
    return seconds


def row(
    work: str,
    model: str,
    theirs_name: str,
    images: int,
    seconds: tuple[list[float], list[float]],
    checked: str,
) -> Row:
    """The row of what `in_turns` measured on this number of images a call."""
    ours, theirs = seconds
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return Row(
        work, model, theirs_name, images / median(ours), images / median(theirs), ratios, checked
    )


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
