"""Where a model passes on its way from noise to an image."""

from collections.abc import Sequence

from torch import Tensor

from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.schedules import SIGMA_MAX, edm_sigmas
from depthbias.diffusion.trajectories import follow
from depthbias.system.errors import UserError
from depthbias.theory.energy import check_levels

STEPS = 18  # EDM's number of levels


def states_at(denoiser: Denoiser, noise: Tensor, levels: Sequence[float]) -> list[Tensor]:
    """x at each of the levels, [N, C, H, W] each, of Heun trajectories from SIGMA_MAX * noise.

    levels: above 0, rising, at most SIGMA_MAX; UserError else. The sampler steps over EDM's grid
    and these levels.
    """
    check_levels(levels)
    if levels[-1] > SIGMA_MAX:
        raise UserError(f"level {levels[-1]:g}: trajectories begin at {SIGMA_MAX:g}: lower it")
    grid = sorted({*edm_sigmas(STEPS).tolist(), *levels}, reverse=True)
    states = follow({"": denoiser}, noise, grid)[""].states
    return [states[grid.index(level)] for level in levels]
