"""MoLRG, a mixture of low-rank Gaussians: its samples and its posterior mean ([SIAM], Fig. 4).

K subspaces, orthogonal to each other, with orthonormal bases U_k [n, d_k]. A point of class k is
x = U_k a, a ~ N(0, I). Tensors hold T independent trials, float64.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from depthbias.system.errors import UserError


def check_dimensions(space: int, dimensions: Sequence[int]) -> None:
    """UserError unless orthogonal subspaces of these dimensions fit into the space."""
    if not dimensions or min(dimensions) < 1:
        raise UserError(f"dimensions {list(dimensions)}: a subspace has at least one dimension")
    if sum(dimensions) > space:
        raise UserError(
            f"dimensions {list(dimensions)}: together {sum(dimensions)}, but the space has "
            f"{space}: lower them, or take a larger space"
        )


def draw_bases(
    trials: int, space: int, dimensions: Sequence[int], generator: torch.Generator
) -> Tensor:
    """U [T, K, n, max d_k], each from the singular vectors of one Gaussian matrix.

    A subspace of a lower dimension than the largest has columns of zeros. UserError if the
    subspaces do not fit into the space.
    """
    check_dimensions(space, dimensions)
    normal = torch.randn(trials, space, sum(dimensions), generator=generator, dtype=torch.float64)
    vectors = torch.linalg.svd(normal, full_matrices=False)[0]
    bases = vectors.new_zeros(trials, len(dimensions), space, max(dimensions))
    for k, part in enumerate(vectors.split(list(dimensions), dim=-1)):
        bases[:, k, :, : part.shape[-1]] = part
    return bases


def draw_points(bases: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` points of every class, [T, K, count, n], of subspaces with bases [T, K, n, d]."""
    trials, classes, _, width = bases.shape
    shape = (trials, classes, count, width)
    coefficients = torch.randn(shape, generator=generator, dtype=bases.dtype)
    return coefficients @ bases.mT


def posterior_mean(
    x: Tensor, sigma: float | Tensor, bases: Tensor, log_shares: Tensor | None = None
) -> Tensor:
    """E[x0 | x0 + sigma e = x], [T, M, n], of MoLRG with bases [T, K, n, d].

    D = 1 / (1 + s^2) sum_k w_k U_k U_k^T x, with the weights of `class_weights`.

    x: [T, M, n]; sigma: positive, a number or [T, M]; log_shares: log pi [K], equal unless given.
    A variance-preserving x_t = s x0 + g e is the point x_t / s at sigma = g / s.
    """
    inside = x[:, None] @ bases  # [T, K, M, d]
    weights = class_weights(inside, sigma, bases, log_shares)[..., None]
    variance = torch.as_tensor(sigma, dtype=x.dtype).square()
    return (weights * (inside @ bases.mT)).sum(1) / (1 + variance)[..., None]


def class_weights(
    inside: Tensor, sigma: float | Tensor, bases: Tensor, log_shares: Tensor | None = None
) -> Tensor:
    """Probabilities [T, K, M] of the classes, given U_k^T x [T, K, M, d] of the noisy points.

    w = softmax_k(log pi_k - d_k / 2 ln(1 + 1/s^2) + |U_k^T x|^2 / (2 s^2 (1 + s^2))).
    """
    variance = torch.as_tensor(sigma, dtype=inside.dtype).square().expand(inside[:, 0, :, 0].shape)
    gain = inside.square().sum(-1) / (2 * variance * (1 + variance))[:, None]
    widths = bases.square().sum((-2, -1))[..., None]  # d_k, as columns of zeros count nothing
    logits = gain - widths / 2 * (1 / variance).log1p()[:, None]
    if log_shares is not None:
        logits = logits + log_shares[:, None]
    return logits.softmax(1)
