"""A U-Net with its deepest stages cut off: does it use them?"""

import copy
from typing import Any

from torch import Tensor, nn


class Zeros(nn.Module):
    """In place of a mid block: zeros of some channels, [N, channels, H, W] for an input there."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, hidden: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden.new_zeros(len(hidden), self.channels, *hidden.shape[2:])


def first_stages(unet: Any, stages: int) -> nn.Module:
    """A diffusers `UNet2DModel` that runs its first stages only and shares their weights.

    stages: from 1 to one fewer than it has (ValueError). What the up block of the next stage hands
    to that of the last one kept is 0, so nothing deeper is computed. `unet` is not changed.
    """
    there = len(unet.down_blocks)
    if not 1 <= stages < there:
        raise ValueError(f"{stages} of {there} stages: keep 1 to {there - 1}")
    last = _shallow(unet.down_blocks[stages - 1])
    last.downsamplers = None  # what comes after it is not there
    cut = _shallow(unet)
    cut.down_blocks = nn.ModuleList([*unet.down_blocks[: stages - 1], last])
    cut.mid_block = Zeros(unet.config["block_out_channels"][stages])
    cut.up_blocks = nn.ModuleList(unet.up_blocks[there - stages :])
    return cut


def _shallow(module: nn.Module) -> Any:
    """A module of its own with the same parts."""
    made = copy.copy(module)
    made._modules = dict(module._modules)
    return made
