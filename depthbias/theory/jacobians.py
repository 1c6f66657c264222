"""The Jacobian J = dD/dx of a denoiser: products with it, its singular values, what they tell.

Points are x [N, C, H, W] at one noise level, d = C H W; vectors are [N, k, d], k of each point. Up
to EXACT dimensions J is known whole; above, by products with vectors alone.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from depthbias.diffusion.denoiser import Denoiser

EXACT = 768  # dimensions up to which J is known whole: 16x16 in colour
ENERGY = 0.99**2  # share of the squared singular values that the rank holds ([SIAM], eta = 0.99)
SKETCH = 16  # directions that a sketch begins with
PROBES = 32  # random vectors a point, for what a sketch leaves out


class Jacobian(Protocol):
    """J of N points in d dimensions, as products."""

    size: int
    count: int

    def times(self, vectors: Tensor) -> Tensor:
        """J v, [N, k, d] float64 on the CPU, of vectors v [N, k, d]."""
        ...

    def transposed(self, vectors: Tensor) -> Tensor:
        """J^T u, as `times`."""
        ...


class WholeJacobian:
    """J as a matrix [N, d, d], float64: row i is the gradient of pixel i of D."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix.double()
        self.count, self.size = matrix.shape[:2]

    def times(self, vectors: Tensor) -> Tensor:
        return vectors.double() @ self.matrix.mT

    def transposed(self, vectors: Tensor) -> Tensor:
        return vectors.double() @ self.matrix


