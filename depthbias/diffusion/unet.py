"""U-Nets of diffusers by name: their table, and how one is built. No torch until one is.

Widths are those of `[BIAS]` Table A (arXiv 2505.17560). Every U-Net has two residual layers a block
and one attention stage, mirrored on the way up. Depth and size are confounded in the published
series. Hence two more series: constant width (only depth varies, size grows with it) and
parameter-matched (depth varies, size stays).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from depthbias.diffusion.architecture import Architecture, check_channels, find
from depthbias.system.errors import UserError

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d import UNet2DModel
    from torch.nn import Module


@dataclass(frozen=True)
class UNet(Architecture):
    """channels: width of each stage at width 1, outermost first."""

    channels: tuple[int, ...] = ()

    @property
    def stages(self) -> int:
        return len(self.channels)

    @property
    def attention(self) -> int:
        """The 0-based stage with self-attention: the last but one, the last at depth 2."""
        return max(1, self.stages - 2)

    @property
    def exportable(self) -> bool:
        return True

    def describe(self) -> dict[str, str]:
        widths = " ".join(map(str, self.channels))
        return {"block_out_channels": widths, "attention_stage": str(self.attention)}

    def check(self, size: int, width: float) -> None:
        """UserError unless the stages can halve the side (pixels) and `widths` takes the width."""
        multiple = 2 ** (self.stages - 1)
        if size >= 1 and size % multiple == 0:
            self.widths(width)
            return
        # A side halves evenly so often, plus 1.
        deepest = (size & -size).bit_length() if size >= 1 else 0
        advice = f"a U-Net of depth {deepest} or less, or " if deepest >= 2 else ""
        raise UserError(
            f"{self.name} is too deep for images of {size}x{size} pixels: "
            f"choose {advice}a size that is a multiple of {multiple}"
        )

    def widths(self, width: float) -> tuple[int, ...]:
        """Channels of each stage at a width multiplier: multiples of 8, an attention head's size.

        UserError for a width that gives others.
        """
        scaled = [channels * width for channels in self.channels]
        if width > 0 and all(channels % 8 == 0 for channels in scaled):
            return tuple(int(channels) for channels in scaled)
        raise UserError(
            f"width {width:g} gives {self.name} {', '.join(f'{c:g}' for c in scaled)} channels: "
            "each must be a positive multiple of 8; choose a width such as 0.25, 0.5, 1 or 2"
        )

    def build(self, channels: int, size: int, width: float) -> "UNet2DModel":
        self.check(size, width)
        check_channels(channels)
        widths, last = self.widths(width), self.stages - 1
        from diffusers.models.unets.unet_2d import UNet2DModel  # 3 s: only where one is built

        attends = [stage == self.attention for stage in range(last + 1)]
        return UNet2DModel(
            sample_size=size,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=2,
            block_out_channels=widths,
            down_block_types=tuple(
                "AttnDownBlock2D" if here else "DownBlock2D" for here in attends
            ),
            up_block_types=tuple(
                "AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attends)
            ),
            norm_num_groups=norm_groups(widths),
        )

    def first_stages(self, network: "Module", stages: int) -> "Module":
        from depthbias.diffusion.stage_cut import first_stages

        return first_stages(network, stages)


def norm_groups(widths: tuple[int, ...]) -> int:
    """Groups of every group norm: 32 as published where that divides all stages, else fewer.

    Below 32 channels the largest power of two that leaves at least two channels in every group,
    because a group of one channel would erase that channel's mean (16 and 32 channels: 8 groups).
    """
    if all(w % 32 == 0 for w in widths):
        return 32
    return max(g for g in (1, 2, 4, 8, 16) if all(w % g == 0 and w // g >= 2 for w in widths))


# Parameters with 3 channels: 1,002,883  3,692,867  3,859,203  16,887,619  27,290,691
PUBLISHED = (
    (32, 64),
    (32, 64, 128),
    (32, 32, 64, 128),
    (32, 64, 128, 128, 256),
    (32, 64, 128, 128, 256, 256),
)
LARGE = ((128, 256),)  # 15,930,883: depth 2 with almost the parameters of depth 5
CONSTANT_WIDTH = tuple((64,) * depth for depth in range(2, 7))
# Found by search over non-decreasing multiples of 32 (the number of norm groups): near the
# 3,859,203 of depth4 (off by +3.4, -4.3, 0, -2.9, +1.4 %: no trend) and growing inwards like it.
PARAMETER_MATCHED = (
    (64, 128),
    (32, 64, 128),
    (32, 32, 64, 128),
    (32, 64, 64, 64, 96),
    (32, 32, 64, 64, 64, 96),
)

UNETS = {
    unet.name: unet
    for suffix, series, beside, rows in (
        ("", "published", "", PUBLISHED),
        ("-large", "large", "published", LARGE),
        ("-const", "constant-width", "", CONSTANT_WIDTH),
        ("-matched", "parameter-matched", "", PARAMETER_MATCHED),
    )
    for unet in (UNet(f"depth{len(row)}{suffix}", series, beside, row) for row in rows)
}


def build_unet(name: str, *, channels: int, size: int, width: float = 1.0) -> "UNet2DModel":
    """A freshly initialised diffusers `UNet2DModel`, on the CPU, in float32.

    name: a key of UNETS; channels: of the images, in and out; size: their side, pixels; width:
    multiplies the channels of every stage. Called as `unet(x, t).sample`: x [N, C, H, W], t [N].
    With channels=3 and width=1 the parameter counts are those of `[BIAS]` Table A. The weights come
    from torch's global generator. UserError for an unknown name, a size or a width that cannot be.
    """
    return find(name, UNETS).build(channels, size, width)
