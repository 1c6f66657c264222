"""Which run a measurement is about, and the names that stand for no single run."""

from collections.abc import Iterable
from typing import NamedTuple

from depthbias.diffusion.architectures import get_architecture

ALL_SEEDS = "all"  # the seed of rows that are over all seeds
REAL = "real"  # the U-Net of rows about real held-out images


class Run(NamedTuple):
    """What was measured; architecture is that of a model, "real" (held-out images) or "train"."""

    ratio: str
    architecture: str
    seed: str
    sampler: str


def ordered_architectures(names: Iterable[str]) -> list[str]:
    """U-Nets in reading order: published and large by depth, then the other series by depth."""
    found = [get_architecture(name) for name in set(names) - {"", REAL}]
    order = {"published": 0, "large": 0, "constant-width": 1, "parameter-matched": 2}
    found.sort(key=lambda a: (order[a.series], a.depth, a.series == "large"))
    return [a.name for a in found]
