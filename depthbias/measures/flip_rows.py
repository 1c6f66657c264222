"""Flips of the class in round trips, and bias and variance of the class, as tidy rows.

Metrics are defined in docs/metrics.md. Bias and variance rest on all training sets of a ratio and
architecture, so they have rows over seeds only; their intervals are those of a jackknife over the
training sets, joined with a Bayesian bootstrap of the images that all models share.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, permutations

import numpy as np

from depthbias.estimates.intervals import over_seeds, wilson
from depthbias.estimates.measurements import Measured, rows_of
from depthbias.estimates.runs import ALL, TRAIN, Run
from depthbias.estimates.slopes import least_squares_slope
from depthbias.measures.denoising_rows import ImageWeights
from depthbias.measures.rows import Row, by_series, depth_of, grouped, row_of
from depthbias.measures.samples import Classes, same_noise
from depthbias.measures.trip_classes import TripClasses
from depthbias.measures.variance_split import BiasVariance, generated_pseudo_values, pseudo_values
from depthbias.system.errors import UserError

PARTS = {"heldout": "heldout", "training": "own"}  # in flip rates; in the rest "shared"


@dataclass(frozen=True)
class Part:
    """A number about all training sets: pseudo-values [R] and their draws [R, B]; n: images."""

    run: Run
    metric: str
    values: np.ndarray
    draws: np.ndarray
    n: int
    runs: int
    k: int = 0
    sigma: float | None = None

    @property
    def row(self) -> Row:
        estimate = over_seeds(self.values, self.draws, self.n)
        row = row_of(self.metric, estimate, self.run, runs=self.runs)
        return row | {"k": self.k or None, "sigma": self.sigma}


def flip_rows(models: Sequence[TripClasses], twins: Sequence[TripClasses]) -> Iterator[Row]:
    """All rows of round trips, of models and of their k-NN twins; the latter over seeds only."""
    yield from _rates(models)
    for row in _rates(twins):
        if row["seed"] == ALL:
            yield row
    parts = [
        part
        for group in _by_training([*models, *twins])
        for name in PARTS
        for part in bias_parts(group, name)
    ]
    yield from (part.row for part in parts)
    yield from _trends([p for p in parts if p.sigma is None and p.run.architecture != TRAIN])


def _by_training(trips: Iterable[TripClasses]) -> list[list[TripClasses]]:
    """Those that differ in the training set alone, where there are two or more."""
    groups = grouped(trips, "ratio", "architecture")
    apart = [
        list(own)
        for group in groups
        for _, own in groupby(sorted(group, key=lambda one: one.k), lambda one: one.k)
    ]
    return [group for group in apart if len(group) > 1]


def _rates(trips: Sequence[TripClasses]) -> Iterator[Row]:
    """How often the class flips, at every level and over all of them."""
    if not trips:
        return
    levels = trips[0].levels
    every = np.arange(len(levels))
    for sigma, places in [*zip(levels.tolist(), every[:, None], strict=True), (None, every)]:
        measured = [rate for one in trips for rate in _rates_of(one, places)]
        for row in rows_of(measured, []):
            yield row | {"sigma": sigma}


def _rates_of(trips: TripClasses, places: np.ndarray) -> Iterator[Measured]:
    """Shares of the images of class a that come back as class b, a mean over noises.

    n: images; the noises of an image are not counted as if they were independent of each other.
    """
    for part, flag in PARTS.items():
        for a, b in permutations(range(len(trips.classes)), 2):
            chosen = getattr(trips, flag) & (trips.labels == a)
            n = int(chosen.sum())
            if n:
                share = float((trips.decoded[places][..., chosen] == b).mean())
                name = f"{trips.classes[a]}->{trips.classes[b]}"
                estimate = wilson(share * n, n)
                metric = f"flip_rate:{part}"
                yield Measured(trips.run, metric, estimate, share=True, class_name=name, k=trips.k)


def bias_parts(group: Sequence[TripClasses], name: str) -> Iterator[Part]:
    """Bias and variance of models that differ in their training set, at every level and over all.

    Classes in their training proportions. name: a key of PARTS; the training images are those of
    the first subset, for all.
    """
    first, classes = group[0], len(group[0].classes)
    flag = "heldout" if name == "heldout" else "shared"
    labels = first.labels[getattr(first, flag)]
    key = ("held-out",) if name == "heldout" else ("training", first.run.ratio)
    weights = ImageWeights(labels, first.proportions, *key)
    decoded = np.stack([one.decoded[:, :, getattr(one, flag)] for one in group])
    splits = [pseudo_values(one, labels, classes) for one in decoded.swapaxes(0, 1)]
    run = first.run._replace(seed=ALL)
    for metric in BiasVariance._fields:
        by_level = np.stack([getattr(split, metric) for split in splits])  # [L, R, N]
        placed = zip([*map(float, first.levels), None], [*by_level, by_level.mean(0)], strict=True)
        for sigma, values in placed:
            yield Part(
                run,
                f"class_{metric}:{name}",
                values @ weights.value,
                values @ weights.draws.T,
                n=len(labels),
                runs=len(group),
                k=first.k,
                sigma=sigma,
            )


def generated_rows(
    models: Sequence[Classes], trained: dict[tuple[str, str], np.ndarray]
) -> Iterator[Row]:
    """Bias and variance of the class of freely generated images, over seeds, and their trends.

    trained: training proportions [K] by (ratio, seed). UserError for models with other noise.
    """
    parts = []
    for group in grouped(models, "ratio", "architecture"):
        for one in group:
            if not same_noise(one, group[0]):
                raise UserError(f"{one.path}: not from the noise of the rest: sample again")
        if len(group) > 1:
            made = np.stack([one.labels for one in group])
            run = group[0].run
            shares = trained[run.ratio, run.seed]
            for metric, values in generated_pseudo_values(made, shares).items():
                draws = np.repeat(values[:, None], 2, axis=1)  # of the noises there is no error
                name, n = f"class_{metric}:generated", made.shape[1]
                own = run._replace(seed=ALL)
                parts.append(Part(own, name, values, draws, n=n, runs=len(group)))
    yield from (part.row for part in parts)
    yield from _trends(parts)


def _trends(parts: Sequence[Part]) -> Iterator[Row]:
    """Slopes on depth in each series, of a ratio, over pseudo-values as if each were a run's."""
    for metric in dict.fromkeys(part.metric for part in parts):
        alike = [part for part in parts if part.metric == metric]
        for group in grouped(alike, "ratio"):
            for series, members in by_series(group).items():
                depths = [float(depth_of(one)) for one in members for _ in one.values]
                slope = least_squares_slope(
                    np.array(depths),
                    np.concatenate([one.values for one in members]),
                    np.concatenate([one.draws for one in members]),
                )
                name, _, part = metric.partition(":")
                run = members[0].run._replace(architecture=series)
                runs = sum(one.runs for one in members)
                yield row_of(f"{name}_per_depth:{part}", slope, run, runs=runs)
