"""The linear denoiser: the affine map closest to a denoiser at a noise level, in closed form."""

from collections.abc import Iterable, Mapping, Sequence
from math import isclose

import torch
from torch import Tensor

from depthbias.diffusion.denoiser import Denoiser, level_column
from depthbias.diffusion.noise import noisy_batches
from depthbias.system.errors import UserError


class LinearDenoiser:
    """D(x; s) = W x + b with W and b of their own for every noise level they were distilled at.

    maps: {s: (W [d, d], b [d])}, float64. Other levels are refused: W changes with s over orders of
    magnitude and not by a law that could be interpolated, and a sampler needs no other levels than
    those of its own grid, which can be distilled.
    """

    def __init__(self, maps: Mapping[float, tuple[Tensor, Tensor]]) -> None:
        self.maps = dict(maps)

    @classmethod
    @torch.no_grad()
    def distill(
        cls,
        denoiser: Denoiser,
        images: Tensor,
        sigma: float | Sequence[float],
        *,
        samples: int | None = None,
        seed: int = 0,
        batch_size: int = 256,
    ) -> "LinearDenoiser":
        """W, b that minimise the mean of |W (x + s e) + b - D(x + s e; s)|^2 at every level.

        x: `images` [N, C, H, W], each with several draws of the noise e; samples: noisy images a
        level, by default two for each image and at least 20 for each of the d pixels. The least
        squares ([GAUSS] arXiv 2410.24060) are solved exactly, from the streamed second
        moments of inputs and outputs: memory is a few [d, d] matrices of float64.

        The covariance of the inputs is that of the very samples, although Sigma + s^2 I is known:
        the sampled one makes this a regression, whose error comes only from the part of D that is
        not linear, and which returns a linear D exactly; with the exact one all of D's variance
        would enter, as that of the sampled cross-covariance is not cancelled.

        UserError if there are too few samples for a unique solution, or if D is not finite.
        """
        levels = [sigma] if isinstance(sigma, int | float) else list(sigma)
        size = images[0].numel()
        count = max(2 * len(images), 20 * size) if samples is None else samples
        if count <= size:
            raise UserError(
                f"{count} noisy images cannot fix a linear map of {size} pixels: "
                f"take more than {size}, better 10 times as many"
            )
        maps = {}
        for level in levels:
            level_column(level, images)
            noisy = noisy_batches(images, count, level, seed, batch_size)
            maps[level] = _least_squares((x, denoiser(x, level)) for x in noisy)
            if not all(bool(part.isfinite().all()) for part in maps[level]):
                raise UserError(f"the denoiser is not finite at sigma {level:g}: train it again")
        return cls(maps)

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """The estimate of x0, like x [N, C, H, W]; ValueError for a level not distilled."""
        column = level_column(sigma, x)
        flat = x.reshape(len(x), -1).double()
        result = torch.empty_like(flat)
        for level in column.unique().tolist():
            weight, bias = self.maps[self._distilled(level)]
            chosen = (column == level).expand(len(x), 1)[:, 0]
            result[chosen] = flat[chosen] @ weight.T + bias
        return result.view(x.shape).to(x.dtype)

    def _distilled(self, level: float) -> float:
        """The distilled level that is this one but for rounding to float32."""
        for known in self.maps:
            if isclose(level, known, rel_tol=1e-6):
                return known
        known_levels = ", ".join(f"{known:g}" for known in self.maps)
        raise ValueError(f"sigma {level:g} was not distilled: {known_levels} were")


def _least_squares(pairs: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """(W, b) of the regression of y on x, from batches (x, y); their first pair is the origin.

    W = C_yx C_xx^-1, b = mean(y) - W mean(x).
    """
    count = 0
    for inputs, outputs in pairs:
        x, y = (part.reshape(len(part), -1).double() for part in (inputs, outputs))
        if not count:  # moments about a point of the data lose less to rounding
            origin_x, origin_y = x[0].clone(), y[0].clone()
            sum_x, sum_y = torch.zeros_like(origin_x), torch.zeros_like(origin_y)
            xx = torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype, device=x.device)
            yx = torch.zeros_like(xx)
        x, y = x - origin_x, y - origin_y
        count += len(x)
        sum_x += x.sum(0)
        sum_y += y.sum(0)
        xx.addmm_(x.T, x)
        yx.addmm_(y.T, x)
    mean_x, mean_y = sum_x / count, sum_y / count
    xx = xx.div_(count).addr_(mean_x, mean_x, alpha=-1)
    yx = yx.div_(count).addr_(mean_y, mean_x, alpha=-1)
    factor = torch.linalg.cholesky((xx + xx.T) / 2)
    weight = torch.cholesky_solve(yx.T, factor).T
    return weight, origin_y + mean_y - weight @ (origin_x + mean_x)
