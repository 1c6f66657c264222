"""Continuous energy landscapes: the smoothed energy of points, its minima and its curvature.

E_s(x) = -s^2 log sum_i exp(-|x - y_i|^2 / 2 s^2) ([BIAS], Fig. 2, Theorem 1). Its gradient is
x - D(x; s), D the multi-delta denoiser of the points y; its Hessian is I - C / s^2, C the
covariance of the points under the weights of D. Everything is float64.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from depthbias.system.errors import UserError

MOST_STEPS = 5000
STILL = 1e-9  # of s: a step that is shorter ends the descent
SAME = 0.01  # of s: minima nearer to each other are one
BLOCK_VALUES = 2**23  # differences of places and points at a time


class Energy:
    """E_s of points y [N, d] for any level s > 0."""

    def __init__(self, points: Tensor) -> None:
        """points: [N, d], float64 or converted to it."""
        self.points = points.double()

    def weights(self, x: Tensor, s: float) -> Tensor:
        """softmax_i(-|x - y_i|^2 / 2 s^2), [M, N], for places x [M, d]."""
        return self._exponents(x, s).softmax(1)

    def value(self, x: Tensor, s: float) -> Tensor:
        """E_s, [M]."""
        return -(s**2) * self._exponents(x, s).logsumexp(1)

    def gradient(self, x: Tensor, s: float) -> Tensor:
        """[M, d]."""
        return x - self.weights(x, s) @ self.points

    def curvature(self, x: Tensor, s: float) -> Tensor:
        """Spectral norm [M] of the Hessian at places x [M, d]."""
        block = max(1, BLOCK_VALUES // self.points.numel())
        return torch.cat([self._curvature(part, s) for part in x.split(block)])

    def _curvature(self, x: Tensor, s: float) -> Tensor:
        weights = self.weights(x, s)
        away = self.points - (weights @ self.points)[:, None]  # [M, N, d]
        covariance = away.mT @ (weights[..., None] * away)
        return (1 - torch.linalg.eigvalsh(covariance) / s**2).abs().amax(1)

    def descend(self, x: Tensor, s: float) -> Tensor:
        """The minima [M, d] that descent from places x [M, d] ends in.

        x <- D(x; s) never raises E_s: it minimises a quadratic bound from above that touches at x.
        """
        x = x.clone()
        moving = torch.arange(len(x))
        for _ in range(MOST_STEPS):
            step = self.gradient(x[moving], s)
            x[moving] -= step
            moving = moving[step.norm(dim=1) > STILL * s]
            if not len(moving):
                break
        return x

    def _exponents(self, x: Tensor, s: float) -> Tensor:
        # Not by inner products, which lose digits between near points.
        distances = torch.cdist(x, self.points, compute_mode="donot_use_mm_for_euclid_dist")
        return -distances.square() / (2 * s**2)


def distinct(places: Tensor, s: float) -> tuple[Tensor, Tensor]:
    """The minima [K, d] among places [M, d], and which of them each place is, [M]."""
    labels = torch.full((len(places),), -1)
    found: list[Tensor] = []
    for row, place in enumerate(places):
        if labels[row] < 0:
            near = (places - place).norm(dim=1) < SAME * s
            labels[near & (labels < 0)] = len(found)
            found.append(place)
    return torch.stack(found), labels


def check_levels(levels: Sequence[float]) -> None:
    """UserError unless the levels are positive, finite, and increasing."""
    shown = ", ".join(f"{level:g}" for level in levels)
    if not levels or any(not 0 < level < math.inf for level in levels):
        raise UserError(f"levels {shown or 'none'}: give positive finite ones")
    if any(after <= before for before, after in pairwise(levels)):
        raise UserError(f"levels {shown}: they must increase: sort them, each once")
