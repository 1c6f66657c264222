"""A watermark in the Fourier coefficients of a noised image (Shallow Diffuse, arXiv 2410.21088).

x at noise level s gets the key K in a band of its unnormalised, unshifted Fourier transform; the
sampler takes it to an image from there. Who knows K inverts the sampler and compares. K is the
transform of real noise, so it is Hermitian and the marked x is real: taking the real part of a key
that is not would destroy half of it. Of every pair of mirrored frequencies one is counted.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import ncx2
from torch import Tensor

from depthbias.estimates.intervals import stream
from depthbias.system.errors import UserError
from depthbias.theory.watermark_names import BANDS


class Band(NamedTuple):
    """Frequencies of square images, bool [S, S] each.

    mask: all of them, every one with its mirror image; counted: one of each pair; own: those that
    are their own mirror image, where a real image has a real coefficient.
    """

    mask: Tensor
    counted: Tensor
    own: Tensor

    @property
    def freedom(self) -> int:
        """How many real numbers fix the coefficients of a real image."""
        return int(2 * self.counted.sum() - (self.counted & self.own).sum())


def band(name: str, size: int, radius: float) -> Band:
    """The frequencies within a radius of a centre, of images of so many pixels a side.

    UserError for an unknown name, and for a radius that leaves none or reaches beyond the image.
    """
    if name not in BANDS:
        raise UserError(f"band {name!r} is none of {', '.join(BANDS)}")
    if not 1 <= radius <= size / 2:
        raise UserError(
            f"a watermark of radius {radius:g} in images of {size}x{size} pixels: choose 1 to "
            f"{size / 2:g}"
        )
    step = torch.arange(size)
    mirrored = -step % size
    away = torch.minimum(step, mirrored) - (size // 2 if name == "high" else 0)
    mask = (away[:, None] ** 2 + away**2) <= radius**2
    if name == "low":
        mask[0, 0] = False
    place = step[:, None] * size + step
    partner = mirrored[:, None] * size + mirrored
    return Band(mask, mask & (place <= partner), mask & (place == partner))


def draw_marks(seed: int, indices: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Standard normal float64 [N, *shape] that marks image i; it depends on (seed, i) alone.

    It has a stream of its own: images start from noise that may have the same seed, and a key made
    of that noise would be in every image, marked or not.
    """
    drawn = [stream("watermark", str(seed), str(i)).standard_normal(tuple(shape)) for i in indices]
    return torch.from_numpy(np.stack(drawn))


def draw_keys(seed: int, indices: Sequence[int], shape: Sequence[int]) -> Tensor:
    """The key of every image at noise level 1: complex128 [N, C, S, S], the transform of noise."""
    return torch.fft.fft2(draw_marks(seed, indices, shape))


def inject(x: Tensor, keys: Tensor, chosen: Band, sigma: float) -> Tensor:
    """x [N, C, S, S] with the keys, scaled to noise of level sigma, in a band of its transform."""
    transform = torch.fft.fft2(x.double())
    mask = chosen.mask.to(x.device)
    marked = torch.where(mask, sigma * keys.to(x.device), transform)
    return torch.fft.ifft2(marked).real.to(x)


def distance(x: Tensor, keys: Tensor, chosen: Band, sigma: float) -> Tensor:
    """Root mean squared distance of transform and key in the band, over sigma: float64 [N].

    1 is as far as the keys are from 0; 0 is the key itself.
    """
    return (_squares(x, keys, chosen, sigma) / _numbers(x, chosen)).sqrt()


def p_values(x: Tensor, keys: Tensor, chosen: Band, sigma: float) -> np.ndarray:
    """Probability that a random key is as near to x [N, C, S, S] as this one: float64 [N].

    For an image that knows nothing of its key this is uniform, whatever the image: keys are
    Gaussian, so the squared distance of an image to a random one is a noncentral chi-squared
    variable, with as much noncentrality as the image has in the band.
    """
    squares = _squares(x, keys, chosen, sigma).cpu().numpy()
    power = _squares(x, torch.zeros_like(keys), chosen, sigma).cpu().numpy()
    return np.asarray(ncx2.cdf(squares, _numbers(x, chosen), power))


def _numbers(x: Tensor, chosen: Band) -> int:
    return x.shape[1] * chosen.freedom


def _squares(x: Tensor, keys: Tensor, chosen: Band, sigma: float) -> Tensor:
    """Squared distance to the keys, each real number in units of its deviation, float64 [N].

    Noise of level s has coefficients of variance s^2 S^2: half in the real and half in the
    imaginary part, or all in the real part where a frequency is its own mirror image.
    """
    apart = torch.fft.fft2(x.double()) - sigma * keys.to(x.device)
    weight = 2.0 * chosen.counted.double() - (chosen.counted & chosen.own).double()
    pixels = x.shape[-1] * x.shape[-2]
    return (apart.abs() ** 2 * weight.to(x.device)).sum((1, 2, 3)) / (sigma**2 * pixels)
