"""Building the diffusers U-Net of a named architecture."""

from typing import TYPE_CHECKING

from depthbias.diffusion.architectures import (
    check_size,
    get_architecture,
    norm_groups,
    stage_widths,
)
from depthbias.system.errors import UserError

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d import UNet2DModel


def build_unet(name: str, *, channels: int, size: int, width: float = 1.0) -> "UNet2DModel":
    """A freshly initialised diffusers `UNet2DModel`, on the CPU, in float32.

    name: see `architectures.ARCHITECTURES`; channels: of the images, in and out; size: their side
    in pixels; width: multiplies the channels of every stage. Called as `unet(x, t).sample` with x
    [N, C, H, W] and t [N]. With channels=3 and width=1 the parameter counts are those of `[BIAS]`
    Table A. The initial weights come from torch's global generator. UserError for an unknown name,
    a size too small for the depth, or an odd width.
    """
    check_size(name, size)
    if channels < 1:
        raise UserError(f"{channels} image channels: at least 1 is needed")
    widths = stage_widths(name, width)
    attention, last = get_architecture(name).attention, len(widths) - 1

    from diffusers.models.unets.unet_2d import UNet2DModel  # 3 s: only where a U-Net is built

    return UNet2DModel(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=2,
        block_out_channels=widths,
        down_block_types=tuple(
            "AttnDownBlock2D" if stage == attention else "DownBlock2D" for stage in range(last + 1)
        ),
        up_block_types=tuple(
            "AttnUpBlock2D" if last - stage == attention else "UpBlock2D"
            for stage in range(last + 1)
        ),
        norm_num_groups=norm_groups(widths),
    )
