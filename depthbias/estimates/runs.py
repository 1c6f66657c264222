"""Which run a measurement is about, and the names that stand for no single run."""

from collections.abc import Iterable
from typing import NamedTuple

from depthbias.diffusion.architectures import SERIES, get_architecture

ALL_SEEDS = "all"  # the seed of rows that are over all seeds
REAL = "real"  # the U-Net of rows about real held-out images


class Run(NamedTuple):
    """What was measured; architecture is that of a model, "real" (held-out images) or "train"."""

    ratio: str
    architecture: str
    seed: str
    sampler: str


def ordered_architectures(names: Iterable[str]) -> list[str]:
    """Architectures in reading order: by series, those shown together by depth."""
    found = [get_architecture(name) for name in set(names) - {"", REAL}]
    order = list(SERIES)
    found.sort(key=lambda a: (order.index(a.shown_with), a.depth or 0, order.index(a.series)))
    return [a.name for a in found]
