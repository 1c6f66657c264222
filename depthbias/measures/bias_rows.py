"""Everything that is measured about the class proportions of a study's models, as tidy rows.

Metrics are defined in docs/metrics.md, intervals in docs/statistics.md.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.special import logit

from depthbias.estimates.arm_names import ARMS, in_arm
from depthbias.estimates.intervals import Estimate, from_draws, share_over_seeds, wilson
from depthbias.estimates.noise_bootstrap import NoiseBootstrap
from depthbias.estimates.runs import ALL
from depthbias.measures.amplification_rows import amplification_rows
from depthbias.measures.arms import Model, Shares, measure
from depthbias.measures.class_shares import Instrument, log_odds
from depthbias.measures.classified import Acceptance, Classified
from depthbias.measures.rows import Row, by_series, depth_of, grouped, row_of
from depthbias.measures.samples import same_noise
from depthbias.measures.transitions import equal_margins, transition_counts
from depthbias.system.errors import UserError


def bias_rows(
    runs: Sequence[Classified],
    instrument: Instrument,
    acceptance: Acceptance,
    effective: Mapping[str, float],
) -> Iterator[Row]:
    """All rows of a study's models, in the order of the runs.

    effective: effective depth of each architecture that has stages.
    """
    bootstrap = NoiseBootstrap(instrument.draws)
    models = [measure(run, instrument, acceptance, bootstrap) for run in runs]
    for model in models:
        yield from _run_rows(model, instrument.classes)
    for group in grouped(models, "ratio", "architecture", "sampler"):
        yield from _seed_rows(group, instrument.classes)
    yield from amplification_rows(models, instrument.classes, effective)
    for group in grouped(models, "ratio", "seed", "sampler"):
        yield from _transition_rows(group, instrument.classes)


def _run_rows(model: Model, classes: Sequence[str]) -> Iterator[Row]:
    """The shares of one run with the errors of its images and of the confusion matrix."""
    counts, run = model.classified.counts(), model.run
    for k, name in enumerate(classes):
        yield _trained(model, k, name)
        yield row_of("share_raw", wilson(int(counts[k]), model.n), run, name)
        for arm in ARMS:
            found = model.arms[arm]
            share = from_draws(found.values[k], found.draws[:, k], found.n)
            yield from _share_rows(share, model, k, name, arm)
    for metric, found in _without_class(model).items():
        yield row_of(metric, wilson(round(found.values[0] * found.n), found.n), run)


def _seed_rows(models: Sequence[Model], classes: Sequence[str]) -> Iterator[Row]:
    """The same over the seeds of one ratio, architecture and sampler."""
    first = models[0]
    run, seeds = first.run._replace(seed=ALL), len(models)
    for k, name in enumerate(classes):
        yield _trained(first, k, name) | {"seed": ALL}
        yield row_of("share_raw", _mean_share([m.raw for m in models], k), run, name, seeds)
        for arm in ARMS:
            share = _mean_share([model.arms[arm] for model in models], k)
            for row in _share_rows(share, first, k, name, arm):
                yield row | {"seed": ALL, "runs": seeds}
    for metric in _without_class(first):
        share = _mean_share([_without_class(model)[metric] for model in models], 0)
        yield row_of(metric, share, run, runs=seeds)


def _without_class(model: Model) -> dict[str, Shares]:
    """The shares of images (K = 1) that some arms leave out, by metric."""
    return {"undecidable_share": model.undecidable, "failed_share": model.failed}


def _mean_share(found: Sequence[Shares], k: int) -> Estimate:
    """Share of class k over runs; NaN if one of them has none."""
    values = np.array([shares.values[k] for shares in found])
    draws = np.stack([shares.draws[:, k] for shares in found])
    n = sum(shares.n for shares in found)
    if np.isnan(values).any():
        return Estimate(np.nan, np.nan, np.nan, n)
    return share_over_seeds(values, draws, n)


def _trained(model: Model, k: int, name: str) -> Row:
    keys = {"metric": "share_train", "class": name, **model.run._asdict()}
    return keys | {"value": float(model.trained[k])}


def _share_rows(share: Estimate, model: Model, k: int, name: str, arm: str) -> Iterator[Row]:
    """A share in an arm, and what is made of it."""
    trained, run = float(model.trained[k]), model.run
    yield row_of(ARMS[arm].share, share, run, name)
    if not 0 < trained < 1:
        return
    if share.n:
        value, lower, upper = log_odds(np.array(share[:3]), share.n) - logit(trained)
        shift = Estimate(value, lower, upper, share.n)
        yield row_of(in_arm("log_odds_shift", arm), shift, run, name)
    if not arm:
        value, lower, upper = (limit / trained for limit in share[:3])
        recall = Estimate(value, lower, upper, share.n)
        yield row_of("recall", recall, run, name)


def _transition_rows(models: Sequence[Model], classes: Sequence[str]) -> Iterator[Row]:
    """From the shallowest architecture of each series to every deeper one, image by image."""
    for group in by_series(models).values():
        reference, *deeper = sorted(group, key=depth_of)
        for model in deeper:
            _check_same_noise(reference.classified, model.classified)
            table = transition_counts(
                reference.classified.labels, model.classified.labels, len(classes)
            )
            for before, after in np.ndindex(table.shape):
                name = f"{classes[before]}->{classes[after]}"
                share = wilson(int(table[before, after]), model.n)
                yield row_of("transition", share, model.run, name)
            test = Estimate(equal_margins(table), np.nan, np.nan, model.n)
            yield row_of("transition_p", test, model.run)


def _check_same_noise(first: Classified, second: Classified) -> None:
    if not same_noise(first, second):
        run = first.run
        raise UserError(
            f"{run.architecture} and {second.run.architecture} "
            f"({run.ratio}, seed {run.seed}, {run.sampler}): "
            "not sampled from the same noise: sample and classify them again"
        )
