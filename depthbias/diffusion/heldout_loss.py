"""The loss of an objective on held-out images, always of the same noise and noise levels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from depthbias.diffusion.noise import initial_noise
from depthbias.diffusion.objectives import (
    SIGMA_LOG_MEAN,
    SIGMA_LOG_STD,
    Network,
    Objective,
    alpha_bars,
    ddpm_squares,
    edm_squares,
)

SEED = 0  # of the noise and of which image has which level


class HeldoutLoss:
    """Loss of a network on held-out images, a level each: a function of the weights alone.

    images: float [M, C, H, W] in [-1, 1] on the device; rows: of the data set, which fix the noise;
    weights: [M], of sum 1. The levels are the M quantiles (i + 1/2) / M of what the objective draws
    them from, so that the mean differs from the training loss by little but the images.
    """

    def __init__(
        self,
        images: Tensor,
        rows: Sequence[int],
        weights: Tensor,
        objective: Objective,
        sigma_data: float,
    ) -> None:
        count, device = len(images), images.device
        generator = torch.Generator().manual_seed(SEED)
        places = torch.randperm(count, generator=generator).double().add(0.5).div(count)
        self.images, self.weights = images, weights.to(images)
        self.noise = initial_noise(SEED, rows, images.shape[1:]).to(images)
        self.objective, self.sigma_data = objective, sigma_data
        self.bars = alpha_bars().to(device, torch.float32)
        self.times = (places * len(self.bars)).long().to(device)
        logs = SIGMA_LOG_MEAN + SIGMA_LOG_STD * torch.special.ndtri(places)
        self.sigmas = logs.exp().to(images)

    def __call__(self, network: Network) -> Tensor:
        """A number on the device; the network is called with at most 256 images."""
        parts = [self._squares(network, part) for part in torch.arange(len(self.images)).split(256)]
        return self.weights @ torch.cat(parts).flatten(1).mean(1)

    def _squares(self, network: Network, part: Tensor) -> Tensor:
        images, noise = self.images[part], self.noise[part]
        if self.objective == "edm":
            return edm_squares(network, images, self.sigma_data, self.sigmas[part], noise)
        return ddpm_squares(network, images, self.bars, self.times[part], noise)
