"""A quantity measured on every run with its error: rows for the runs, over seeds and over depth."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import betaincinv, ndtri

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.intervals import (
    QUANTILES,
    Estimate,
    over_seeds,
    share_over_seeds,
    stream,
    student_half_width,
    wilson,
)
from depthbias.estimates.runs import ALL, REAL, TRAIN, Run
from depthbias.estimates.slopes import least_squares_slope, slope_weights
from depthbias.system.errors import UserError

DRAWS = 2000


@dataclass(frozen=True)
class Measured:
    """One metric of one run, with the error that its images cause.

    share: whether it is a share of n images; class_name: "" for all; k: 0 where there is none;
    values: float [n], of all images of a model in the order of their noise, with this mean (or
    jackknife pseudo-values), so that models can be compared image by image; runs: it rests on.
    """

    run: Run
    metric: str
    estimate: Estimate
    share: bool = False
    class_name: str = ""
    k: int = 0
    values: np.ndarray | None = field(default=None, repr=False, compare=False)
    runs: int = 1

    @property
    def draws(self) -> np.ndarray:
        """The value resampled as far as its images go, [DRAWS].

        Seeds share their random numbers, as image i of every seed comes from the same noise (and
        held-out images are the same). Shares: Jeffreys' posterior; else normal.
        """
        key = (self.metric, self.class_name, str(self.k), *self.run._replace(seed=ALL).key)
        value, lower, upper, n = self.estimate
        uniform = stream(*key).uniform(size=DRAWS)
        if self.share:
            count = value * n
            return betaincinv(count + 0.5, n - count + 0.5, uniform)
        error = (upper - lower) / (2 * ndtri(QUANTILES[1]))
        return value + np.nan_to_num(error) * ndtri(uniform)

    @property
    def row(self) -> dict[str, Any]:
        """The row of this run."""
        keys = {"metric": self.metric, "class": self.class_name, "k": self.k or None}
        return keys | self.run._asdict() | self.estimate._asdict() | {"runs": self.runs}


def mean_of(
    values: np.ndarray, run: Run, metric: str, class_name: str = "", k: int = 0
) -> Measured:
    """The mean of a number an image [N], with Student's t interval; NaN for no image.

    UserError where the number of an image is NaN.

    Without a class, and if the run is a model (it has a sampler), the numbers are kept.
    """
    n = len(values)
    if np.isnan(values).any():
        told = f"{run.ratio}, {run.architecture}, seed {run.seed}"
        raise UserError(f"{metric} ({told}): not a number in some of {n} images: make them again")
    value = float(values.mean()) if n else np.nan
    error = float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    half_width = student_half_width(error, n - 1)
    estimate = Estimate(value, value - half_width, value + half_width, n)
    kept = values if run.sampler and not class_name else None
    return Measured(run, metric, estimate, class_name=class_name, k=k, values=kept)


def share_of(flags: np.ndarray, run: Run, metric: str, class_name: str = "") -> Measured:
    """The share of images that have a property, bool [N], with Wilson's interval."""
    estimate = wilson(int(np.count_nonzero(flags)), len(flags))
    return Measured(run, metric, estimate, share=True, class_name=class_name)


def rows_of(measured: Sequence[Measured], trends: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of every run, over seeds, and slopes on depth of the metrics in `trends`.

    Over seeds: the seed "all". Slopes: the metric NAME:EMBEDDING as NAME_per_depth:EMBEDDING, the
    series as its architecture, for all images of a run (no class). A run without such an image has
    a row whose value is NaN; those over seeds and slopes rest on the other runs, and say on how
    many.
    """
    for measurement in measured:
        yield measurement.row
    usable = [m for m in measured if np.isfinite(m.estimate.value)]
    for group in _grouped(usable, _without_seed):
        yield _over_seeds(group).row
    chosen = [m for m in usable if m.metric in trends and not m.class_name]
    for group in _grouped(chosen, _series):
        if len({get_architecture(m.run.architecture).depth for m in group}) > 1:
            yield _over_depth(group).row


def _grouped(
    measured: Iterable[Measured], key: Callable[[Measured], Hashable]
) -> Iterator[list[Measured]]:
    """Those with equal keys, metric, class and k, in the order of the first; key None: left out."""
    groups = defaultdict(list)
    for m in measured:
        run = key(m)
        if run is not None:
            groups[run, m.metric, m.class_name, m.k].append(m)
    yield from groups.values()


def _without_seed(measurement: Measured) -> Run | None:
    """The run over all seeds; None for what has none of its own, and for pairs of seeds."""
    run = measurement.run
    return run._replace(seed=ALL) if run.seed != ALL and "~" not in run.seed else None


def _series(measurement: Measured) -> Run | None:
    """The run with the series for its architecture.

    None for real images, pairs of models and networks without depth.
    """
    run = measurement.run
    if run.architecture in (REAL, TRAIN) or "~" in run.architecture:
        return None
    found = get_architecture(run.architecture)
    return run._replace(architecture=found.series, seed=ALL) if found.depth else None


def _over_seeds(group: Sequence[Measured]) -> Measured:
    first = replace(group[0], run=group[0].run._replace(seed=ALL), values=None, runs=len(group))
    values = np.array([m.estimate.value for m in group])
    n = sum(m.estimate.n for m in group)
    if first.share:
        draws = np.stack([m.draws for m in group])
        return replace(first, estimate=share_over_seeds(values, draws, n))
    draws = values[:, None] + _image_error(group, np.full(len(group), 1 / len(group)))
    return replace(first, estimate=over_seeds(values, draws, n))


def _image_error(group: Sequence[Measured], weights: np.ndarray) -> np.ndarray:
    """Draws [DRAWS] about 0 of the weighted sum of the group, as far as its images go.

    Where the images are known one by one, image i of all models is taken together: it comes from
    the same noise, so its errors are not independent (if it does not, nothing is lost).
    """
    images = [m.values for m in group if m.values is not None]
    if len(images) < len(group) or len({len(values) for values in images}) > 1:
        centred = np.stack([m.draws - m.estimate.value for m in group])
        return np.asarray(weights @ centred)
    together = weights @ np.stack(images)
    error = together.std(ddof=1) / np.sqrt(len(together)) if len(together) > 1 else 0.0
    key = (group[0].metric, str(group[0].k), *group[0].run._replace(architecture=ALL, seed=ALL).key)
    return error * ndtri(stream("images", *key).uniform(size=DRAWS))


def _over_depth(group: Sequence[Measured]) -> Measured:
    """Least-squares slope on depth, a stage, over G runs.

    Errors: those of `least_squares_slope`, and of the images, as a tilt of all values.
    """
    depths = np.array([get_architecture(m.run.architecture).depth for m in group])
    values = np.array([m.estimate.value for m in group])
    error = _image_error(group, slope_weights(depths))
    draws = values[:, None] + np.outer(depths - depths.mean(), error)
    metric, _, suffix = group[0].metric.partition(":")
    run = _series(group[0])
    assert run is not None
    estimate = least_squares_slope(depths, values, draws)
    return Measured(run, f"{metric}_per_depth:{suffix}", estimate, k=group[0].k, runs=len(group))
