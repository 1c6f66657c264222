"""Losses, and what each stage of a U-Net is worth, as tidy rows: of runs, over seeds, over depth.

Metrics are defined in docs/denoising.md. Draws are those of one Bayesian bootstrap of the images
(Rubin, Ann. Stat. 9:130, 1981): a held-out image has one weight in all models, so they are
compared image by image; a training image has one in all models of its ratio and seed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.intervals import Estimate, from_draws, over_seeds, stream
from depthbias.estimates.measurements import DRAWS
from depthbias.estimates.runs import ALL, REAL, Run
from depthbias.estimates.slopes import least_squares_slope
from depthbias.estimates.stratified import stratified
from depthbias.measures.denoising_errors import DenoisingErrors, read_denoising_errors
from depthbias.measures.rows import Row, by_series, depth_of, grouped, row_of
from depthbias.system.errors import UserError

DEPTH_LEVELS = (0.1, 20.0)  # noise levels at which a stage has to be worth something
FREE = 1.01  # a cut model whose loss is at most this often that of the whole one costs nothing
TRENDS = ("heldout_loss", "training_loss", "loss_gap", "stage_cost", "effective_depth")


@dataclass(frozen=True)
class Quantity:
    """A number about one run, and its draws [B]; n: images it rests on.

    k: stages kept, 0 where there is nothing to cut; sigma: the noise level, None where the number
    is over all of them.
    """

    run: Run
    metric: str
    value: float
    draws: np.ndarray
    n: int
    k: int = 0
    sigma: float | None = None

    @property
    def place(self) -> tuple[str, int, float | None]:
        """What it is, whatever the run."""
        return self.metric, self.k, self.sigma


def read_all(paths: Iterable[Path], study: str | None = None) -> list[DenoisingErrors]:
    """Runs in the order of their files; UserError for one that cannot be compared with the rest."""
    found: list[DenoisingErrors] = []
    for path in paths:
        errors = read_denoising_errors(path, study)
        first = found[0] if found else errors
        for name, words in (
            ("sigmas", "at other noise levels"),
            ("heldout_rows", "on other held-out images"),
            ("noise_seed", "with other noise"),
        ):
            if not np.array_equal(getattr(errors, name), getattr(first, name)):
                raise UserError(f"{path}: measured {words} than the rest: measure again")
        found.append(errors)
    return found


def denoising_rows(runs: Sequence[DenoisingErrors]) -> Iterator[Row]:
    """All rows of a study's models, in the order of the runs."""
    quantities = [quantity for run in runs for quantity in quantities_of(run)]
    for one in quantities:
        yield _row(one, from_draws(one.value, one.draws, one.n), one.run, 1)
    yield from _constant_rows(runs)
    for alike in _by_place(quantities):
        for group in grouped(alike, "ratio", "architecture"):
            values, draws = _stacked(group)
            estimate = over_seeds(values, draws, sum(one.n for one in group))
            yield _row(group[0], estimate, group[0].run._replace(seed=ALL), len(group))
        if alike[0].metric in TRENDS and alike[0].sigma is None:
            for group in grouped(alike, "ratio"):
                yield from _trends(group)


def quantities_of(errors: DenoisingErrors) -> list[Quantity]:
    """Everything that is measured about one run."""
    heldout = ImageWeights(errors.heldout_labels, errors.proportions, "held-out")
    key = (errors.run.ratio, errors.run.seed)
    training = ImageWeights(errors.training_labels, errors.proportions, "training", *key)
    own, own_draws = heldout.mean(errors.heldout_errors)
    trained, trained_draws = training.mean(errors.training_errors)
    m, n = len(heldout.value), len(training.value)
    found: list[Quantity] = []
    for metric, value, draws, images in (
        ("heldout_loss", own, own_draws, m),
        ("training_loss", trained, trained_draws, n),
        ("loss_gap", trained - own, trained_draws - own_draws, m + n),
    ):
        for place, sigma in enumerate(errors.sigmas):
            one = Quantity(errors.run, metric, value[place], draws[:, place], images)
            found.append(_at(one, sigma=float(sigma)))
        w = errors.level_weights
        found.append(Quantity(errors.run, metric, float(w @ value), draws @ w, images))
    return found + _cuts(errors, heldout, own, own_draws)


