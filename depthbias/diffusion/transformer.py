"""Diffusion transformers of diffusers by name (arXiv 2212.09748). No torch until one is built."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from depthbias.diffusion.architecture import Architecture, check_channels
from depthbias.system.errors import UserError

if TYPE_CHECKING:
    from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel
    from torch import Tensor
    from torch.nn import Module

PATCH = 2  # pixels a side of the squares that the image is cut into
HEAD = 32  # channels of an attention head


@dataclass(frozen=True)
class Transformer(Architecture):
    """blocks: how many, all alike; channels: of every block at width 1."""

    blocks: int = 0
    channels: int = 0

    def describe(self) -> dict[str, str]:
        widths = " ".join([str(self.channels)] * self.blocks)
        return {"block_out_channels": widths, "attention_stage": "all"}

    def check(self, size: int, width: float) -> None:
        """UserError unless patches tile the side (pixels) and the channels make whole heads."""
        if size < PATCH or size % PATCH:
            raise UserError(
                f"{self.name} cannot cut images of {size}x{size} pixels into patches of "
                f"{PATCH}x{PATCH}: choose a size that is a multiple of {PATCH}"
            )
        channels = self.channels * width
        if not (channels > 0 and channels % HEAD == 0):
            raise UserError(
                f"width {width:g} gives {self.name} {channels:g} channels: they must be a positive "
                f"multiple of {HEAD}; choose a width such as 0.25, 0.5, 1 or 2"
            )

    def build(self, channels: int, size: int, width: float) -> "DiTTransformer2DModel":
        self.check(size, width)
        check_channels(channels)
        from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel

        network = DiTTransformer2DModel(
            num_attention_heads=int(self.channels * width) // HEAD,
            attention_head_dim=HEAD,
            in_channels=channels,
            num_layers=self.blocks,
            sample_size=size,
            patch_size=PATCH,
            num_embeds_ada_norm=1,  # a single class: without labels
        )
        for block in network.transformer_blocks:
            block.norm1.emb.class_embedder.dropout_prob = 0.0  # it would draw outside the run's
        _start_at_identity(network)
        _keep_positions(network)
        network.register_forward_pre_hook(_without_labels, with_kwargs=True)
        return network


def _start_at_identity(network: Any) -> None:
    """Zero what scales each block and the output, as published (adaLN-Zero, section 3.2)."""
    import torch

    layers: list[Any] = [block.norm1.linear for block in network.transformer_blocks]
    for layer in (*layers, network.proj_out_1, network.proj_out_2):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)


def _keep_positions(network: "DiTTransformer2DModel") -> None:
    """Hold the positions of the patches on the CPU, even where the weights are only shapes.

    They are no part of the saved weights, so they could not be filled in later.
    """
    import torch
    from diffusers.models.embeddings import get_2d_sincos_pos_embed

    grid, channels = network.pos_embed.height, network.inner_dim
    with torch.device("cpu"):
        positions = get_2d_sincos_pos_embed(channels, grid, base_size=grid, output_type="pt")
        network.pos_embed.pos_embed = positions.float()[None]


def _without_labels(
    _: "Module", given: "tuple[Tensor, Tensor]", options: dict[str, Any]
) -> "tuple[tuple[Tensor, Tensor], dict[str, Any]]":
    """Add what diffusers' forward asks for: one time an image, and the one class."""
    x, time = given
    labels = x.new_zeros(len(x)).long()
    return (x, time.reshape(-1).expand(len(x))), options | {"class_labels": labels}


# Parameters with 3 channels at width 1: 1,422,220; with 1 channel 1,420,164 (width 0.5: 390,596).
TRANSFORMERS = {
    one.name: one
    for one in (Transformer("dit-small", "transformer", "published", blocks=4, channels=128),)
}
