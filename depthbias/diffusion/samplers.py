"""Noise that belongs to the image, grids of noise levels, and samplers that take any denoiser.

Samplers work on x = x0 + sigma * noise; DDPM's variance-preserving x_t is x / sqrt(1 + sigma^2), so
the same functions serve both kinds of model. Each has the signature
`sampler(denoiser, x, sigmas, noise)`: x [N, C, H, W] at level sigmas[0]; sigmas [steps + 1] fall to
0; noise, for the stochastic one only, gives the next standard normal tensor like x. It yields x
after every step, so that progress and trajectories are the caller's; the last x is the sample.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import log, sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor

from depthbias.data.pixels import to_uint8
from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.noise import ImageNoise
from depthbias.diffusion.sampler_names import SAMPLERS as NAMES

Noise = Callable[[], Tensor]


def ddim(
    denoiser: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise | None = None
) -> Iterator[Tensor]:
    """DDIM with eta 0 (arXiv 2010.02502), the Euler method on the probability-flow ODE."""
    for sigma, following in pairwise(sigmas.tolist()):
        x = torch.lerp(denoiser(x, sigma), x, following / sigma)
        yield x


def ddpm(
    denoiser: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise | None = None
) -> Iterator[Tensor]:
    """DDPM ancestral sampling with the variance of the posterior (arXiv 2006.11239, eq. 7)."""
    if noise is None:
        raise ValueError("ddpm is a stochastic sampler: it needs noise")
    for sigma, following in pairwise(sigmas.tolist()):
        kept = (following / sigma) ** 2
        x = torch.lerp(denoiser(x, sigma), x, kept)
        if following > 0:
            x = x + following * sqrt(1 - kept) * noise()
        yield x


def dpmpp(
    denoiser: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise | None = None
) -> Iterator[Tensor]:
    """DPM-Solver++(2M) (arXiv 2211.01095, algorithm 2); its first and last step are of order 1."""
    levels, earlier = sigmas.tolist(), None
    for before, sigma, following in zip([0.0, *levels], levels, levels[1:], strict=False):
        x0 = estimate = denoiser(x, sigma)
        if earlier is not None and following > 0:
            ratio = log(before / sigma) / log(sigma / following)
            estimate = torch.lerp(earlier, x0, 1 + 1 / (2 * ratio))
        x, earlier = torch.lerp(estimate, x, following / sigma), x0
        yield x


def heun(
    denoiser: Denoiser, x: Tensor, sigmas: Tensor, noise: Noise | None = None
) -> Iterator[Tensor]:
    """Heun's method on the probability-flow ODE (arXiv 2206.00364, algorithm 1, without churn)."""
    for sigma, following in pairwise(sigmas.tolist()):
        slope = (x - denoiser(x, sigma)) / sigma
        euler = x + (following - sigma) * slope
        if following > 0:
            slope = (slope + (euler - denoiser(euler, following)) / following) / 2
            euler = x + (following - sigma) * slope
        x = euler
        yield x


# The function of every row of the table of names.
SAMPLERS: dict[str, Callable[..., Iterator[Tensor]]] = {name: globals()[name] for name in NAMES}


@torch.inference_mode()
def sample(
    denoiser: Denoiser,
    sampler: str,
    sigmas: Tensor,
    *,
    noise_seed: int,
    indices: Sequence[int],
    shape: Sequence[int],
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] = lambda share: None,
) -> np.ndarray:
    """One batch of images, uint8 [len(indices), H, W, C], image i from noise of (noise_seed, i).

    sampler: a key of SAMPLERS; sigmas: see `noise_levels`; shape: (C, H, W); progress hears after
    every step which share of the batch's work is done. FloatingPointError if x is not finite.
    """
    noise = ImageNoise(noise_seed, indices, shape, device)
    # Variance 1 in DDPM's scale, and 1.00008 sigma at EDM's first level, 80.
    x = noise() * sqrt(1 + float(sigmas[0]) ** 2)
    for step, state in enumerate(SAMPLERS[sampler](denoiser, x, sigmas, noise), 1):
        x = state
        progress(step / (len(sigmas) - 1))
    if not bool(x.isfinite().all()):
        raise FloatingPointError("the samples are not finite")
    return to_uint8(x).cpu().numpy()


def sample_batches(
    denoiser: Denoiser,
    sampler: str,
    sigmas: Tensor,
    *,
    noise_seed: int,
    count: int,
    batch_size: int,
    shape: Sequence[int],
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """Images 0 to `count` of one noise seed, uint8 [count, H, W, C]; the rest as of `sample`."""
    batches = [range(i, min(i + batch_size, count)) for i in range(0, count, batch_size)]
    common: dict[str, Any] = {"noise_seed": noise_seed, "shape": shape, "device": device}
    return np.concatenate(
        [sample(denoiser, sampler, sigmas, indices=indices, **common) for indices in batches]
    )
