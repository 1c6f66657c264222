"""Consistency models trained without a teacher (arXiv 2303.01469; losses of arXiv 2310.14189).

f(x, s) is where the probability-flow ODE through x at level s ends. It is learned from pairs of
neighbouring levels of one noise; the lower one's output is the target.
"""

import math

import torch
from torch import Tensor

from depthbias.diffusion.denoiser import level_column
from depthbias.diffusion.objectives import Network
from depthbias.diffusion.schedules import SIGMA_MIN, edm_sigmas
from depthbias.diffusion.trainer import Trainer

FEWEST, MOST = 10, 160  # intervals between levels at the start and at the end of a training
LOG_MEAN, LOG_STD = -1.1, 2.0  # of the law of levels (arXiv 2310.14189, table 1)
HUBER = 0.00054  # c of the pseudo-Huber metric, over the root of the number of pixels


def consistency_function(network: Network, x: Tensor, sigma: Tensor, sigma_data: float) -> Tensor:
    """f(x; s) = c_skip x + c_out F(c_in x, ln(s)/4), which is x at s = 0.002 (appendix C).

    x: [N, C, H, W], sigma: [N], 0.002 or more.
    """
    s = sigma.to(x.dtype).view(-1, 1, 1, 1)
    above, total = s - SIGMA_MIN, s.square() + sigma_data**2
    c_skip = sigma_data**2 / (above.square() + sigma_data**2)
    c_out, c_in = sigma_data * above / total.sqrt(), total.rsqrt()
    return c_skip * x + c_out * network(c_in * x, sigma.to(x.dtype).log() / 4).to(x.dtype)


def intervals(done: float) -> int:
    """Between how many levels pairs are taken when this share of the budget is done.

    From FEWEST, doubled at equal distances up to MOST (arXiv 2310.14189, section 3.4).
    """
    doublings = round(math.log2(MOST / FEWEST)) + 1
    return min(FEWEST * 2 ** int(done * doublings), MOST)


def level_shares(levels: Tensor) -> Tensor:
    """Probability of every pair (i, i + 1) of rising levels: that of a normal law of ln s."""
    below = torch.erf((levels.log() - LOG_MEAN) / (math.sqrt(2) * LOG_STD))
    shares = below[1:] - below[:-1]
    return shares / shares.sum()


def consistency_loss(
    network: Network, images: Tensor, sigma_data: float, count: int, generator: torch.Generator
) -> Tensor:
    """E d(f(x + t e; t), f(x + s e; s)) / (t - s), s < t neighbours of `count` + 1 levels of EDM.

    d: pseudo-Huber. The target, at s, has no gradient. The mean over the batch.
    """
    levels = edm_sigmas(count + 1).flip(0)
    shares = level_shares(levels).to(images.device, torch.float32)
    n = len(images)
    pair = torch.multinomial(shares, n, replacement=True, generator=generator)
    low, high = (levels.to(images)[pair + step] for step in (0, 1))
    noise = torch.randn(images.shape, generator=generator, device=images.device)

    def end(sigma: Tensor) -> Tensor:
        noisy = images + sigma.view(-1, 1, 1, 1) * noise
        return consistency_function(network, noisy, sigma, sigma_data).float()

    with torch.no_grad():
        target = end(low)
    c = HUBER * math.sqrt(images[0].numel())
    distance = ((end(high) - target).square().flatten(1).sum(1) + c * c).sqrt() - c
    return (distance / (high - low)).mean()


class ConsistencyTrainer(Trainer):
    """Trains f as `Trainer` trains a denoiser: same minibatches, optimiser and average."""

    def _loss(self, batch: Tensor) -> Tensor:
        count = intervals(self.seen / self.options.budget)
        return consistency_loss(self._network, batch, self.sigma_data, count, self.generator)


class ConsistencySolution:
    """f of a trained network, to be sampled in one step: DDIM from any level ends at f."""

    def __init__(self, model: torch.nn.Module, sigma_data: float) -> None:
        self.model, self.sigma_data = model.eval(), sigma_data

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Where the ODE through x [N, C, H, W] ends, clipped to [-1, 1]."""

        def network(x: Tensor, t: Tensor) -> Tensor:
            output: Tensor = self.model(x, t, return_dict=False)[0]
            return output

        level = level_column(sigma, x).view(-1).to(x).expand(len(x))
        return consistency_function(network, x, level, self.sigma_data).clamp(-1.0, 1.0)
