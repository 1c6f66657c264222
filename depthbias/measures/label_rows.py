"""Class shares by labels that a person gave to a few generated images, as tidy rows.

A stratum is what the classifier puts into one class. Within it the prediction is a constant, so the
prediction-powered estimate (arXiv 2301.09633; by strata 2406.04291), mean prediction of all images
plus mean error on the labelled ones, is the labelled share for any weight of the prediction. Its
sum over strata, weighted by the classified shares, needs no other formula.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.special import logit

from depthbias.data.subsets import Subset, subset_of
from depthbias.estimates.intervals import Estimate, draw_shares, from_draws, share_over_seeds
from depthbias.estimates.noise_bootstrap import NoiseBootstrap
from depthbias.estimates.runs import ALL, Run
from depthbias.measures.arms import Shares, shares_of
from depthbias.measures.class_shares import log_odds
from depthbias.measures.label_sheet import NEITHER, answers
from depthbias.measures.rows import Row, grouped, row_of
from depthbias.measures.samples import Classes
from depthbias.system.errors import UserError

Counts = Mapping[tuple[str, str, int], np.ndarray]


def label_rows(
    path: Path,
    models: Sequence[Classes],
    counts: Counts,
    subsets: Sequence[Subset],
    draws: int,
) -> Iterator[Row]:
    """Shares by hand of every ratio and architecture of which an image is labelled.

    path: of the labels; counts: as `label_sheet.counts_of` gives them.
    """
    bootstrap = NoiseBootstrap(draws)
    for group in grouped(models, "ratio", "architecture"):
        first = group[0]
        key = first.run.ratio, first.run.architecture
        strata = {k: counts[*key, k] for k in range(len(first.classes)) if (*key, k) in counts}
        if not strata:
            continue
        for k in range(len(first.classes)):
            if k not in strata and any((model.labels == k).any() for model in group):
                raise UserError(
                    f"{path}: no label of {first.run.architecture}, {first.run.ratio} among the "
                    f"images taken for {first.classes[k]}: label more of the sheet"
                )
        trained = subset_of(subsets, first.path, first.run.ratio, first.run.seed).proportions
        by_hand = _by_hand(group, strata, bootstrap)
        for model, shares in zip(group, by_hand, strict=True):
            yield from _share_rows([shares], model.run, first.classes, trained)
        run = first.run._replace(seed=ALL)
        yield from _share_rows(by_hand, run, first.classes, trained)


def _by_hand(
    group: Sequence[Classes], strata: Mapping[int, np.ndarray], bootstrap: NoiseBootstrap
) -> list[Shares]:
    """Of each model the share of every answer, K + 1, by the labels of all of them."""
    run, classes = group[0].run, group[0].classes
    said = answers(classes)
    labelled = {k: own / own.sum() for k, own in strata.items()}
    drawn = {
        k: draw_shares(
            own, bootstrap.draws, said, "labels", run.ratio, run.architecture, classes[k]
        )
        for k, own in strata.items()
    }
    found = []
    for model in group:
        parts = {name: model.labels == k for k, name in enumerate(classes)}
        raw = shares_of({"all": parts}, model.run, model.noise, bootstrap)["all"]
        values = sum(raw.values[k] * labelled[k] for k in strata)
        resampled = sum(raw.draws[:, [k]] * drawn[k] for k in strata)
        found.append(Shares(np.asarray(values), np.asarray(resampled), raw.n))
    return found


def _share_rows(
    found: Sequence[Shares], run: Run, classes: Sequence[str], trained: np.ndarray
) -> Iterator[Row]:
    """The shares of all images, and of those that are of a class, of one run or over seeds."""
    values = np.stack([shares.values for shares in found])
    draws = np.stack([shares.draws for shares in found])
    n = sum(shares.n for shares in found)

    def share(values: np.ndarray, draws: np.ndarray) -> Estimate:
        if run.seed == ALL:
            return share_over_seeds(values, draws, n)
        return from_draws(values[0], draws[0], n)

    for k, name in enumerate((*classes, NEITHER)):
        estimate = share(values[:, k], draws[:, :, k])
        yield row_of("share_by_hand", estimate, run, name, len(found))
    if (values[:, -1] == 1).any():
        return  # a model of whose images none is of a class
    for k, name in enumerate(classes):
        decided = share(values[:, k] / (1 - values[:, -1]), draws[:, :, k] / (1 - draws[:, :, -1]))
        yield row_of("share_by_hand_decided", decided, run, name, len(found))
        if 0 < trained[k] < 1:
            value, lower, upper = log_odds(np.array(decided[:3]), n) - logit(trained[k])
            shift = Estimate(float(value), float(lower), float(upper), n)
            yield row_of("log_odds_shift_by_hand", shift, run, name, len(found))
