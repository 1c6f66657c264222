"""Everything that is measured about the class proportions of a study's models, as tidy rows.

Metrics are defined in docs/metrics.md, intervals in docs/statistics.md.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logit

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.intervals import (
    Estimate,
    draw_shares,
    from_draws,
    over_seeds,
    share_over_seeds,
    wilson,
)
from depthbias.estimates.runs import ALL, Run
from depthbias.measures.amplification import depth_trend, kappa
from depthbias.measures.class_shares import Instrument, log_odds
from depthbias.measures.samples import Classified, same_noise
from depthbias.measures.transitions import equal_margins, transition_counts
from depthbias.system.errors import UserError

Row = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """A run with its shares: values [K] and resampled values [B, K] by metric."""

    classified: Classified
    values: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]

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


def measure(classified: Classified, instrument: Instrument) -> Model:
    """The shares of one run, raw, corrected and decided, and its undecidable share."""
    key, flags = classified.run.key, classified.decided
    counts, decided = classified.counts(), classified.counts(flags)
    corrected, raw, redrawn = instrument.correct(counts, *key)
    open_or_not = np.array([np.count_nonzero(~flags), np.count_nonzero(flags)])
    with np.errstate(invalid="ignore"):  # no image decided: no share
        values = {
            "share_raw": counts / counts.sum(),
            "share_corrected": corrected,
            "share_decided": decided / decided.sum(),
            "undecidable_share": open_or_not[:1] / counts.sum(),
        }
    names = instrument.classes
    draws = {
        "share_raw": raw,
        "share_corrected": redrawn,
        "share_decided": draw_shares(decided, len(raw), names, "decided", *key),
        "undecidable_share": draw_shares(open_or_not, len(raw), ["open", "decided"], *key)[:, :1],
    }
    return Model(classified, values, draws)


def bias_rows(runs: Sequence[Classified], instrument: Instrument) -> Iterator[Row]:
    """All rows of a study's models, in the order of the runs."""
    models = [measure(run, instrument) for run in runs]
    for model in models:
        yield from _run_rows(model, instrument.classes)
    for group in _grouped(models, "ratio", "architecture", "sampler"):
        yield from _seed_rows(group, instrument.classes)
    for group in _grouped(models, "architecture", "sampler"):
        yield from _kappa_rows(group, instrument.classes)
    for group in _grouped(models, "ratio", "sampler"):
        yield from _trend_rows(group, instrument.classes)
    for group in _grouped(models, "ratio", "seed", "sampler"):
        yield from _transition_rows(group, instrument.classes)
    for group in _grouped(models, "ratio", "architecture"):
        yield from _sampler_rows(group, instrument.classes)


def _row(metric: str, estimate: Estimate, class_name: str = "", **keys: str) -> Row:
    return {"metric": metric, "class": class_name, **keys, **estimate._asdict()}


def _grouped(models: Iterable[Model], *names: str) -> list[list[Model]]:
    """Models that agree in the named keys, in the order of their first."""
    groups = defaultdict(list)
    for model in models:
        groups[tuple(getattr(model.run, name) for name in names)].append(model)
    return list(groups.values())


def _by_series(models: Iterable[Model]) -> dict[str, list[Model]]:
    """Models of each series that has several depths; networks without depth belong to none."""
    groups = defaultdict(list)
    for model in models:
        if _depth(model):
            groups[get_architecture(model.run.architecture).series].append(model)
    return {series: group for series, group in groups.items() if len(set(map(_depth, group))) > 1}


def _depth(model: Model) -> int:
    """Of the architecture; 0 where it has none."""
    return get_architecture(model.run.architecture).depth or 0


def _keys(model: Model, **changed: str) -> dict[str, str]:
    return model.run._asdict() | changed


def _recall(share: Estimate, trained: float) -> Estimate:
    value, lower, upper = (limit / trained for limit in share[:3])
    return Estimate(value, lower, upper, share.n)


def _run_rows(model: Model, classes: Sequence[str]) -> Iterator[Row]:
    """The shares of one run with the errors of its images and of the confusion matrix."""
    run, n, keys = model.classified, model.n, _keys(model)
    decided = run.counts(run.decided)
    for k, name in enumerate(classes):
        trained = float(run.trained[k])
        share = from_draws(
            model.values["share_corrected"][k], model.draws["share_corrected"][:, k], n
        )
        yield {"metric": "share_train", "class": name, **keys, "value": trained}
        yield _row("share_raw", wilson(int(run.counts()[k]), n), name, **keys)
        yield _row("share_corrected", share, name, **keys)
        yield _row("share_decided", wilson(int(decided[k]), int(decided.sum())), name, **keys)
        if 0 < trained < 1:
            value, lower, upper = log_odds(np.array(share[:3]), n) - logit(trained)
            yield _row("log_odds_shift", Estimate(value, lower, upper, n), name, **keys)
            yield _row("recall", _recall(share, trained), name, **keys)
    open_share = wilson(int(np.count_nonzero(~run.decided)), n)
    yield _row("undecidable_share", open_share, **keys)


def _log_odds(model: Model, k: int) -> tuple[float, np.ndarray]:
    """Log-odds of the corrected share of class k, and its draws [B]."""
    value = float(log_odds(model.values["share_corrected"][k], model.n))
    return value, log_odds(model.draws["share_corrected"][:, k], model.n)


