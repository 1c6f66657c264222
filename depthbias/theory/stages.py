"""Into which stages do noise levels fall? ([SIAM] reference 9)"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.noise import noisy_batches
from depthbias.system.errors import UserError

CLOSE = 2 * 2 / 256  # two pixel values that count as equal, where images span -1 to 1


def similarities(denoiser: Denoiser, images: Tensor, levels: Sequence[float], seed: int) -> Tensor:
    """Share of pixels that D(x + s e; s) and D(x + t e; t) have in common, float64 [L, L, N].

    denoiser: the multi-delta of the images [N, C, H, W]; x and e are the same at all levels.
    """
    ends = []
    for level in levels:
        [noisy] = noisy_batches(images, len(images), level, seed, len(images))
        ends.append(denoiser(noisy, level).flatten(1))
    found = torch.stack(ends)  # [L, N, D]
    return torch.stack([((found - one).abs() < CLOSE).double().mean(2) for one in found])


def partition(similarity: np.ndarray, stages: int) -> list[int]:
    """Where each stage but the first begins, of levels in order: int [stages - 1].

    The contiguous partition with the largest sum, over its levels, of the mean similarity [L, L]
    within their stage: the objective of kernel k-means. Exact, by dynamic programming. A sum over
    stages would prefer stages of one level, which is always similar to itself. UserError if there
    are fewer levels than stages.
    """
    count = len(similarity)
    if not 1 <= stages <= count:
        raise UserError(f"theory.stages.stages: {stages} of {count} levels: take 1 to {count}")
    within = {
        (i, j): float(similarity[i:j, i:j].sum() / (j - i))
        for i in range(count)
        for j in range(i + 1, count + 1)
    }
    best = {(1, j): (within[0, j], [0]) for j in range(1, count + 1)}
    for stage in range(2, stages + 1):
        for j in range(stage, count + 1):
            starts = range(stage - 1, j)
            i = max(starts, key=lambda i: best[stage - 1, i][0] + within[i, j])
            value, before = best[stage - 1, i]
            best[stage, j] = value + within[i, j], [*before, i]
    return best[stages, count][1][1:]


def between(levels: Sequence[float], starts: Sequence[int]) -> list[float]:
    """The noise levels at which stages end, halfway between their neighbours in ln s."""
    return [float(np.sqrt(levels[i - 1] * levels[i])) for i in starts]


def by_rank(widths: Sequence[float], ranks: Sequence[float]) -> list[float]:
    """A width for each stage: the wider, the higher its rank. widths: as many as ranks."""
    order = np.argsort(np.argsort(ranks, kind="stable"))
    return [sorted(widths)[place] for place in order]
