"""Shares of the classes in one run by every way of counting its images: the arms of a measurement.

Which images count decides what is found (docs/metrics.md), so all arms stand beside each other.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from depthbias.estimates.intervals import stream
from depthbias.estimates.noise_bootstrap import NoiseBootstrap
from depthbias.estimates.runs import Run
from depthbias.measures.class_shares import Instrument
from depthbias.measures.samples import Classified

# What the arm is called in a metric, and its shares. The first one is of all images.
ARMS = {"": "share_corrected", "decided": "share_decided"}


def in_arm(metric: str, arm: str) -> str:
    """The name of a metric in an arm: kappa, kappa_decided."""
    return f"{metric}_{arm}" if arm else metric


@dataclass(frozen=True)
class Shares:
    """Shares [K] that rest on n images, and resampled ones [B, K]."""

    values: np.ndarray
    draws: np.ndarray
    n: int


@dataclass(frozen=True)
class Model:
    """A run with its shares in every arm, the raw ones, and its undecidable share (K = 1)."""

    classified: Classified
    arms: dict[str, Shares]
    raw: Shares
    undecidable: Shares

    @property
    def run(self) -> Run:
        """Which model this is, sampled in which way."""
        return self.classified.run

    @property
    def trained(self) -> np.ndarray:
        """Share of each class among the training images, [K]."""
        return self.classified.trained

    @property
    def n(self) -> int:
        """Classified images."""
        return len(self.classified.labels)


def measure(classified: Classified, instrument: Instrument, bootstrap: NoiseBootstrap) -> Model:
    """The shares of one run; `bootstrap` is that of all runs, with the instrument's draws."""
    classes = instrument.classes
    flags = classified.labels[:, None] == np.arange(len(classes))
    columns = np.hstack([flags, flags & classified.decided[:, None]])
    counts, sums = columns.sum(axis=0), bootstrap.sums(columns, classified.noise)
    (all_of, decided), (all_sums, decided_sums) = np.split(counts, 2), np.split(sums, 2, axis=1)

    def resampled(of: np.ndarray, arm: str, names: Iterable[str] = classes) -> np.ndarray:
        return _normalised(of + _half_images(instrument.draws, names, arm, *classified.run.key))

    raw = Shares(_normalised(all_of), resampled(all_sums, "all"), int(all_of.sum()))
    open_of = np.array([all_of.sum() - decided.sum(), decided.sum()])
    open_sums = np.stack([(all_sums - decided_sums).sum(axis=1), decided_sums.sum(axis=1)], axis=1)
    open_draws = resampled(open_sums, "open", ["open", "decided"])
    arms = {
        "": Shares(instrument.solve(raw.values), instrument.solve_draws(raw.draws), raw.n),
        "decided": Shares(
            _normalised(decided), resampled(decided_sums, "decided"), int(decided.sum())
        ),
    }
    undecidable = Shares(_normalised(open_of)[:1], open_draws[:, :1], raw.n)
    return Model(classified, arms, raw, undecidable)


def _normalised(counts: np.ndarray) -> np.ndarray:
    """Shares [..., K] of counts; NaN where there are none."""
    with np.errstate(invalid="ignore"):
        return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def _half_images(draws: int, names: Iterable[str], *key: str) -> np.ndarray:
    """[B, K]: the random weight of half an image of each class, Gamma(1/2), Jeffreys' prior.

    Added to the summed weights of n images it gives Dirichlet(counts + 1/2): a class without an
    image keeps its uncertainty.
    """
    return np.stack(
        [stream("half an image", *key, name).standard_gamma(0.5, draws) for name in names], axis=1
    )
