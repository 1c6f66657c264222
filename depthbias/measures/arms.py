"""Shares of the classes in one run by every way of counting its images: the arms of a measurement.

Which images count decides what is found (docs/metrics.md), so all arms stand beside each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from depthbias.estimates.intervals import stream
from depthbias.estimates.noise_bootstrap import NoiseBootstrap
from depthbias.estimates.runs import Run
from depthbias.measures.class_shares import Instrument
from depthbias.measures.classified import Acceptance, Classified


@dataclass(frozen=True)
class Shares:
    """Shares [K] that rest on n images, and resampled ones [B, K]."""

    values: np.ndarray
    draws: np.ndarray
    n: int

    def columns(self, which: slice) -> "Shares":
        """Some of the shares."""
        return Shares(self.values[which], self.draws[:, which], self.n)


@dataclass(frozen=True)
class Model:
    """A run with its shares in every arm, and those of images that fail.

    undecidable, failed (K = 1): images with no class of enough probability; these and the images
    off the manifold of their class.
    """

    classified: Classified
    arms: dict[str, Shares]
    undecidable: Shares
    failed: Shares

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


def measure(
    classified: Classified,
    instrument: Instrument,
    acceptance: Acceptance,
    bootstrap: NoiseBootstrap,
) -> Model:
    """The shares of one run; `bootstrap` is that of all runs, with the instrument's draws.

    If nothing is known of what failed images would have been, the share of a class lies between
    that of its images that did not fail and the same with all that did (Manski, Am. Econ. Rev.
    80:319, 1990): the arms "least" and "most".
    """
    decided, accepted = classified.decided, classified.accepted
    sure = decided & accepted
    classes = {name: classified.labels == k for k, name in enumerate(instrument.classes)}
    found = shares_of(
        {
            "all": classes,
            "decided": {name: own & decided for name, own in classes.items()},
            "manifold": {name: own & accepted for name, own in classes.items()},
            "sure": {name: own & sure for name, own in classes.items()} | {"": ~sure},
            "open": {"open": ~decided, "decided": decided},
        },
        classified.run,
        classified.noise,
        bootstrap,
    )
    raw, on_manifold, least = found["all"], found["manifold"], found["sure"].columns(slice(-1))
    failed = found["sure"].columns(slice(-1, None))
    arms = {
        "": Shares(instrument.solve(raw.values), instrument.solve_draws(raw.draws), raw.n),
        "raw": raw,
        "decided": found["decided"],
        "manifold": Shares(
            _normalised(on_manifold.values / acceptance.rates),
            _normalised(on_manifold.draws / acceptance.drawn),
            on_manifold.n,
        ),
        "least": least,
        "most": Shares(least.values + failed.values, least.draws + failed.draws, least.n),
    }
    return Model(classified, arms, found["open"].columns(slice(1)), failed)


def shares_of(
    groups: Mapping[str, Mapping[str, np.ndarray]],
    run: Run,
    noise: np.ndarray,
    bootstrap: NoiseBootstrap,
) -> dict[str, Shares]:
    """Of each group the shares of its parts among them; a part: bool [N], of which images.

    noise: int [N, 2], seed and index of the noise of each image of the run. Resampled with half an
    image more in each part.
    """
    columns = [part for parts in groups.values() for part in parts.values()]
    sums = bootstrap.sums(np.stack(columns, axis=1), noise)
    found, first = {}, 0
    for group, parts in groups.items():
        counts = np.array([part.sum() for part in parts.values()])
        drawn = sums[:, first : first + len(parts)]
        drawn = drawn + _half_images(bootstrap.draws, parts, group, *run.key)
        found[group] = Shares(_normalised(counts), _normalised(drawn), int(counts.sum()))
        first += len(parts)
    return found


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
