"""Measurements of linear and Gaussian structure as tidy rows, at every noise level and regime."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from depthbias.estimates.measurements import mean_of, rows_of
from depthbias.measures.structure_files import Structure

REGIMES = {"low": (0.002, 0.1), "middle": (0.1, 20.0), "high": (20.0, 80.0)}


def regime(sigma: float) -> str:
    """The name of the regime a noise level is in; beyond both ends it is the one at that end."""
    return next((name for name, (_, end) in REGIMES.items() if sigma < end), "high")


UNBOUNDED, SHARE = (0.0, np.inf), (0.0, 1.0)
BOUNDS = dict.fromkeys(("linearity", "linearity_centred", "alignment"), SHARE)
TRENDS = ("linearity", "linearity_centred", "score_error:gaussian", "score_error:linear")


def structure_rows(
    runs: Sequence[Structure],
    trends: Sequence[str] = TRENDS,
    bounds: Mapping[str, tuple[float, float]] = BOUNDS,
) -> Iterator[dict[str, Any]]:
    """Rows of every run, over seeds and over depth.

    k: the angle or index of the measure. sigma: the noise level; it is empty where class names a
    regime, over whose levels the value is a mean (of the same pairs or images, so that its interval
    is that of their means). Slopes on depth are given for regimes only, of the metrics in `trends`.
    Intervals are cut where the measure ends: at the bounds of its name before a colon, else at 0.
    """
    sigmas = runs[0].sigmas
    for place, sigma in enumerate(sigmas):
        for row in _rows(runs, np.array([place]), [], bounds):
            yield row | {"sigma": float(sigma)}
    regimes = np.array([regime(sigma) for sigma in sigmas])
    for name in REGIMES:
        places = np.flatnonzero(regimes == name)
        if len(places):
            for row in _rows(runs, places, trends, bounds):
                yield row | {"class": name}


def _rows(
    runs: Sequence[Structure],
    places: np.ndarray,
    trends: Sequence[str],
    bounds: Mapping[str, tuple[float, float]],
) -> Iterator[dict[str, Any]]:
    """Rows of the means over some noise levels."""
    measured = []
    for model in runs:
        for name, values in model.values.items():
            metric, _, k = name.partition("@")
            measured.append(mean_of(values[places].mean(axis=0), model.run, metric, k=int(k or 0)))
    for row in rows_of(measured, trends):
        metric = row["metric"].removesuffix(":")
        low, high = bounds.get(metric.partition(":")[0], UNBOUNDED)
        if "_per_depth" in metric:
            low, high = -np.inf, np.inf
        cut = {end: float(np.clip(row[end], low, high)) for end in ("lower", "upper")}
        yield row | cut | {"metric": metric}