def _cuts(
    errors: DenoisingErrors, heldout: "ImageWeights", own: np.ndarray, own_draws: np.ndarray
) -> list[Quantity]:
    """What the deepest stages are worth, and the effective depth; nothing without stages."""
    if not get_architecture(errors.run.architecture).stages:
        return []
    low, high = DEPTH_LEVELS
    counted = (errors.sigmas >= low) & (errors.sigmas <= high)
    found, worst, worst_draws = [], [], []
    for k, cut in enumerate(errors.cut_errors, start=1):
        value, draws = heldout.mean(cut)
        costs, cost_draws = value / own, draws / own_draws
        for place, sigma in enumerate(errors.sigmas):
            one = Quantity(errors.run, "stage_cost", costs[place], cost_draws[:, place], len(cut.T))
            found.append(_at(one, k=k, sigma=float(sigma)))
        worst.append(float(costs[counted].max()))
        worst_draws.append(cost_draws[:, counted].max(axis=1))
        one = Quantity(errors.run, "stage_cost", worst[-1], worst_draws[-1], len(cut.T))
        found.append(_at(one, k=k))
    depth = float(effective_depth(np.array(worst)))
    draws = effective_depth(np.stack(worst_draws)).astype(float)
    n = len(heldout.value)
    return [*found, Quantity(errors.run, "effective_depth", depth, draws, n)]


def effective_depth(costs: np.ndarray) -> np.ndarray:
    """The fewest stages that do as well as all S: int [...].

    costs: [S - 1, ...], the largest cost of keeping 1, 2 ... S - 1 stages.
    """
    enough = np.concatenate([costs <= FREE, np.ones((1, *costs.shape[1:]), dtype=bool)])
    depth: np.ndarray = enough.argmax(axis=0) + 1
    return depth


class ImageWeights:
    """Weights of images that give every class its proportion: value [N], and draws [DRAWS, N].

    labels: int [N]; proportions: [K]; `key` names the draws, alike for images that models share.
    """

    def __init__(self, labels: np.ndarray, proportions: np.ndarray, *key: str) -> None:
        self.value = stratified(labels, proportions)
        random = stream("images", *key).standard_exponential((DRAWS, len(labels)))
        for k in np.unique(labels):
            own = random[:, labels == k]
            share = self.value[labels == k].sum()
            random[:, labels == k] = share * own / own.sum(axis=1, keepdims=True)
        self.draws = random

    def mean(self, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means [L] of errors [L, N], and their draws [B, L]."""
        return errors @ self.value, self.draws @ errors.T


def _at(one: Quantity, **place: float) -> Quantity:
    return Quantity(**vars(one) | place)


def _by_place(quantities: Iterable[Quantity]) -> Iterator[list[Quantity]]:
    """Those of the same metric, k and noise level."""
    groups = defaultdict(list)
    for one in quantities:
        groups[one.place].append(one)
    yield from groups.values()


def _stacked(group: Sequence[Quantity]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([one.value for one in group]), np.stack([one.draws for one in group])


def _trends(group: Sequence[Quantity]) -> Iterator[Row]:
    """Slope on depth in each series, for one ratio."""
    for series, members in by_series(group).items():
        depths = np.array([depth_of(one) for one in members], dtype=float)
        slope = least_squares_slope(depths, *_stacked(members))
        run = members[0].run._replace(architecture=series, seed=ALL)
        row = row_of(f"{members[0].metric}_per_depth", slope, run, runs=len(members))
        yield row | {"k": members[0].k or None}


def _row(one: Quantity, estimate: Estimate, run: Run, runs: int) -> Row:
    """The row of an estimate, its interval cut where the quantity ends."""
    low, high = 0.0, np.inf
    if one.metric == "loss_gap":
        low = -np.inf
    if one.metric == "effective_depth":
        low, high = 1.0, float(get_architecture(run.architecture).stages)
    lower, upper = (float(np.clip(end, low, high)) for end in estimate[1:3])
    row = row_of(one.metric, estimate._replace(lower=lower, upper=upper), run, runs=runs)
    return row | {"k": one.k or None, "sigma": one.sigma}


def _constant_rows(runs: Sequence[DenoisingErrors]) -> Iterator[Row]:
    """The loss of the best constant denoiser, for every training subset and over seeds."""
    found = []
    for group in grouped(runs, "ratio", "seed"):
        first = group[0]
        weights = ImageWeights(first.heldout_labels, first.proportions, "held-out")
        [value], draws = weights.mean(first.constant_errors[None])
        run = first.run._replace(architecture=REAL)
        found.append(Quantity(run, "constant_loss", value, draws[:, 0], len(weights.value)))
    for one in found:
        yield _row(one, from_draws(one.value, one.draws, one.n), one.run, 1)
    for alike in grouped(found, "ratio"):
        estimate = over_seeds(*_stacked(alike), sum(one.n for one in alike))
        yield _row(alike[0], estimate, alike[0].run._replace(seed=ALL), len(alike))
