"""Attacks on membership as tidy rows: of runs, over seeds, over depth. Defined in docs/metrics.md.

Every attack takes one call of the denoiser: `loss` the error of a noisy image, `sima` the size of
the noise that is found in the clean image (SimA, arXiv 2509.25003).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import ndtri

from depthbias.estimates.intervals import QUANTILES, Estimate, share_over_seeds, stream
from depthbias.estimates.measurements import DRAWS
from depthbias.estimates.runs import ALL, Run
from depthbias.estimates.slopes import least_squares_slope
from depthbias.measures.denoising_errors import DenoisingErrors
from depthbias.measures.denoising_rows import ImageWeights
from depthbias.measures.membership import Side, auc, placements, side, true_positives
from depthbias.measures.rows import Row, by_series, depth_of, grouped, row_of

ATTACKS = ("loss", "sima")


@dataclass(frozen=True)
class Found:
    """A metric of one run, and its draws [B]; class_name: "" for all; sigma: None for all levels.

    Draws share the random weights of images that models share, so models are compared in pairs.
    """

    run: Run
    metric: str
    estimate: Estimate
    draws: np.ndarray
    class_name: str
    sigma: float | None


@dataclass(frozen=True)
class Attack:
    """The scores of one attack on a run: members [L + 1, m], non-members [L + 1, n].

    A row for each noise level, then one over all levels.
    """

    name: str
    members: np.ndarray
    others: np.ndarray


def attacks_of(errors: DenoisingErrors) -> list[Attack]:
    """Both attacks. Over all levels: EDM's weighted loss, and the mean size of the noise found."""
    levels = {
        "loss": errors.level_weights,
        "sima": np.full(len(errors.sigmas), 1 / len(errors.sigmas)),
    }
    values = {
        "loss": (errors.training_errors, errors.heldout_errors),
        "sima": (errors.training_residuals, errors.heldout_residuals),
    }
    return [
        Attack(name, *(-np.vstack([found, levels[name] @ found]) for found in values[name]))
        for name in ATTACKS
    ]


def membership_rows(runs: Sequence[DenoisingErrors]) -> Iterator[Row]:
    """All rows of a study's models, in the order of the runs."""
    found = [one for run in runs for one in found_of(run)]
    for one in found:
        yield _row(one, one.estimate, one.run, 1)
    for alike in _by_place(found):
        for group in grouped(alike, "ratio", "architecture"):
            values, draws = _stacked(group)
            estimate = share_over_seeds(values, draws, sum(one.estimate.n for one in group))
            yield _row(group[0], estimate, group[0].run._replace(seed=ALL), len(group))
        if alike[0].sigma is None and not alike[0].class_name:
            for group in grouped(alike, "ratio"):
                yield from _trends(group)


def found_of(errors: DenoisingErrors) -> Iterator[Found]:
    """AUC and true-positive share of both attacks: over all classes and of each, at every level.

    A class with fewer than two images on a side has no row.
    """
    attacks, sigmas = attacks_of(errors), [*map(float, errors.sigmas), None]
    for one, attack, (place, sigma) in product(compared(errors), attacks, enumerate(sigmas)):
        scores = attack.members[place, one.rows[0]], attack.others[place, one.rows[1]]
        area, share = auc(*scores, one.sides), true_positives(*scores, one.sides)
        draws = area.value + one.moved(placements(*scores, one.sides))
        if area.value in (0, 1):  # no image differs from the others, so resampling tells nothing
            draws = _draws_within(area)
        for metric, estimate, resampled in (
            ("attack_auc", area, draws),
            ("attack_tpr", share, _draws_within(share)),
        ):
            name = f"{metric}:{attack.name}"
            yield Found(errors.run, name, estimate, resampled, one.class_name, sigma)


@dataclass(frozen=True)
class Compared:
    """Members and non-members of one class, or of all (""): which images, and how much they count.

    rows: int [m] and [n]; draws: their weights resampled, [B, m] and [B, n].
    """

    class_name: str
    rows: tuple[np.ndarray, np.ndarray]
    sides: tuple[Side, Side]
    draws: tuple[np.ndarray, np.ndarray]

    def moved(self, values: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """How far the sum of the weighted means of values [m] and [n] moves in every draw, [B]."""
        parts = zip(self.draws, self.sides, values, strict=True)
        return np.sum([(drawn - own.weights) @ value for drawn, own, value in parts], axis=0)


def compared(errors: DenoisingErrors) -> Iterator[Compared]:
    """All classes together, then each with two images or more on both sides."""
    labels = errors.training_labels, errors.heldout_labels
    keys = ("training", errors.run.ratio, errors.run.seed), ("held-out",)
    proportions = [errors.proportions, *np.eye(len(errors.classes))]
    for name, wanted in zip(("", *errors.classes), proportions, strict=True):
        first, second = (np.flatnonzero(wanted[own] > 0) for own in labels)
        if min(len(first), len(second)) < 2:
            continue
        members, others = (
            ImageWeights(own, wanted, *key) for own, key in zip(labels, keys, strict=True)
        )
        yield Compared(
            name,
            (first, second),
            (side(labels[0][first], wanted), side(labels[1][second], wanted)),
            (members.draws[:, first], others.draws[:, second]),
        )


def _draws_within(estimate: Estimate) -> np.ndarray:
    """Draws [B] of a share that have its limits; alike for all models, as held-out images are."""
    value, lower, upper, _ = estimate
    normal = stream("membership").standard_normal(DRAWS)
    reach = np.where(normal > 0, upper - value, value - lower) / ndtri(QUANTILES[1])
    return np.clip(value + normal * reach, 0, 1)


def _by_place(found: Iterable[Found]) -> Iterator[list[Found]]:
    """Those of the same metric, class and noise level."""
    groups = defaultdict(list)
    for one in found:
        groups[one.metric, one.class_name, one.sigma].append(one)
    yield from groups.values()


def _stacked(group: Sequence[Found]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([one.estimate.value for one in group]), np.stack([one.draws for one in group])


def _trends(group: Sequence[Found]) -> Iterator[Row]:
    """Slope of the AUC on depth in each series, for one ratio."""
    metric, _, attack = group[0].metric.partition(":")
    if metric != "attack_auc":
        return
    for series, members in by_series(group).items():
        depths = np.array([depth_of(one) for one in members])
        slope = least_squares_slope(depths, *_stacked(members))
        run = members[0].run._replace(architecture=series, seed=ALL)
        yield row_of(f"attack_auc_per_depth:{attack}", slope, run, runs=len(members))


def _row(one: Found, estimate: Estimate, run: Run, runs: int) -> Row:
    return row_of(one.metric, estimate, run, one.class_name, runs) | {"sigma": one.sigma}
