"""How bias is amplified over ratios and over depth, as tidy rows, in every arm."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from depthbias.estimates.arm_names import ARMS, in_arm
from depthbias.estimates.intervals import Estimate, from_draws, over_seeds
from depthbias.estimates.runs import ALL, Run
from depthbias.estimates.slopes import least_squares_slope
from depthbias.measures.amplification import depth_trend, kappa, kappa_intercept
from depthbias.measures.arms import Model
from depthbias.measures.class_shares import log_odds
from depthbias.measures.effective_depths import EffectiveDepth
from depthbias.measures.rows import (
    OfRun,
    Row,
    by_series,
    depth_of,
    grouped,
    reported_classes,
    row_of,
)

OVER_RATIOS: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "kappa": kappa,
    "kappa_intercept": kappa_intercept,
}


DepthScale = Callable[[OfRun], float]  # the depth of a run on some scale, 0 if it has none


class Measure(NamedTuple):
    """A number made of the shares of a run, or of its ratios: value and draws [B]."""

    run: Run
    value: float
    draws: np.ndarray
    models: int


def amplification_rows(
    models: Sequence[Model], classes: Sequence[str], effective: Mapping[str, float]
) -> Iterator[Row]:
    """Kappa, its intercept, trends over depth and differences between samplers.

    effective: effective depth of each architecture, taken as exact; trends are on both depths.
    Of two classes the second alone: the log-odds of the first are the same with the opposite sign.
    A model without an image in an arm has no share there; `runs` says how many had one.
    """
    scales: dict[str, DepthScale] = {
        "depth": depth_of,
        "effective_depth": EffectiveDepth(effective),
    }
    for arm, (k, name) in product(ARMS, reported_classes(classes)):
        counted = [model for model in models if model.arms[arm].n]
        trained = [model for model in counted if 0 < model.trained[k] < 1]
        for metric, function in OVER_RATIOS.items():
            yield from _over_ratios(trained, k, name, arm, metric, function, scales)
        for group in grouped(trained, "ratio", "sampler"):
            yield from _trends(group, k, name, arm, scales)
        for group in grouped(counted, "ratio", "architecture"):
            yield from _sampler_differences(group, k, name, arm)


def _over_ratios(
    models: Sequence[Model],
    k: int,
    name: str,
    arm: str,
    metric: str,
    function: Callable[[np.ndarray, np.ndarray, int], np.ndarray],
    scales: Mapping[str, DepthScale],
) -> Iterator[Row]:
    """A metric of the line over ratios: for each seed, over seeds, and its slope on depth."""
    named = in_arm(metric, arm)
    found = [
        _of_ratios(group, k, arm, function)
        for group in grouped(models, "architecture", "seed", "sampler")
        if len({model.trained[k] for model in group}) > 1
    ]
    for one in found:
        estimate = from_draws(one.value, one.draws, one.models)
        yield row_of(named, estimate, one.run, name, one.models)
    for group in grouped(found, "architecture", "sampler"):
        values, draws = np.array([m.value for m in group]), np.stack([m.draws for m in group])
        estimate = over_seeds(values, draws, sum(m.models for m in group))
        yield row_of(named, estimate, group[0].run._replace(seed=ALL), name, estimate.n)
    for group, (scale, depth) in product(grouped(found, "sampler"), scales.items()):
        for series, members in by_series(group, depth).items():
            slope = least_squares_slope(
                np.array([depth(m) for m in members]),
                np.array([m.value for m in members]),
                np.stack([m.draws for m in members]),
            )
            run = members[0].run._replace(architecture=series, seed=ALL)
            yield row_of(in_arm(f"{metric}_per_{scale}", arm), slope, run, name, slope.n)


def _of_ratios(
    group: Sequence[Model],
    k: int,
    arm: str,
    function: Callable[[np.ndarray, np.ndarray, int], np.ndarray],
) -> Measure:
    """Of the models of one architecture, seed and sampler."""
    trained = np.array([model.trained[k] for model in group])
    shares = [model.arms[arm] for model in group]
    n = min(found.n for found in shares)
    value = function(trained, np.array([found.values[k] for found in shares]), n)
    draws = function(trained, np.stack([found.draws[:, k] for found in shares], axis=1), n)
    return Measure(group[0].run._replace(ratio=ALL), float(value), draws, len(group))


def _trends(
    models: Sequence[Model], k: int, name: str, arm: str, scales: Mapping[str, DepthScale]
) -> Iterator[Row]:
    """Slope of the log-odds shift on depth of each series, for one ratio and sampler."""
    found = [(s, d, *one) for s, d in scales.items() for one in by_series(models, d).items()]
    for scale, depth, series, group in found:
        shares = [model.arms[arm] for model in group]
        slope = depth_trend(
            np.array([depth(model) for model in group]),
            np.array([model.trained[k] for model in group]),
            np.array([found.values[k] for found in shares]),
            np.stack([found.draws[:, k] for found in shares]),
            np.array([found.n for found in shares]),
        )
        run = group[0].run._replace(architecture=series, seed=ALL)
        metric = in_arm(f"log_odds_shift_per_{scale}", arm)
        yield row_of(metric, slope, run, name, slope.n)


def _sampler_differences(models: Sequence[Model], k: int, name: str, arm: str) -> Iterator[Row]:
    """Log-odds of every other sampler minus those of the first, model by model, over seeds."""
    first, *others = grouped(models, "sampler")
    by_seed = {model.run.seed: model for model in first}
    metric = in_arm("log_odds_sampler_difference", arm)
    for group in others:
        pairs = [(m, by_seed[m.run.seed]) for m in group if m.run.seed in by_seed]
        if pairs:
            estimate = mean_difference(pairs, k, arm)
            yield row_of(metric, estimate, group[0].run._replace(seed=ALL), name, len(pairs))


def mean_difference(pairs: Sequence[tuple[Model, Model]], k: int, arm: str) -> Estimate:
    """Log-odds of the first model minus those of the second, mean over the pairs."""
    values, draws = [], []
    for one, other in pairs:
        (value, drawn), (base, base_drawn) = _log_odds(one, k, arm), _log_odds(other, k, arm)
        values.append(value - base)
        draws.append(drawn - base_drawn)
    return over_seeds(np.array(values), np.stack(draws), sum(m.arms[arm].n for m, _ in pairs))


def _log_odds(model: Model, k: int, arm: str) -> tuple[float, np.ndarray]:
    """Log-odds of the share of class k, and its draws [B]."""
    found = model.arms[arm]
    value = float(log_odds(found.values[k], found.n))
    return value, log_odds(found.draws[:, k], found.n)