def _stacked(pairs: Iterable[tuple[float, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    values, draws = zip(*pairs, strict=True)
    return np.array(values), np.stack(draws)


def _seed_rows(models: Sequence[Model], classes: Sequence[str]) -> Iterator[Row]:
    """The same over the seeds of one ratio, architecture and sampler."""
    keys, n = _keys(models[0], seed=ALL), sum(model.n for model in models)

    def share(metric: str, k: int) -> Estimate:
        pairs = [(float(model.values[metric][k]), model.draws[metric][:, k]) for model in models]
        return share_over_seeds(*_stacked(pairs), n)

    for k, name in enumerate(classes):
        trained = float(np.mean([model.trained[k] for model in models]))
        yield {"metric": "share_train", "class": name, **keys, "value": trained}
        for metric in ("share_raw", "share_corrected", "share_decided"):
            yield _row(metric, share(metric, k), name, **keys)
        if 0 < trained < 1:
            values, draws = _stacked(_log_odds(model, k) for model in models)
            shift = over_seeds(values - logit(trained), draws - logit(trained), n)
            yield _row("log_odds_shift", shift, name, **keys)
            yield _row("recall", _recall(share("share_corrected", k), trained), name, **keys)
    yield _row("undecidable_share", share("undecidable_share", 0), **keys)


def _kappa_rows(models: Sequence[Model], classes: Sequence[str]) -> Iterator[Row]:
    """Amplification exponent of one architecture and sampler, for each seed and over seeds."""
    for k, name in enumerate(classes):
        usable = [model for model in models if 0 < model.trained[k] < 1]
        pairs, used = [], 0
        for group in _grouped(usable, "seed"):
            trained = np.array([model.trained[k] for model in group])
            if len(np.unique(trained)) < 2:
                continue
            n = min(model.n for model in group)
            values = np.array([model.values["share_corrected"][k] for model in group])
            drawn = np.stack([model.draws["share_corrected"][:, k] for model in group], axis=1)
            slope, draws = float(kappa(trained, values, n)), kappa(trained, drawn, n)
            pairs.append((slope, draws))
            used += len(group)
            estimate = from_draws(slope, draws, len(group))
            yield _row("kappa", estimate, name, **_keys(group[0], ratio=ALL))
        if pairs:
            estimate = over_seeds(*_stacked(pairs), used)
            yield _row("kappa", estimate, name, **_keys(models[0], ratio=ALL, seed=ALL))


def _trend_rows(models: Sequence[Model], classes: Sequence[str]) -> Iterator[Row]:
    """Slope of the log-odds shift on depth of each series, for one ratio and sampler."""
    for series, group in _by_series(models).items():
        depths = np.array([_depth(model) for model in group], dtype=float)
        sizes = np.array([model.n for model in group])
        for k, name in enumerate(classes):
            trained = np.array([model.trained[k] for model in group])
            if not ((trained > 0) & (trained < 1)).all():
                continue
            shares = np.array([model.values["share_corrected"][k] for model in group])
            draws = np.stack([model.draws["share_corrected"][:, k] for model in group], axis=1)
            slope = depth_trend(depths, trained, shares, draws, sizes)
            keys = _keys(group[0], architecture=series, seed=ALL)
            yield _row("log_odds_shift_per_depth", slope, name, **keys)


def _transition_rows(models: Sequence[Model], classes: Sequence[str]) -> Iterator[Row]:
    """From the shallowest architecture of each series to every deeper one, image by image."""
    for group in _by_series(models).values():
        reference, *deeper = sorted(group, key=_depth)
        for model in deeper:
            _check_same_noise(reference.classified, model.classified)
            table = transition_counts(
                reference.classified.labels, model.classified.labels, len(classes)
            )
            keys = _keys(model)
            for before, after in np.ndindex(table.shape):
                name = f"{classes[before]}->{classes[after]}"
                yield _row("transition", wilson(int(table[before, after]), model.n), name, **keys)
            test = Estimate(equal_margins(table), np.nan, np.nan, model.n)
            yield _row("transition_p", test, **keys)


def _check_same_noise(first: Classified, second: Classified) -> None:
    if not same_noise(first, second):
        run = first.run
        raise UserError(
            f"{run.architecture} and {second.run.architecture} "
            f"({run.ratio}, seed {run.seed}, {run.sampler}): "
            "not sampled from the same noise: sample and classify them again"
        )


def _sampler_rows(models: Sequence[Model], classes: Sequence[str]) -> Iterator[Row]:
    """Log-odds of every other sampler minus those of the first, model by model, over seeds."""
    first, *others = _grouped(models, "sampler")
    by_seed = {model.run.seed: model for model in first}
    for group in others:
        paired = [model for model in group if model.run.seed in by_seed]
        if not paired:
            continue
        n = sum(model.n for model in paired)
        for k, name in enumerate(classes):
            differences = []
            for model in paired:
                value, draws = _log_odds(model, k)
                base, base_draws = _log_odds(by_seed[model.run.seed], k)
                differences.append((value - base, draws - base_draws))
            estimate = over_seeds(*_stacked(differences), n)
            yield _row("log_odds_sampler_difference", estimate, name, **_keys(group[0], seed=ALL))
