"""Noise that belongs to the image, and images with noise added."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor


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


def noisy_batches(
    images: Tensor, count: int, sigma: float, seed: int, batch_size: int
) -> Iterator[Tensor]:
    """Batches of x + sigma e, `count` in all, like `images` [N, C, H, W]; e is standard normal.

    The images are taken in a random order, again and again, with new noise each time. Images and
    e depend on `seed` (and on the batch size) but not on sigma, so that levels can be compared,
    and are drawn on the CPU, so that they are the same on every device.
    """
    generator = torch.Generator().manual_seed(seed)
    rounds = -(-count // len(images))
    rows = torch.cat([torch.randperm(len(images), generator=generator) for _ in range(rounds)])
    for batch in rows[:count].split(batch_size):
        clean = images[batch.to(images.device)]
        noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
        yield clean + sigma * noise.to(clean.device)
