"""Phase diagrams: from how many points a class are the subspaces of MoLRG recovered?

[SIAM], Fig. 4. A trial has one set of subspaces and nested sets of points: the first N of each
class. All trials and all N of one (K, d) are one tensor program.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from depthbias.theory.molrg import check_dimensions, draw_bases, draw_points, posterior_mean
from depthbias.theory.recovery import (
    TIED,
    balanced_labels,
    bases_of,
    k_subspaces,
    principal_basis,
    projector_error,
    spectral_labels,
)
from depthbias.theory.subspace_denoiser import SIGMAS, denoising_loss, learn_bases

LEARNED_STARTS = 3  # of a denoiser: the most expensive ones
NEW_POINTS = 200  # of each class, at which a learned denoiser is compared


class Grid(NamedTuple):
    """Which cells: subspace dimensions d, points a class 1..points, in a space of n dimensions."""

    space: int
    dimensions: Sequence[int]
    points: int
    trials: int
    starts: int  # of K-subspaces: spectral clustering, the others random
    seed: int


class Phase(NamedTuple):
    """Errors [N, T] of one method: projectors for N = 1.. points; `denoising` where it denoises.

    denoising: |D - D*|^2 / |D*|^2 at new points, D* the posterior mean.
    """

    method: str
    classes: int
    dimension: int
    error: np.ndarray
    denoising: np.ndarray | None = None


class Sample(NamedTuple):
    """Subspaces of T trials [T, K, n, d], and their points [T, K, points, n]."""

    bases: Tensor
    points: Tensor

    def first(self, count: int) -> Tensor:
        """[T, K count, n]: the first points of each class."""
        return self.points[:, :, :count].flatten(1, 2)


def measure_phases(
    grid: Grid, classes: Sequence[int], done: Callable[[int], object] = lambda cells: None
) -> Iterator[Phase]:
    """Every method on every (K, d); `done` is called after each, with how many are done.

    UserError if subspaces do not fit into the space.
    """
    cells = list(product(classes, grid.dimensions))
    for count, dimension in cells:
        check_dimensions(grid.space, [dimension] * count)
    for number, (count, dimension) in enumerate(cells, start=1):
        yield from _methods(grid, count, dimension)
        done(number)


def _methods(grid: Grid, classes: int, dimension: int) -> Iterator[Phase]:
    seed = int(np.random.SeedSequence([grid.seed, classes, dimension]).generate_state(1)[0])
    generator = torch.Generator().manual_seed(seed)
    bases = draw_bases(grid.trials, grid.space, [dimension] * classes, generator)
    sample = Sample(bases, draw_points(bases, grid.points, generator))
    if classes == 1:
        found = [principal_basis(sample.first(n)[:, None], dimension) for n in grid_counts(grid)]
        yield Phase("pca", 1, dimension, _errors(found, bases))
        random = torch.randn(
            grid.points * grid.trials, 1, grid.space, dimension, generator=generator
        )
        yield _learned(sample, random.double(), generator)
        return
    labels = [_labels(sample.first(n), classes, grid.starts, generator) for n in grid_counts(grid)]
    spectral = [
        bases_of(sample.first(n), start[:, 0], classes, dimension)
        for n, start in enumerate(labels, start=1)
    ]
    yield Phase("spectral", classes, dimension, _errors(spectral, bases))
    errors = [_all_best(sample, n, start) for n, start in enumerate(labels, start=1)]
    yield Phase("k-subspaces", classes, dimension, torch.stack(errors).numpy())
    starts = [
        bases_of(
            sample.first(n).repeat_interleave(LEARNED_STARTS, 0),
            start[:, :LEARNED_STARTS].flatten(0, 1),
            classes,
            dimension,
        )
        for n, start in enumerate(labels, start=1)
    ]
    yield _learned(sample, torch.cat(starts), generator)


def grid_counts(grid: Grid) -> range:
    """Points of each class: 1 and up."""
    return range(1, grid.points + 1)


def _errors(found: Sequence[Tensor], true: Tensor) -> np.ndarray:
    return torch.stack([projector_error(bases, true) for bases in found]).numpy()


def _labels(points: Tensor, classes: int, starts: int, generator: torch.Generator) -> Tensor:
    """[T, starts, M]: spectral clustering first, then random ones."""
    trials, count, _ = points.shape
    random = [balanced_labels(trials, count, classes, generator) for _ in range(starts - 1)]
    return torch.stack([spectral_labels(points, classes), *random], dim=1)


def _all_best(sample: Sample, count: int, starts: Tensor) -> Tensor:
    """[T]: the largest error among the fits that are as good as the best of all starts.

    Fewer points than d + 1 a class leave several exact fits, and nothing says which is true.
    """
    classes, dimension = sample.bases.shape[1], sample.bases.shape[-1]
    each = starts.shape[1]
    points = sample.first(count).repeat_interleave(each, 0)
    labels, outside = k_subspaces(points, starts.flatten(0, 1), classes, dimension)
    found = bases_of(points, labels, classes, dimension)
    error = projector_error(found, sample.bases.repeat_interleave(each, 0)).view(-1, each)
    outside = outside.view(-1, each)
    best = outside <= outside.amin(1, keepdim=True) + TIED
    return error.where(best, torch.zeros_like(error)).amax(1)


def _learned(sample: Sample, starts: Tensor, generator: torch.Generator) -> Phase:
    """The denoiser with the lowest loss of its starts [points T S, K, n, d], for every N."""
    trials, classes, most, _ = sample.points.shape
    each = len(starts) // (most * trials)
    padded = [pad(sample.first(n), (0, 0, 0, classes * (most - n))) for n in range(1, most + 1)]
    points = torch.cat(padded).repeat_interleave(each, 0)
    counts = classes * torch.arange(1, most + 1).repeat_interleave(trials * each)
    learned = learn_bases(points, counts, starts, generator)
    loss = denoising_loss(points, counts, learned, generator).view(-1, each)
    best = learned.view(-1, each, *learned.shape[1:])[torch.arange(len(loss)), loss.argmin(1)]
    best = best.view(most, trials, *best.shape[1:])
    errors = _errors(list(best), sample.bases)
    new = draw_points(sample.bases, NEW_POINTS, generator).flatten(1, 2)
    noise = torch.randn(new.shape, generator=generator, dtype=new.dtype)
    noisy = new + SIGMAS[1] * noise
    optimal = posterior_mean(noisy, SIGMAS[1], sample.bases)
    gaps = [
        (posterior_mean(noisy, SIGMAS[1], bases) - optimal).square().sum((1, 2)) for bases in best
    ]
    denoising = (torch.stack(gaps) / optimal.square().sum((1, 2))).numpy()
    return Phase("denoiser", classes, sample.bases.shape[-1], errors, denoising)
