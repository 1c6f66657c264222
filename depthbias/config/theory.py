"""The block `theory` of params.yaml: the experiments on models that are known exactly."""

from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from depthbias.config.blocks import Block, Name
from depthbias.config.checks import refuse_repeats
from depthbias.data.subsets import percentages
from depthbias.system.errors import UserError

Unique = AfterValidator(refuse_repeats)


def _two_parts(ratio: str) -> str:
    try:
        parts = percentages(ratio)
    except UserError as error:
        raise ValueError(str(error)) from error
    if len(parts) != 2:
        raise ValueError(f"{ratio!r} has {len(parts)} parts: give two, majority first")
    return ratio


def _rising(levels: list[float]) -> list[float]:
    if levels != sorted(set(levels)):
        raise ValueError(f"{levels} must increase, each level once")
    return levels


class Landscape(Block):
    """Energy landscapes: minima that merge."""

    ratios: Annotated[list[Annotated[str, AfterValidator(_two_parts)]], Unique] = Field(
        min_length=2, description="proportions of two classes before merging, majority first"
    )
    groups: Annotated[list[Annotated[int, Field(ge=2, le=9)]], Unique] = Field(
        min_length=1, description="neighbouring minima that merge into one"
    )
    minima: Annotated[int, Field(ge=2, le=100_000)] = Field(
        description="of a simulated landscape, at most"
    )
    landscapes: PositiveInt = Field(description="simulated landscapes of each ratio and group")
    sigmas: Annotated[list[PositiveFloat], AfterValidator(_rising)] = Field(
        min_length=2, description="levels s of the energy of training images, rising"
    )
    study: Name = Field(description="the study whose training images have that energy")
    kappa_of: Annotated[list[Name], Unique] = Field(
        default=[], description="studies whose measured kappa stands beside the laws"
    )


class Molrg(Block):
    """Mixtures of low-rank Gaussians: when are their subspaces recovered?"""

    space: PositiveInt = Field(description="dimensions of the space")
    dimensions: Annotated[list[PositiveInt], Unique] = Field(
        min_length=1, description="dimensions of a subspace"
    )
    points: Annotated[int, Field(ge=2)] = Field(description="points a class: 1 up to this number")
    trials: Annotated[int, Field(ge=2)] = Field(description="sets of subspaces and points")
    starts: Annotated[int, Field(ge=3)] = Field(description="starts of K-subspaces")


class Theory(Block):
    """The theory bench."""

    seed: NonNegativeInt = Field(default=0, description="draws everything that is drawn")
    landscape: Landscape
    molrg: Molrg
