"""Noise levels as denoisers take them, and images with noise added."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor


def level_column(sigma: float | Tensor, x: Tensor) -> Tensor:
    """sigma, a float or a tensor [N] for x [N, ...], as float64 [1, 1] or [N, 1] beside x.

    ValueError if a level is not positive and finite, or if there is neither one nor one an image.
    """
    column = torch.as_tensor(sigma, dtype=torch.float64, device=x.device).reshape(-1, 1)
    if not bool(((column > 0) & (column < math.inf)).all()):
        raise ValueError(f"sigma {sigma}: noise levels are positive and finite")
    if len(column) not in (1, len(x)):
        raise ValueError(f"{len(column)} noise levels for {len(x)} images: give one, or one each")
    return column


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
