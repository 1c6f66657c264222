"""Directions that edit a region of an image (LOCO): J's, less what acts outside ([SIAM], Fig. 6).

A mask is bool [d], true inside the region. Directions are unit vectors [N, k, d].
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from depthbias.system.errors import UserError
from depthbias.theory.jacobians import Jacobian, WholeJacobian
from depthbias.theory.region import check_region

MOST_ROUNDS = 200  # of subspace iteration
STILL = 1e-4  # 1 - the smallest cosine between two rounds' subspaces that counts as settled
SPARE = 4  # directions carried along, so that the leading ones settle sooner
NOTHING = 1e-6  # length of what is left of a direction that lay in the subspace projected off


def region_mask(rows: Sequence[int], columns: Sequence[int], shape: Sequence[int]) -> Tensor:
    """The mask of rows[0] <= row < rows[1], and columns alike, of images of shape (C, S, S).

    UserError for a region that is empty or reaches outside of the image.
    """
    check_region(rows, columns, shape[-1])
    mask = torch.zeros(tuple(shape), dtype=torch.bool)
    mask[:, slice(*rows), slice(*columns)] = True
    return mask.flatten()


class Leading(NamedTuple):
    """Leading right singular vectors [N, k, d] and values [N, k]; whether they settled, bool [N].

    Those of a whole Jacobian always have.
    """

    vectors: Tensor
    values: Tensor
    settled: Tensor


def leading(jacobian: Jacobian, mask: Tensor, count: int, generator: torch.Generator) -> Leading:
    """Of P J, where P keeps the pixels of the mask: which changes of x change these pixels most.

    A whole J: by its singular value decomposition. Else by subspace iteration on J^T P J. It ends
    when the subspace stays, whatever its vectors do: when the singular values of V_old^T V, the
    cosines of the principal angles, exceed 1 - STILL; or after MOST_ROUNDS.
    """
    if isinstance(jacobian, WholeJacobian):
        _, values, vectors = torch.linalg.svd(jacobian.matrix * mask[:, None])
        settled = torch.ones(jacobian.count, dtype=torch.bool)
        return Leading(vectors[:, :count], values[:, :count], settled)
    shape = (jacobian.count, min(count + SPARE, jacobian.size), jacobian.size)
    start = torch.randn(shape, generator=generator, dtype=torch.float64)
    vectors = torch.linalg.qr(start.mT)[0].mT
    for _ in range(MOST_ROUNDS):
        images = jacobian.times(vectors) * mask
        _, values, following = torch.linalg.svd(jacobian.transposed(images), full_matrices=False)
        cosines = torch.linalg.svdvals(vectors[:, :count] @ following[:, :count].mT)
        vectors, settled = following, cosines.amin(1) > 1 - STILL
        if bool(settled.all()):
            break
    return Leading(vectors[:, :count], values[:, :count].sqrt(), settled)


def without(directions: Tensor, subspace: Tensor) -> Tensor:
    """Directions [N, k, d] less their parts in orthonormal vectors [N, r, d], unit length again.

    UserError where nothing is left.
    """
    rest = directions - (directions @ subspace.mT) @ subspace
    length = rest.norm(dim=2, keepdim=True)
    if bool((length < NOTHING).any()):
        raise UserError(
            "a direction lies in the subspace that acts outside of the region: project off fewer"
        )
    return rest / length


def random_directions(
    shape: Sequence[int], generator: torch.Generator, mask: Tensor | None = None
) -> Tensor:
    """Random unit vectors [N, k, d]; with a mask those that are 0 outside of it."""
    normal = torch.randn(tuple(shape), generator=generator, dtype=torch.float64)
    kept = normal if mask is None else normal * mask
    return kept / kept.norm(dim=2, keepdim=True)
