"""The named U-Net architectures: one table, no torch.

Widths are those of `[BIAS]` Table A (arXiv 2505.17560); every U-Net has two residual layers per
block and one attention stage, mirrored on the way up. Depth and size are confounded in the
published series, hence two more series: constant width (only depth varies, size grows with it) and
parameter-matched (depth varies, size stays).
"""

import difflib
from dataclasses import dataclass
from typing import Literal

from depthbias.system.errors import UserError

Series = Literal["published", "large", "constant-width", "parameter-matched"]


@dataclass(frozen=True)
class Architecture:
    """A U-Net before it meets an image size.

    channels: width of each stage, outermost first (at width 1); attention: the 0-based stage that
    has self-attention; series: depth trends are fitted within one series.
    """

    name: str
    channels: tuple[int, ...]
    attention: int
    series: Series

    @property
    def depth(self) -> int:
        """Number of resolutions."""
        return len(self.channels)


def _series(
    suffix: str, series: Series, widths: tuple[tuple[int, ...], ...]
) -> dict[str, Architecture]:
    """One architecture per tuple; attention at the last but one stage (the last at depth 2)."""
    made = [
        Architecture(f"depth{len(channels)}{suffix}", channels, max(1, len(channels) - 2), series)
        for channels in widths
    ]
    return {get_architecture.name: get_architecture for get_architecture in made}


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

ARCHITECTURES: dict[str, Architecture] = {
    **_series("", "published", PUBLISHED),
    **_series("-large", "large", LARGE),
    **_series("-const", "constant-width", CONSTANT_WIDTH),
    **_series("-matched", "parameter-matched", PARAMETER_MATCHED),
}


def get_architecture(name: str) -> Architecture:
    """The architecture called `name`; a UserError names the nearest one that exists."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    near = difflib.get_close_matches(name, ARCHITECTURES, n=1, cutoff=0)
    raise UserError(
        f"unknown U-Net '{name}': did you mean '{near[0]}'? There are {', '.join(ARCHITECTURES)}"
    )


def check_size(name: str, size: int) -> None:
    """Refuse an image side (pixels) that the U-Net's stages cannot halve down to whole pixels."""
    depth = get_architecture(name).depth
    multiple = 2 ** (depth - 1)
    if size >= 1 and size % multiple == 0:
        return
    deepest = (
        (size & -size).bit_length() if size >= 1 else 0
    )  # a side halves evenly so often, plus 1
    advice = f"a U-Net of depth {deepest} or less, or " if deepest >= 2 else ""
    raise UserError(
        f"{name} is too deep for images of {size}x{size} pixels: "
        f"choose {advice}a size that is a multiple of {multiple}"
    )


def stage_widths(name: str, width: float) -> tuple[int, ...]:
    """Channels of each stage at a width multiplier; multiples of 8, an attention head's size."""
    scaled = [channels * width for channels in get_architecture(name).channels]
    if width > 0 and all(channels % 8 == 0 for channels in scaled):
        return tuple(int(channels) for channels in scaled)
    raise UserError(
        f"width {width:g} gives {name} {', '.join(f'{c:g}' for c in scaled)} channels: "
        "each must be a positive multiple of 8; choose a width such as 0.25, 0.5, 1 or 2"
    )


def norm_groups(widths: tuple[int, ...]) -> int:
    """Groups of every group norm: 32 as published where that divides all stages, else fewer.

    Below 32 channels the largest power of two that leaves at least two channels in every group,
    because a group of one channel would erase that channel's mean (16 and 32 channels: 8 groups).
    """
    if all(w % 32 == 0 for w in widths):
        return 32
    return max(g for g in (1, 2, 4, 8, 16) if all(w % g == 0 and w // g >= 2 for w in widths))
