"""Everything that is measured of the Jacobian of one model along its own trajectories."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.theory.jacobians import (
    Jacobian,
    asymmetry,
    jacobian_at,
    rank,
    rank_ratio,
    spectrum,
)


class Settings(NamedTuple):
    """strengths: lengths of steps, percent of the noise's, whole and rising; seed: of directions
    and probes; batch_size: points at a time."""

    strengths: Sequence[int]
    seed: int
    batch_size: int


def step_length(sigma: float, size: int, strength: float) -> float:
    """`strength` percent of the length of noise of level sigma in `size` dimensions.

    The published steps of up to 40 at 3x64x64 pixels, t = 0.7, are up to 36 percent.
    """
    return strength / 100 * sigma * size**0.5


def departures(
    denoiser: Denoiser, x: Tensor, sigma: float, steps: Tensor, slopes: Tensor
) -> dict[str, Tensor]:
    """How far D(x + step) is from D(x) + J step, float64 [N] each ([SIAM], Fig. 5).

    x: [N, C, H, W]; steps and slopes = J step: [N, d].
    norm: |D(x + step)| / |D(x) + J step|; cosine: of the two; 1 for every affine D, but also for a
    step that changes nothing. So error: |D(x + step) - D(x) - J step| over the larger of the
    changes |D(x + step) - D(x)| and |J step|; 0 for every affine D.
    """
    origin = denoiser(x, sigma).flatten(1).double().cpu()
    moved = denoiser(x + steps.view(x.shape).to(x), sigma).flatten(1).double().cpu()
    linear, change = origin + slopes, moved - origin
    most = torch.maximum(change.norm(dim=1), slopes.norm(dim=1))
    return {
        "norm": moved.norm(dim=1) / linear.norm(dim=1),
        "cosine": (moved * linear).sum(1) / (moved.norm(dim=1) * linear.norm(dim=1)),
        "error": (change - slopes).norm(dim=1) / most,
    }


def measure(
    denoiser: Denoiser,
    states: Sequence[Tensor],
    sigmas: Sequence[float],
    gaussian: GaussianDenoiser,
    settings: Settings,
    report: Callable[[int], None] = lambda done: None,
) -> dict[str, np.ndarray]:
    """Values by name, float64 [levels, n]: one an image, n = 1 for the Gaussian of the data.

    denoiser: not clipped; states: x at each level, [N, C, H, W]. Names are metrics of
    docs/theory.md, after an @ the strength. `jacobian_rank_error` is 0 where J is known whole.
    Directions and probes are the same at every level.
    """
    rows = []
    for x, sigma in zip(states, sigmas, strict=True):
        generator = torch.Generator().manual_seed(settings.seed)
        jacobian = jacobian_at(denoiser, x, sigma, settings.batch_size)
        found = spectrum(jacobian, generator)
        ratio, error = rank_ratio(found)
        row = {"jacobian_rank": ratio, "jacobian_rank_error": error}
        row["jacobian_rank:gaussian"] = _gaussian_rank(gaussian, sigma)
        row["jacobian_asymmetry"] = asymmetry(jacobian, generator)
        shape = (len(x), jacobian.size)
        random = torch.randn(shape, generator=generator, dtype=torch.float64)
        for kind, direction in (("leading", found.vectors[:, 0]), ("random", random)):
            unit = direction / direction.norm(dim=1, keepdim=True)
            row |= _along(denoiser, x, sigma, jacobian, unit, kind, settings.strengths)
        rows.append({name: values.numpy() for name, values in row.items()})
        report(len(rows))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


@torch.no_grad()
def _along(
    denoiser: Denoiser,
    x: Tensor,
    sigma: float,
    jacobian: Jacobian,
    unit: Tensor,
    kind: str,
    strengths: Sequence[int],
) -> dict[str, Tensor]:
    """Departures at every strength, along one unit vector a point, [N, d]."""
    slopes = jacobian.times(unit[:, None])[:, 0]
    found: dict[str, Tensor] = {}
    for strength in strengths:
        length = step_length(sigma, jacobian.size, strength)
        named = departures(denoiser, x, sigma, length * unit, length * slopes)
        found |= {f"local_{name}:{kind}@{strength}": value for name, value in named.items()}
    return found


def _gaussian_rank(gaussian: GaussianDenoiser, sigma: float) -> Tensor:
    """Rank ratio of the Gaussian denoiser's Jacobian, which is the same at every x, [1]."""
    values = (gaussian.values / (gaussian.values + sigma**2))[None].cpu()
    return rank(values, values.square().sum(1)).double() / gaussian.mean.numel()
