"""Training objectives: DDPM's noise prediction and EDM's preconditioned denoising.

A network is a callable F(x, t) -> tensor like x, with x [N, C, H, W] and t [N]; images are in [-1,
1]. Random numbers are drawn on the device of the images from the generator given.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from depthbias.diffusion.sampler_names import MOST_STEPS

Objective = Literal["ddpm", "edm"]
Prediction = Literal["epsilon", "v_prediction", "sample"]  # of a network of objective ddpm
Network = Callable[[Tensor, Tensor], Tensor]

STEPS = MOST_STEPS["ddpm"]
BETA_START, BETA_END = 1e-4, 0.02
SIGMA_LOG_MEAN, SIGMA_LOG_STD = -1.2, 1.2


def alpha_bars() -> Tensor:
    """abar_t, t = 0..999, float64 [1000]: products of 1 - beta_t (arXiv 2006.11239, section 4)."""
    betas = torch.linspace(BETA_START, BETA_END, STEPS, dtype=torch.float64)
    return torch.cumprod(1 - betas, 0)


def ddpm_loss(network: Network, images: Tensor, bars: Tensor, generator: torch.Generator) -> Tensor:
    """E |e - F(sqrt(abar_t) x + sqrt(1 - abar_t) e, t)|^2 (arXiv 2006.11239, eq. 14).

    The mean over batch and pixels; bars: `alpha_bars()` on the device of the images; t is uniform.
    """
    n = images.shape[0]
    t = torch.randint(0, len(bars), (n,), generator=generator, device=images.device)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return ddpm_squares(network, images, bars, t, noise).mean()


def ddpm_squares(
    network: Network, images: Tensor, bars: Tensor, t: Tensor, noise: Tensor
) -> Tensor:
    """|e - F(x_t, t)|^2 of every pixel, [N, C, H, W]; t: int [N]; noise: e, like the images."""
    bar = bars.to(images.dtype)[t].view(-1, 1, 1, 1)
    predicted = network(bar.sqrt() * images + (1 - bar).sqrt() * noise, t)
    return (predicted.float() - noise).square()


def edm_denoise(network: Network, x: Tensor, sigma: Tensor, sigma_data: float) -> Tensor:
    """D(x; s) = c_skip x + c_out F(c_in x, ln(s)/4) (arXiv 2206.00364, eq. 7 and table 1).

    x: [N, C, H, W], sigma: [N] > 0, sigma_data: standard deviation of the training images.
    """
    s = sigma.to(x.dtype).view(-1, 1, 1, 1)
    total = s.square() + sigma_data**2
    c_skip, c_out, c_in = sigma_data**2 / total, s * sigma_data / total.sqrt(), total.rsqrt()
    return c_skip * x + c_out * network(c_in * x, sigma.to(x.dtype).log() / 4).to(x.dtype)


def edm_loss(
    network: Network, images: Tensor, sigma_data: float, generator: torch.Generator
) -> Tensor:
    """E w(s) |D(x + s e; s) - x|^2, w = (s^2 + sd^2)/(s sd)^2, ln s ~ N(-1.2, 1.2^2).

    The mean over batch and pixels (arXiv 2206.00364, eq. 8 and table 1).
    """
    n = images.shape[0]
    z = torch.randn(n, generator=generator, device=images.device)
    sigma = (z * SIGMA_LOG_STD + SIGMA_LOG_MEAN).exp()
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return edm_squares(network, images, sigma_data, sigma, noise).mean()


def edm_squares(
    network: Network, images: Tensor, sigma_data: float, sigma: Tensor, noise: Tensor
) -> Tensor:
    """w(s) |D(x + s e; s) - x|^2 of every pixel, [N, C, H, W]; sigma: [N]; noise: e."""
    s = sigma.view(-1, 1, 1, 1)
    weight = (s.square() + sigma_data**2) / (s * sigma_data).square()
    denoised = edm_denoise(network, images + s * noise, sigma, sigma_data)
    return weight * (denoised - images).square()


def level_weights(sigmas: Sequence[float], sigma_data: float) -> np.ndarray:
    """w [L] such that w @ loss is the loss of `edm_loss`, from that of a pixel at each level.

    sigmas: rising, at least two. The integral over ln s is taken by the trapezium rule, as if the
    normal law of ln s ended at the first and the last level.
    """
    logs, levels = np.log(sigmas), np.asarray(sigmas)
    steps = np.diff(logs)
    widths = np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]])
    mass = widths * np.exp(-0.5 * ((logs - SIGMA_LOG_MEAN) / SIGMA_LOG_STD) ** 2)
    weights: np.ndarray = mass / mass.sum() * (levels**2 + sigma_data**2)
    return weights / (levels * sigma_data) ** 2


def measure_sigma_data(images: Tensor) -> float:
    """Standard deviation, in [-1, 1] scale, of all pixels of uint8 images; 1 if all are equal."""
    counts = torch.bincount(images.flatten(), minlength=256).double()  # exact, and needs no copy
    levels, shares = torch.arange(256, dtype=torch.float64) / 127.5 - 1, counts / counts.sum()
    variance = float((shares * (levels - (shares * levels).sum()).square()).sum())
    return math.sqrt(variance) if variance > 0 else 1.0
