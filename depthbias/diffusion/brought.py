"""What is brought instead of trained, by name: it stands where an architecture stands. No torch."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from depthbias.diffusion.architecture import Architecture
from depthbias.system.errors import UserError

if TYPE_CHECKING:
    from torch.nn import Module

SERIES = "brought"
# A name of our own kinds is one of the table, or a mistake.
OURS = re.compile(r"(depth|dit)[0-9-]")
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
TAKEN = {"all", "real", "train"}  # architectures of rows that are about no single model


@dataclass(frozen=True)
class Brought(Architecture):
    """A model of others, or images of one: it has no depth that is known."""

    def describe(self) -> dict[str, str]:
        return {"block_out_channels": "", "attention_stage": ""}

    def check(self, size: int, width: float) -> None:
        raise UserError(f"{self.name} is brought: only named architectures can be trained")

    def build(self, channels: int, size: int, width: float) -> "Module":
        raise UserError(f"{self.name} is brought: only named architectures can be built")


def is_brought(name: str) -> bool:
    """Whether a name that is no architecture's may be that of what is brought."""
    return bool(NAME.fullmatch(name)) and name not in TAKEN and not OURS.match(name)
