"""Denoisers: callables D(x, sigma) -> x0, the one interface of samplers and of every measurement.

x and x0 have shape [N, C, H, W] in a scale where images lie in [-1, 1]; x is x0 plus Gaussian noise
of standard deviation sigma > 0 in that scale: a float, or a tensor [N] with one value an image.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, float], Tensor]


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
