"""Several denoisers sampled from the same noise, with everything seen on the way."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.samplers import heun


class Trajectory(NamedTuple):
    """One denoiser's way from noise to images over S levels, for N images.

    states: x at every level and at 0, [S + 1, N, C, H, W]; denoised: D(x) at every level,
    [S, N, C, H, W].
    """

    states: Tensor
    denoised: Tensor


@torch.no_grad()
def follow(
    denoisers: Mapping[str, Denoiser], noise: Tensor, sigmas: Sequence[float]
) -> dict[str, Trajectory]:
    """Trajectories by name, from sigmas[0] * noise [N, C, H, W], by Heun's method down to 0.

    sigmas: S falling noise levels, without the 0. Denoisers are called at these levels only.
    """
    levels = torch.tensor([*sigmas, 0.0], dtype=torch.float64)
    found = {}
    for name, denoiser in denoisers.items():
        states = [sigmas[0] * noise]
        states += heun(denoiser, states[0], levels)
        denoised = [denoiser(x, sigma) for x, sigma in zip(states, sigmas, strict=False)]
        found[name] = Trajectory(torch.stack(states), torch.stack(denoised))
    return found
