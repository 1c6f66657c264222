"""Grids of noise levels."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from depthbias.diffusion.objectives import STEPS, Objective, alpha_bars

SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 80.0, 7.0  # of EDM


def edm_sigmas(
    n: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX, rho: float = RHO
) -> Tensor:
    """The n noise levels of EDM from sigma_max down to sigma_min (arXiv 2206.00364, eq. 5).

    float64; for n = 1, sigma_max alone.
    """
    if n < 1:
        raise ValueError(f"{n} noise levels: at least 1 is needed")
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    ends = sigma_min ** (1 / rho) - sigma_max ** (1 / rho)
    return (sigma_max ** (1 / rho) + ramp * ends) ** rho


def ddpm_sigmas(bars: Sequence[float] | None = None) -> Tensor:
    """sqrt((1 - abar_t) / abar_t), t = 0..999: float64 [1000], from 0.01 to 157.

    bars: abar_t of another schedule, falling, above 0.
    """
    kept = alpha_bars() if bars is None else torch.tensor(bars, dtype=torch.float64)
    return ((1 - kept) / kept).sqrt()


def trailing_timesteps(n: int, total: int = STEPS) -> Tensor:
    """n of the timesteps 0..999, evenly spaced from 999 down (arXiv 2305.08891, table 2), int64.

    total: how many there are.

    Sampling so starts where almost no signal is left, as the noise that it starts from has none;
    the "leading" spacing, which diffusers' DDIM has by default, starts at 960 for 25 steps.
    """
    if not 1 <= n <= total:
        raise ValueError(f"{n} noise levels: a model with the ddpm objective has 1 to {total}")
    return torch.from_numpy(np.arange(total, 0, -total / n)[:n].round().astype(np.int64) - 1)


def noise_levels(objective: Objective, steps: int, bars: Sequence[float] | None = None) -> Tensor:
    """The levels models of this objective are sampled over, float64 [steps + 1], the last is 0.

    bars: of a model with another schedule than DDPM's, as in `ddpm_sigmas`.
    """
    if objective == "edm":
        levels = edm_sigmas(steps)
    else:
        trained = ddpm_sigmas(bars)
        levels = trained[trailing_timesteps(steps, len(trained))]
    return torch.cat([levels, levels.new_zeros(1)])


def levels_from(sigma: float, objective: Objective, steps: int) -> Tensor:
    """EDM's grid from sigma down to the lowest level of the objective, and 0: [steps + 1].

    ValueError for a sigma that is not above that lowest level (0.002 for edm, 0.01 for ddpm).
    """
    lowest = SIGMA_MIN if objective == "edm" else float(ddpm_sigmas()[0])
    if not sigma > lowest:
        raise ValueError(f"noise level {sigma}: must be above {lowest:.2g}")
    levels = edm_sigmas(steps, lowest, sigma)
    return torch.cat([levels, levels.new_zeros(1)])
