"""The Gaussian denoiser: optimal for data with the mean and covariance of the training images."""

import torch
from torch import Tensor

from depthbias.diffusion.denoiser import level_column
from depthbias.system.errors import UserError

BLOCK_VALUES = 2**24  # pixels converted to float64 at a time: 128 MB


class GaussianDenoiser:
    """D(x; s) = mu + U diag(l / (l + s^2)) U^T (x - mu) ([GAUSS] arXiv 2410.24060).

    mean: mu, [C, H, W]; vectors: U, [d, r], the directions in which the data vary, d = C H W;
    values: l, [r], their variances, all positive, falling. Everything is computed in float64 and
    returned like x. The covariance may have any rank r <= d (fewer images than pixels, constant
    borders): in the other directions the data are the mean, and so is D.
    """

    def __init__(self, mean: Tensor, vectors: Tensor, values: Tensor) -> None:
        self.mean, self.vectors, self.values = mean.double(), vectors.double(), values.double()

    @classmethod
    def fit(cls, images: Tensor) -> "GaussianDenoiser":
        """From images [N, C, H, W], streamed: their mean and covariance (1/N).

        UserError without images or if a value is not finite.
        """
        if not len(images):
            raise UserError("a Gaussian needs at least one image: the set is empty")
        flat = images.reshape(len(images), -1)
        blocks = flat.split(max(1, BLOCK_VALUES // flat.shape[1]))
        mean = torch.stack([block.double().sum(0) for block in blocks]).sum(0) / len(flat)
        if not bool(mean.isfinite().all()):
            raise UserError("the images hold values that are not finite: prepare them again")
        covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=flat.device)
        for block in blocks:
            deviation = block.double() - mean
            covariance.addmm_(deviation.T, deviation, alpha=1 / len(flat))
        values, vectors = torch.linalg.eigh(covariance)
        # Below this an eigenvalue is rounding (the rule of numpy's matrix_rank).
        floor = float(values[-1]) * len(mean) * torch.finfo(torch.float64).eps
        kept = values > floor
        return cls(mean.view(images.shape[1:]), vectors[:, kept].flip(1), values[kept].flip(0))

    @property
    def rank(self) -> int:
        """The number of directions in which the data vary."""
        return len(self.values)

    @property
    def note(self) -> str:
        """One line if the covariance has not full rank, else nothing."""
        size = self.mean.numel()
        if self.rank == size:
            return ""
        return (
            f"covariance of rank {self.rank} in {size} dimensions: "
            f"in the other {size - self.rank} the Gaussian denoiser is the mean"
        )

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """The estimate of x0, like x [N, C, H, W]; ValueError for a bad sigma or shape."""
        variance = level_column(sigma, x).square()
        gains = self.values / (self.values + variance)
        return self._scale(x, gains, torch.zeros_like(variance))

    def flow(self, x: Tensor, start: float, end: float) -> Tensor:
        """x at noise level `start` carried to `end` by the probability-flow ODE, in closed form.

        mu + sum_i sqrt((end^2 + l_i) / (start^2 + l_i)) u_i u_i^T (x - mu), l_i = 0 outside the
        range of the covariance. start > 0, end >= 0.
        """
        if not end >= 0:
            raise ValueError(f"end {end}: a noise level is not negative")
        before = level_column(start, x).square()
        gains = ((end**2 + self.values) / (before + self.values)).sqrt()
        return self._scale(x, gains, end / before.sqrt())

    def matrix(self, sigma: float) -> Tensor:
        """W_G = U diag(l / (l + s^2)) U^T, float64 [d, d]: the slope of D at one noise level."""
        variance = level_column(sigma, self.mean[None]).square()
        return (self.vectors * (self.values / (self.values + variance))) @ self.vectors.T

    def _scale(self, x: Tensor, gains: Tensor, rest: Tensor) -> Tensor:
        """mu + U diag(gains) U^T (x - mu), and `rest` as the gain of all other directions.

        gains: [1, r] or [N, r]; rest: [1, 1] or [N, 1].
        """
        if x.shape[1:] != self.mean.shape:
            shapes = f"{list(x.shape[1:])}, not {list(self.mean.shape)}"
            raise ValueError(f"images of shape {shapes} as those the Gaussian was fitted to")
        deviation = x.reshape(len(x), -1).double() - self.mean.reshape(-1)
        projected = deviation @ self.vectors
        scaled = rest * deviation + ((gains - rest) * projected) @ self.vectors.T
        return (self.mean + scaled.view(x.shape)).to(x.dtype)
