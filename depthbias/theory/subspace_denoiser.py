"""A denoiser of the form of MoLRG's posterior mean, its subspaces learned by score matching.

It minimises the mean of |D(x0 + s e) - x0|^2 over the training points x0, noise e, and levels s.
B runs are trained at once: points [B, M, n], of which the first `counts` [B] of a run are its own.
"""

from math import log

import torch
from torch import Tensor

from depthbias.theory.molrg import class_weights, posterior_mean

SIGMAS = (0.05, 0.3)  # levels, log-uniform: a point has length sqrt(d)
STEPS = 200
RATE = 0.2  # of the first step; falls to 0
MEMORY = 0.8  # of the averages of gradient and moments
DAMPING = 0.03  # added to the moments
EVALUATIONS = 20  # levels at which a loss is compared


def learn_bases(
    points: Tensor, counts: Tensor, start: Tensor, generator: torch.Generator, steps: int = STEPS
) -> Tensor:
    """Orthonormal bases [B, K, n, d], float64, after `steps` from `start`.

    The gradient is divided by the second moments of the points within each subspace, or directions
    in which a few points hardly vary would take very many steps. Columns of zeros in `start` become
    random.
    """
    points = points.float()
    normal = torch.randn(start.shape, generator=generator)
    bases = torch.linalg.qr(start.float() + 1e-3 * normal)[0]
    slope = torch.zeros_like(bases)
    moments = bases.new_zeros(*bases.shape[:2], bases.shape[-1], bases.shape[-1])
    damping = DAMPING * torch.eye(bases.shape[-1])
    for step in range(steps):
        clean, sigma = _draw(points, counts, generator)
        noise = _rotation(points.shape[-1], generator)
        here, inside = _descent(clean, sigma, noise, bases)
        slope = MEMORY * slope + (1 - MEMORY) * here
        moments = MEMORY * moments + (1 - MEMORY) * inside
        whole = 1 - MEMORY ** (step + 1)
        move = torch.linalg.solve(moments / whole + damping, slope.mT / whole).mT
        bases = torch.linalg.qr(bases + RATE * (1 - step / steps) * move)[0]
    return torch.linalg.qr(bases.double())[0]


def denoising_loss(
    points: Tensor, counts: Tensor, bases: Tensor, generator: torch.Generator
) -> Tensor:
    """The loss [B] that `learn_bases` lowers, by noise that is the same for all runs."""
    size, (low, high) = points.shape[-1], SIGMAS
    places = torch.arange(size) % counts[:, None]
    clean = points.gather(1, places[..., None].expand(-1, -1, size))
    total = torch.zeros(len(points), dtype=points.dtype)
    for step in range(EVALUATIONS):
        level = low * (high / low) ** ((step + 0.5) / EVALUATIONS)
        sigma = torch.full((len(points), 1), level, dtype=points.dtype)
        noise = _rotation(size, generator).to(points)
        total += _loss(clean, sigma, noise, bases)
    return total / EVALUATIONS


def _draw(points: Tensor, counts: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """As many points of each run as the space has dimensions, [B, n, n], and a level a run."""
    runs, _, size = points.shape
    places = (torch.rand(runs, size, generator=generator) * counts[:, None]).long()
    clean = points.gather(1, places[..., None].expand(-1, -1, size))
    low, high = map(log, SIGMAS)
    return clean, (low + (high - low) * torch.rand(runs, 1, generator=generator)).exp()


def _rotation(size: int, generator: torch.Generator) -> Tensor:
    """Noise of `size` points: orthogonal vectors of length sqrt(size).

    Used with both signs its first two moments are those of Gaussian noise without sampling error.
    """
    normal = torch.randn(size, size, generator=generator)
    return torch.linalg.qr(normal)[0] * size**0.5


def _loss(clean: Tensor, sigma: Tensor, noise: Tensor, bases: Tensor) -> Tensor:
    """Mean over points and both signs of the noise, [B]."""
    moved = sigma[..., None] * noise
    noisy = torch.cat([clean + moved, clean - moved], dim=1)
    found = posterior_mean(noisy, sigma.expand(noisy.shape[:2]), bases)
    return (found - clean.repeat(1, 2, 1)).square().sum(-1).mean(-1)


def _descent(clean: Tensor, sigma: Tensor, noise: Tensor, bases: Tensor) -> tuple[Tensor, Tensor]:
    """Minus the gradient of the loss along the orthonormal bases, and the moments that scale it.

    For weights that are fixed the loss is - sum_k tr U_k^T S_k U_k, S_k the weighted second moments
    times 2 / (1 + s^2) - 1 / (1 + s^2)^2, and a constant.
    """
    bases = bases.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(_loss(clean, sigma, noise, bases).sum(), bases)
    bases = bases.detach()
    along = bases.mT @ slope
    descent = bases @ (along + along.mT) / 2 - slope
    with torch.no_grad():
        noisy = (clean + sigma[..., None] * noise)[:, None] @ bases
        weights = class_weights(noisy, sigma, bases)[..., None]
        inside = clean[:, None] @ bases
        shrink = 1 / (1 + sigma.square())[..., None, None]
        scale = 2 * (2 * shrink - shrink.square()) / clean.shape[1]
        return descent, scale * (weights * inside).mT @ inside
