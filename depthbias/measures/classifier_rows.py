"""Class shares and their amplification as several classifiers see them, as tidy rows.

All images count, and shares are corrected with the confusion of the classifier that found them.
Metrics are defined in docs/metrics.md, the spread of classifiers in docs/statistics.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import logit

from depthbias.estimates.intervals import Estimate
from depthbias.estimates.runs import ALL, Run
from depthbias.estimates.slopes import least_squares_slope
from depthbias.measures.amplification import depth_trend, kappa
from depthbias.measures.between_classifiers import (
    classifier_half_width,
    over_classifiers,
    share_over_classifiers,
    widened,
)
from depthbias.measures.class_shares import log_odds
from depthbias.measures.rows import (
    OfRun,
    Row,
    by_series,
    depth_of,
    grouped,
    reported_classes,
    row_of,
)
from depthbias.measures.seen import Seen


@dataclass(frozen=True)
class Exponent:
    """Kappa of one seed by every classifier, `names` [C]: values [C], draws [C, B]."""

    run: Run
    names: Sequence[str]
    values: np.ndarray
    draws: np.ndarray
    models: int


def classifier_rows(seen: Sequence[Seen], classes: Sequence[str]) -> Iterator[Row]:
    """Shares, shifts, kappa and slopes on depth, by every classifier and over all of them."""
    for group in grouped(seen, "ratio", "architecture", "sampler"):
        for k, name in enumerate(classes):
            for one in group:
                yield from _share_rows([one], one.run, k, name)
            yield from _share_rows(group, group[0].run._replace(seed=ALL), k, name)
    for k, name in reported_classes(classes):
        trained = [one for one in seen if 0 < one.trained[k] < 1]
        yield from _kappa_rows(trained, k, name)
        for group in grouped(trained, "ratio", "sampler"):
            for series, members in by_series(group).items():
                yield from _trend_rows(members, series, k, name)


def _arrays(group: Sequence[Seen], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Shares of a class [C, G] by every classifier, and their draws [C, G, B]."""
    names = list(group[0].shares)
    values = [[one.shares[name].values[k] for one in group] for name in names]
    draws = [np.stack([one.shares[name].draws[:, k] for one in group]) for name in names]
    return np.array(values), np.stack(draws)


def _share_rows(group: Sequence[Seen], run: Run, k: int, name: str) -> Iterator[Row]:
    """The share of a class in one run or over seeds, and the log-odds shift made of it."""
    values, draws = _arrays(group, k)
    n, seeds, trained = sum(one.n for one in group), run.seed == ALL, group[0].trained[k]
    for label, chosen in _choices(list(group[0].shares)):
        share = share_over_classifiers(values[chosen], draws[chosen], n, seeds)
        yield row_of(f"share_{label}", share, run, name, len(group))
        if 0 < trained < 1:
            value, lower, upper = log_odds(np.array(share[:3]), n) - logit(trained)
            shift = Estimate(float(value), float(lower), float(upper), n)
            yield row_of(f"log_odds_shift_{label}", shift, run, name, len(group))
    if seeds:
        deviation = float(log_odds(values.mean(axis=1), n).std(ddof=1))
        spread = Estimate(deviation, np.nan, np.nan, len(values))
        yield row_of("log_odds_classifier_deviation", spread, run, name, len(group))


def _choices(names: Sequence[str]) -> Iterator[tuple[str, slice]]:
    """The ending of a metric, and which classifiers it is of."""
    yield "over_classifiers", slice(None)
    for c, name in enumerate(names):
        yield f"by:{name}", slice(c, c + 1)


def _kappa_rows(seen: Sequence[Seen], k: int, name: str) -> Iterator[Row]:
    """Kappa of each architecture, of one seed and over seeds, and its slope on depth."""
    found = [
        _exponent(group, k)
        for group in grouped(seen, "architecture", "seed", "sampler")
        if len({one.trained[k] for one in group}) > 1
    ]
    for group in grouped(found, "architecture", "sampler"):
        for one in group:
            yield from _kappas([one], one.run, name)
        yield from _kappas(group, group[0].run._replace(seed=ALL), name)
    for group in grouped(found, "sampler"):
        for series, members in by_series(group).items():
            values, draws = _stacked(members)
            slope = partial(least_squares_slope, _depths(members))
            run = members[0].run._replace(architecture=series, seed=ALL)
            names = members[0].names
            yield from _slope_rows("kappa_per_depth", slope, values, draws, names, run, name)


def _kappas(group: Sequence[Exponent], run: Run, name: str) -> Iterator[Row]:
    values, draws = _stacked(group)
    models = sum(one.models for one in group)
    for label, chosen in _choices(group[0].names):
        seeds = run.seed == ALL
        estimate = over_classifiers(values[chosen], draws[chosen], models, seeds)
        yield row_of(f"kappa_{label}", estimate, run, name, models)


def _stacked(group: Sequence[Exponent]) -> tuple[np.ndarray, np.ndarray]:
    """Values [C, G] and draws [C, G, B]."""
    values = np.stack([one.values for one in group], axis=1)
    return values, np.stack([one.draws for one in group], axis=1)


def _trend_rows(group: Sequence[Seen], series: str, k: int, name: str) -> Iterator[Row]:
    """The slope of the log-odds shift on depth in one series, for one ratio and sampler."""
    values, draws = _arrays(group, k)
    trained, n = np.array([one.trained[k] for one in group]), np.array([one.n for one in group])
    depths = _depths(group)
    run = group[0].run._replace(architecture=series, seed=ALL)

    def slope(shares: np.ndarray, drawn: np.ndarray) -> Estimate:
        return depth_trend(depths, trained, shares, drawn, n)

    names = list(group[0].shares)
    yield from _slope_rows("log_odds_shift_per_depth", slope, values, draws, names, run, name)


def _slope_rows(
    metric: str,
    slope: Callable[[np.ndarray, np.ndarray], Estimate],
    values: np.ndarray,
    draws: np.ndarray,
    names: Sequence[str],
    run: Run,
    class_name: str,
) -> Iterator[Row]:
    """A slope of values [C, G] with draws [C, G, B] by each classifier, and of their mean."""
    found = [slope(value, drawn) for value, drawn in zip(values, draws, strict=True)]
    half_width = classifier_half_width(np.array([estimate.value for estimate in found]))
    mean = widened(slope(values.mean(axis=0), draws.mean(axis=0)), half_width)
    yield row_of(f"{metric}_over_classifiers", mean, run, class_name, mean.n)
    for name, estimate in zip(names, found, strict=True):
        yield row_of(f"{metric}_by:{name}", estimate, run, class_name, estimate.n)


def _depths(items: Sequence[OfRun]) -> np.ndarray:
    return np.array([depth_of(one) for one in items])


def _exponent(group: Sequence[Seen], k: int) -> Exponent:
    """Of the models of one architecture, seed and sampler."""
    values, draws = _arrays(group, k)
    trained, n = np.array([one.trained[k] for one in group]), min(one.n for one in group)
    drawn = kappa(trained, draws.transpose(0, 2, 1), n)
    run = group[0].run._replace(ratio=ALL)
    return Exponent(run, list(group[0].shares), kappa(trained, values, n), drawn, len(group))
