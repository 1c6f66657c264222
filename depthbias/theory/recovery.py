"""Recovering subspaces from points: PCA, spectral clustering, K-subspaces ([SIAM], Fig. 4).

All trials at once: points [T, M, n], labels [T, M], bases [T, K, n, d], columns of zeros where
there are fewer points than dimensions.
"""

from itertools import permutations

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

RELATIVE = 1e-9  # of the largest: a singular value below is rounding
GRAM_RELATIVE = 1e-13  # the same for the eigenvalues of inner products
TIED = 1e-8  # share of all squares that may lie outside: two fits that differ by less are equal
MOST_ROUNDS = 100


def projector_error(found: Tensor, true: Tensor) -> Tensor:
    """[T]: largest |U U^T - V V^T| (Frobenius) of a class, under the best order of classes.

    Both [T, K, n, any d], with orthonormal columns or columns of zeros.
    """
    widths = [part.square().sum((-2, -1)) for part in (found, true)]
    shared = (found[:, :, None].mT @ true[:, None]).square().sum((-2, -1))  # [T, found, true]
    squares = widths[0][:, :, None] + widths[1][:, None] - 2 * shared
    errors = squares.clamp(min=0).sqrt()
    classes = range(true.shape[1])
    orders = [errors[:, list(order), classes].amax(1) for order in permutations(classes)]
    return torch.stack(orders).amin(0)


def principal_basis(points: Tensor, dimension: int) -> Tensor:
    """[..., n, d]: the leading directions of points [..., M, n] about 0, rows of zeros ignored."""
    _, values, vectors = torch.linalg.svd(points, full_matrices=False)
    kept = values > RELATIVE * values[..., :1]
    basis = (vectors * kept[..., None])[..., :dimension, :].mT
    missing = dimension - basis.shape[-1]
    return torch.nn.functional.pad(basis, (0, missing)) if missing > 0 else basis


def bases_of(points: Tensor, labels: Tensor, classes: int, dimension: int) -> Tensor:
    """[T, K, n, d]: the principal basis of the points of every label."""
    members = one_hot(labels, classes).mT.to(points)[..., None]  # [T, K, M, 1]
    return principal_basis(points[:, None] * members, dimension)


def spectral_labels(points: Tensor, classes: int) -> Tensor:
    """[T, M]: spectral clustering of |cos(x_i, x_j)|.

    The leading eigenvectors of the normalised affinity, as rows of norm 1; centres are a row and
    those farthest from the centres before. Points of orthogonal subspaces have affinity 0.
    """
    unit = normalize(points, dim=-1)
    affinity = (unit @ unit.mT).abs()
    scale = affinity.sum(-1).rsqrt()
    vectors = torch.linalg.eigh(scale[:, :, None] * affinity * scale[:, None])[1]
    rows = normalize(vectors[..., -classes:], dim=-1)
    likeness = (rows @ rows.mT).abs()
    centres = [likeness[:, 0]]
    for _ in range(classes - 1):
        farthest = torch.stack(centres).amax(0).argmin(-1)
        centres.append(likeness[torch.arange(len(likeness)), farthest])
    return torch.stack(centres, dim=-1).argmax(-1)


def balanced_labels(trials: int, points: int, classes: int, generator: torch.Generator) -> Tensor:
    """[T, M]: labels at random, every class as often as the others, up to one."""
    order = torch.rand(trials, points, generator=generator).argsort(-1)
    return order % classes


def k_subspaces(
    points: Tensor, labels: Tensor, classes: int, dimension: int
) -> tuple[Tensor, Tensor]:
    """Labels [T, M] from which no point moves, and the share [T] of squares outside the subspaces.

    In turns the principal basis of every label, and for every point the label whose subspace holds
    most of it. Works on inner products, which hold all that counts.
    """
    gram = points @ points.mT
    squares = gram.diagonal(dim1=-2, dim2=-1)
    inside = torch.zeros(len(points), classes, points.shape[1], dtype=points.dtype)
    active = torch.arange(len(points))
    for _ in range(MOST_ROUNDS):
        inside[active] = _squares_inside(gram[active], labels[active], classes, dimension)
        best = inside[active].argmax(1)
        here = inside[active].gather(1, labels[active][:, None])[:, 0]
        # A point moves only for a gain: rounding must not move it to and fro.
        gain = inside[active].amax(1) - here > TIED * squares[active]
        labels = labels.clone()
        labels[active] = torch.where(gain, best, labels[active])
        active = active[gain.any(-1)]
        if not len(active):
            break
    held = inside.gather(1, labels[:, None])[:, 0].sum(-1)
    return labels, 1 - held / squares.sum(-1)


def _squares_inside(gram: Tensor, labels: Tensor, classes: int, dimension: int) -> Tensor:
    """|U_k^T x_i|^2, [T, K, M], with U_k the principal basis of label k, by inner products."""
    members = one_hot(labels, classes).mT.to(gram)  # [T, K, M]
    values, vectors = torch.linalg.eigh(gram[:, None] * members[..., None] * members[..., None, :])
    values, vectors = values[..., -dimension:], vectors[..., -dimension:]
    kept = values > GRAM_RELATIVE * values[..., -1:].clamp(min=1e-300)
    inverse = torch.where(kept, 1 / values.where(kept, torch.ones_like(values)), 0.0)
    # u_j = X^T v_j / sqrt(value): u_j^T x_i = (G v_j)_i / sqrt(value), v_j being 0 off the label.
    products = gram[:, None] @ (vectors * members[..., None])
    return (products.square() * inverse[..., None, :]).sum(-1)
