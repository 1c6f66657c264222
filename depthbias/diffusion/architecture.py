"""What every kind of network must answer: the base of the named architectures. No torch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from depthbias.system.errors import UserError, suggestion

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True)
class Architecture(ABC):
    """A named network before it meets an image size.

    series: depth trends are fitted within one series; beside: another series whose rows and panels
    it shares in figures, "" for none.
    """

    name: str
    series: str
    beside: str = ""

    @property
    def shown_with(self) -> str:
        """The series that it stands with in figures."""
        return self.beside or self.series

    @property
    def stages(self) -> int:
        """Number of resolutions; 0 for a network that has one resolution throughout."""
        return 0

    @property
    def depth(self) -> int | None:
        """What trends over depth are fitted on: the number of stages, None where there are none."""
        return self.stages or None

    @property
    def has_mid_block(self) -> bool:
        """Whether there is a bottleneck at the coarsest resolution (`mid_block` of a U-Net)."""
        return self.stages > 0

    @property
    def exportable(self) -> bool:
        """Whether diffusers' unconditional `DDPMPipeline` can hold it: its forward needs x, t."""
        return False

    @abstractmethod
    def check(self, size: int, width: float) -> None:
        """UserError for an image side (pixels) or a width multiplier that does not fit."""

    @abstractmethod
    def build(self, channels: int, size: int, width: float) -> "Module":
        """The network with fresh weights from torch's global generator, on the CPU, in float32.

        channels: of the images, in and out, at least 1; size: their side, pixels. It is called as
        `net(x, t, return_dict=False)[0]`: x [N, C, H, W]; t [N] or [1], whole or not; gives a
        tensor like x. UserError as by `check`.
        """

    def first_stages(self, network: "Module", stages: int) -> "Module":
        """The network that runs its first stages only and shares their weights, called as it is.

        stages: 1 to `self.stages` - 1 (ValueError). UserError for a network without stages.
        """
        raise UserError(
            f"{self.name} has one resolution throughout, so no stage that could be cut off: "
            "leave it out"
        )

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Its row of the table: `block_out_channels` at width 1, and `attention_stage`."""

    def parameters(self, channels: int, size: int, width: float) -> int:
        """Trainable parameters, counted on the real network."""
        import torch

        with torch.device("meta"):  # shapes only, no weights
            network = self.build(channels, size, width)
        return sum(parameter.numel() for parameter in network.parameters())


Kind = TypeVar("Kind", bound=Architecture)


def find(name: str, table: Mapping[str, Kind]) -> Kind:
    """The architecture called `name`, else a UserError."""
    if name in table:
        return table[name]
    raise UserError(f"unknown architecture {name!r}{suggestion(name, table)}")


def check_channels(channels: int) -> None:
    """UserError for fewer image channels than one."""
    if channels < 1:
        raise UserError(f"{channels} image channels: at least 1 is needed")
