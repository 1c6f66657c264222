"""One network for all noise levels, one a stage, and one encoder with a decoder a stage."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from depthbias.data.pixels import to_float
from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.multi_delta_denoiser import DeltaDenoiser
from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.noise import initial_noise
from depthbias.diffusion.objectives import measure_sigma_data
from depthbias.diffusion.trainer import Trainer, TrainingOptions
from depthbias.measures.chosen_images import Chosen
from depthbias.system.compute import choose_precision
from depthbias.theory.jacobians import ImplicitJacobian, rank_ratio, spectrum
from depthbias.theory.multi_stage import MultiStage, NetworkTrainer, Separate, flops, ranges
from depthbias.theory.stage_names import UNIFIED
from depthbias.theory.stages import between, by_rank, partition, similarities

POINTS = 8  # held-out images at which the rank of the Jacobian is measured


class StageStudy:
    """Trains networks on the same minibatches and noise, and measures them on the same images.

    images: uint8 [N, H, W, C] of the training set; sigmas: noise levels, rising.
    """

    def __init__(
        self,
        options: TrainingOptions,
        images: Tensor,
        heldout: Chosen,
        sigmas: Sequence[float],
        noise_seed: int,
        device: torch.device,
    ) -> None:
        self.options, self.images, self.sigmas, self.device = options, images, sigmas, device
        self.precision = choose_precision(options.precision, device)
        self.sigma_data = measure_sigma_data(images)
        self.heldout, self.seed = heldout.images, noise_seed
        shape = self.heldout.shape[1:]
        self.noise = initial_noise(noise_seed, heldout.rows.tolist(), shape).to(self.heldout)
        training = to_float(images).to(device)
        delta = DeltaDenoiser(training)
        self.similarity = similarities(delta, training, sigmas, noise_seed)  # [L, L, N]

    def ends(self, stages: int) -> list[float]:
        """Noise levels at which stages end."""
        mean = self.similarity.mean(2).numpy()
        return between(self.sigmas, partition(mean, stages))

    def unified(self) -> nn.Module:
        trainer = Trainer(self.options, self.images, self.device, self.precision)
        return trainer.complete().eval()

    def separate(self, ends: Sequence[float]) -> nn.Module:
        networks = [self._network(self.options.width, k) for k in range(len(ends) + 1)]
        return self._given(Separate(networks, ends))

    def multi_stage(
        self, ends: Sequence[float], widths: Sequence[float], ranks: np.ndarray
    ) -> nn.Module:
        """Decoders are the wider, the higher the rank of the unified network in their stage."""
        by_level = ranks.mean(1)
        means = [float(by_level[places].mean()) for places in ranges(ends, self.sigmas)]
        chosen = by_rank(widths, means)
        decoders = [self._network(width, k) for k, width in enumerate(chosen, 1)]
        return self._given(MultiStage(self._network(self.options.width, 0), decoders, ends))

    def ranks(self, network: nn.Module) -> np.ndarray:
        """Rank ratio of the Jacobian at noised held-out images, float64 [L, POINTS]."""
        denoiser = self._denoiser(network)
        found = []
        for sigma in self.sigmas:
            x = self.heldout[:POINTS] + sigma * self.noise[:POINTS]
            whole = ImplicitJacobian(denoiser, x, sigma, self.options.batch_size).whole()
            found.append(rank_ratio(spectrum(whole, torch.Generator()))[0].numpy())
        return np.stack(found)

    @torch.inference_mode()
    def losses(self, network: nn.Module) -> np.ndarray:
        """Mean square of D(x + s e; s) - x of a pixel, float64 [L, held-out images]."""
        denoiser = self._denoiser(network)
        squares = [denoiser(self.heldout + s * self.noise, s) - self.heldout for s in self.sigmas]
        return np.stack([d.square().flatten(1).double().mean(1).cpu().numpy() for d in squares])

    def compared(
        self, networks: Mapping[str, nn.Module], ranks: np.ndarray
    ) -> dict[str, dict[str, Any]]:
        """{kind: {name: values [L, n]}}; losses also as changes, in shares of the unified one's.

        ranks: of the unified network, as `ranks`.
        """
        shape = tuple(self.heldout.shape[1:])
        losses = {kind: self.losses(network) for kind, network in networks.items()}
        plain = losses[UNIFIED]
        found: dict[str, dict[str, Any]] = {}
        for kind, network in networks.items():
            costs = [[flops(network.cpu(), shape, sigma) / 1e6] for sigma in self.sigmas]
            found[kind] = {"stages_loss": losses[kind], "stages_megaflops": np.array(costs)}
            if kind != UNIFIED:
                change = (losses[kind] - plain) / plain.mean(1, keepdims=True)
                found[kind]["stages_loss_change"] = change
        found[UNIFIED]["stages_rank"] = ranks
        for place, rows in enumerate(self.similarity.transpose(0, 1)):
            found[UNIFIED][f"stages_similarity@{place + 1}"] = rows.numpy()
        return found

    def _denoiser(self, network: nn.Module) -> NetworkDenoiser:
        return NetworkDenoiser(network.to(self.device), "edm", self.sigma_data)

    def _network(self, width: float, number: int) -> Any:
        """A new network, whose start depends on the seed and its number."""
        torch.manual_seed(1000 * self.options.seed + number)
        size, channels = self.images.shape[1], self.images.shape[3]
        architecture = get_architecture(self.options.architecture)
        return architecture.build(channels=channels, size=size, width=width)

    def _given(self, network: nn.Module) -> nn.Module:
        options = self.options, self.images, self.device, self.precision
        return NetworkTrainer(network, *options).complete().eval()
