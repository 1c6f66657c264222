"""Kinds of models that may make the same image of the same noise. Imports no torch."""

from typing import Literal, NamedTuple


class Family(NamedTuple):
    """title: for figures; architecture: its own, "" for the U-Net of the part; objective: how it
    learns."""

    title: str
    architecture: str
    objective: Literal["edm", "ddpm", "consistency"]


class Member(NamedTuple):
    """One model: its family, the width of its network, its number of training images, which half of
    the data set these are from."""

    family: str
    width: float
    size: int
    half: str


FAMILIES = {
    "unet-edm": Family("U-Net, EDM", "", "edm"),
    "unet-ddpm": Family("U-Net, DDPM", "", "ddpm"),
    "transformer": Family("transformer, EDM", "dit-small", "edm"),
    "consistency": Family("consistency model", "", "consistency"),
}
GRID = "unet-edm"  # the family that is trained at every width and number of images
DELTA = "multi-delta"  # the exact denoiser of the training images
TITLES = {name: family.title for name, family in FAMILIES.items()} | {DELTA: "multi-delta"}
HALVES = ("a", "b")  # disjoint training sets