class ImplicitJacobian:
    """J by automatic differentiation, without its matrix; `batch_size` products at a time.

    J^T u is one backward pass. J v is the derivative of J^T u, which is linear in u, along v: a
    second backward pass. torch's forward mode has no rule for the attention and group norms here.
    """

    def __init__(self, denoiser: Denoiser, x: Tensor, sigma: float, batch_size: int) -> None:
        self.denoiser, self.x, self.sigma, self.batch_size = denoiser, x.detach(), sigma, batch_size
        self.count, self.size = len(x), x[0].numel()

    def times(self, vectors: Tensor) -> Tensor:
        def forward(x: Tensor, v: Tensor) -> Tensor:
            u = torch.zeros_like(x, requires_grad=True)
            (back,) = torch.autograd.grad(self.denoiser(x, self.sigma), x, u, create_graph=True)
            return torch.autograd.grad(back, u, v)[0]

        with sdpa_kernel(SDPBackend.MATH):  # the others have no second derivative
            return self._each(vectors, forward)

    def transposed(self, vectors: Tensor) -> Tensor:
        def backward(x: Tensor, u: Tensor) -> Tensor:
            return torch.autograd.grad(self.denoiser(x, self.sigma), x, u)[0]

        return self._each(vectors, backward)

    def whole(self) -> WholeJacobian:
        """The same as a matrix: the gradient of every pixel."""
        unit = torch.eye(self.size, dtype=torch.float64)
        return WholeJacobian(self.transposed(unit.expand(self.count, -1, -1)))

    @torch.enable_grad()
    def _each(self, vectors: Tensor, product: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        points = torch.arange(self.count).repeat_interleave(vectors.shape[1])
        flat = vectors.reshape(len(points), *self.x.shape[1:])
        found = []
        for rows, part in zip(
            points.split(self.batch_size), flat.split(self.batch_size), strict=True
        ):
            x = self.x[rows.to(self.x.device)].requires_grad_(True)
            found.append(product(x, part.to(x)).detach().double().cpu())
        return torch.cat(found).reshape(vectors.shape)


def jacobian_at(denoiser: Denoiser, x: Tensor, sigma: float, batch_size: int) -> Jacobian:
    """J of a denoiser at x [N, C, H, W] and level sigma: whole up to EXACT dimensions."""
    implicit = ImplicitJacobian(denoiser, x, sigma, batch_size)
    return implicit.whole() if implicit.size <= EXACT else implicit


class Spectrum(NamedTuple):
    """Leading singular values [N, r] of J, falling, and its right singular vectors [N, r, d].

    total: the sum of all squared values, |J|_F^2, [N]; error: its standard error, 0 where exact.
    """

    values: Tensor
    vectors: Tensor
    total: Tensor
    error: Tensor


def spectrum(jacobian: Jacobian, generator: torch.Generator) -> Spectrum:
    """All singular values of a whole J; of another as many as its rank needs, by a sketch."""
    if isinstance(jacobian, WholeJacobian):
        _, values, vectors = torch.linalg.svd(jacobian.matrix)
        total = values.square().sum(1)
        return Spectrum(values, vectors, total, torch.zeros_like(total))
    count = min(SKETCH, jacobian.size)
    while True:
        found = sketch(jacobian, count, generator)
        held = found.values.square().sum(1)
        if count == jacobian.size or bool((held > ENERGY * (found.total + 2 * found.error)).all()):
            return found
        count = min(2 * count, jacobian.size)


def sketch(jacobian: Jacobian, count: int, generator: torch.Generator) -> Spectrum:
    """The `count` leading singular values by a randomised range finder with one power step.

    Halko, Martinsson and Tropp, SIAM Review 53:217, 2011. The values are never too large. What they
    leave out of |J|_F^2 is estimated from PROBES random vectors, which says its error as well.
    """
    shape = (jacobian.count, count, jacobian.size)
    start = torch.randn(shape, generator=generator, dtype=torch.float64)
    basis = _basis(jacobian.times(start))
    basis = _basis(jacobian.times(_basis(jacobian.transposed(basis))))
    _, values, vectors = torch.linalg.svd(jacobian.transposed(basis), full_matrices=False)
    shape = (jacobian.count, PROBES, jacobian.size)
    images = jacobian.times(torch.randn(shape, generator=generator, dtype=torch.float64))
    rest = (images - (images @ basis.mT) @ basis).square().sum(2)
    error = rest.std(1) / PROBES**0.5
    return Spectrum(values, vectors, values.square().sum(1) + rest.mean(1), error)


def _basis(vectors: Tensor) -> Tensor:
    """Orthonormal vectors [N, k, d] with the span of these."""
    return torch.linalg.qr(vectors.mT)[0].mT


def rank(values: Tensor, total: Tensor) -> Tensor:
    """The fewest leading singular values whose squares exceed ENERGY of the total, int64 [N].

    values: [N, r], falling; total: [N]. 0 where J is 0; one more than r where r are too few.
    """
    below = values.square().cumsum(1) <= ENERGY * total[:, None]
    return torch.where(total > 0, below.sum(1) + 1, 0)


def rank_ratio(found: Spectrum) -> tuple[Tensor, Tensor]:
    """(rank / d, half the width of its 95 % interval as the error of |J|_F^2 goes), [N] each."""
    size = found.vectors.shape[-1]
    low, high = (
        rank(found.values, (found.total + side * found.error).clamp(min=0)) for side in (-2, 2)
    )
    return rank(found.values, found.total).double() / size, (high - low).double() / (2 * size)


def asymmetry(jacobian: Jacobian, generator: torch.Generator) -> Tensor:
    """|J - J^T|_F / |J|_F, [N]: 0 for every exact posterior mean. From PROBES vectors if not whole.

    NaN where J is 0.
    """
    if isinstance(jacobian, WholeJacobian):
        matrix = jacobian.matrix
        return (matrix - matrix.mT).flatten(1).norm(dim=1) / matrix.flatten(1).norm(dim=1)
    shape = (jacobian.count, PROBES, jacobian.size)
    probes = torch.randn(shape, generator=generator, dtype=torch.float64)
    ahead, back = jacobian.times(probes), jacobian.transposed(probes)
    both = ahead.square().sum((1, 2)) + back.square().sum((1, 2))  # twice |J|_F^2, less noise
    return ((ahead - back).square().sum((1, 2)) / (both / 2)).sqrt()
