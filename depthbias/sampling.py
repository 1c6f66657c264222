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

import numpy as np
import torch
from torch import Tensor

from depthbias.images import to_uint8
from depthbias.objectives import STEPS, Objective
from depthbias.unet_denoiser import ddpm_sigmas

Denoiser = Callable[[Tensor, float], Tensor]
Noise = Callable[[], Tensor]


class ImageNoise:
    """Standard normal noise, one generator an image: (seed, index) and the call's number fix it.

    Each call gives the next float32 [len(indices), *shape] on `device`. The generators are Philox
    with key (seed, index), which is made for this: streams of different keys are independent
    (Salmon et al., SC 2011). Seed and indices are 0 or more.
    """

    def __init__(
        self,
        seed: int,
        indices: Sequence[int],
        shape: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        keys = [np.array([seed, index], dtype=np.uint64) for index in indices]
        self._generators = [np.random.Generator(np.random.Philox(key=key)) for key in keys]
        self._shape = (len(keys), *shape)
        self._device = device

    def __call__(self) -> Tensor:
        noise = np.empty(self._shape, dtype=np.float32)
        for generator, image in zip(self._generators, noise, strict=True):
            generator.standard_normal(dtype=np.float32, out=image)
        return torch.from_numpy(noise).to(self._device)


def initial_noise(seed: int, indices: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Standard normal float32 [len(indices), *shape]; image i depends on (seed, i) alone."""
    return ImageNoise(seed, indices, shape)()


def edm_sigmas(
    n: int, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0
) -> Tensor:
    """The n noise levels of EDM from sigma_max down to sigma_min (arXiv 2206.00364, eq. 5).

    float64; for n = 1, sigma_max alone.
    """
    if n < 1:
        raise ValueError(f"{n} noise levels: at least 1 is needed")
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    ends = sigma_min ** (1 / rho) - sigma_max ** (1 / rho)
    return (sigma_max ** (1 / rho) + ramp * ends) ** rho


def trailing_timesteps(n: int) -> Tensor:
    """n of the timesteps 0..999, evenly spaced from 999 down (arXiv 2305.08891, table 2), int64.

    Sampling so starts where almost no signal is left, as the noise that it starts from has none;
    the "leading" spacing, which diffusers' DDIM has by default, starts at 960 for 25 steps.
    """
    if not 1 <= n <= STEPS:
        raise ValueError(f"{n} noise levels: a model with the ddpm objective has 1 to {STEPS}")
    return torch.from_numpy(np.arange(STEPS, 0, -STEPS / n)[:n].round().astype(np.int64) - 1)


def noise_levels(objective: Objective, steps: int) -> Tensor:
    """The levels models of this objective are sampled over, float64 [steps + 1], the last is 0."""
    levels = edm_sigmas(steps) if objective == "edm" else ddpm_sigmas()[trailing_timesteps(steps)]
    return torch.cat([levels, levels.new_zeros(1)])


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


SAMPLERS = {"ddim": ddim, "ddpm": ddpm, "dpmpp": dpmpp, "heun": heun}


def fast_layout(size: int, device: torch.device) -> torch.memory_format:
    """The memory format of the weights in which sampling images of this side is faster.

    Channels last took 0.76 to 0.97 of the time at 32x32 on a CPU, but 1.04 to 1.12 at 8x8 and
    16x16 (medians of 8 turns, one thread); tensor cores want channels last.
    """
    last = device.type == "cuda" or size >= 32
    return torch.channels_last if last else torch.contiguous_format


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
