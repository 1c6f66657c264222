"""Which run a measurement is about, and the names that stand for no single run."""

from typing import NamedTuple

ALL_SEEDS = "all"  # the seed of rows that are over all seeds


REAL = "real"  # the U-Net of rows about real held-out images


class Run(NamedTuple):
    """What was measured; architecture is that of a model, "real" (held-out images) or "train"."""

    ratio: str
    architecture: str
    seed: str
    sampler: str
