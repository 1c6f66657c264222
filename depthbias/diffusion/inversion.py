"""DDIM run backwards: from an image to the noised image that it came from."""

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from depthbias.diffusion.denoiser import Denoiser


def invert(denoiser: Denoiser, x: Tensor, sigmas: Tensor) -> Iterator[Tensor]:
    """Euler's method on the probability-flow ODE from 0 up (DDIM inversion, arXiv 2105.05233, F).

    x: images [N, C, H, W]; sigmas: as a sampler takes them, falling to 0. Each step goes along the
    slope at the level where it starts; the first, from 0, along that at the lowest level. Yields x
    after every step; the last one is at sigmas[0].
    """
    levels = sigmas.flip(0).tolist()
    for sigma, following in pairwise(levels):
        at = sigma or following
        x = x + (following - sigma) / at * (x - denoiser(x, at))
        yield x
