"""The block `theory` of params.yaml: the papers' experiments on theory."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from depthbias.config.blocks import DETERMINISTIC, Block, Name, OneOf
from depthbias.config.checks import refuse_repeats
from depthbias.data.subsets import percentages
from depthbias.system.errors import UserError
from depthbias.theory.family_names import FAMILIES
from depthbias.theory.schedule_names import SCHEDULE_TITLES
from depthbias.theory.watermark_names import ATTACKS, BANDS

Level = TypeVar("Level", int, float)
ONE_CALL = r"^(ddim|dpmpp)-[1-9][0-9]*$"  # methods that call the denoiser once a step
Unique = AfterValidator(refuse_repeats)


def _two_parts(ratio: str) -> str:
    try:
        parts = percentages(ratio)
    except UserError as error:
        raise ValueError(str(error)) from error
    if len(parts) != 2:
        raise ValueError(f"{ratio!r} has {len(parts)} parts: give two, majority first")
    return ratio


def _rising(levels: list[Level]) -> list[Level]:
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


Levels = Annotated[
    list[Annotated[float, Field(gt=0.01, le=80)]], AfterValidator(_rising), Field(min_length=1)
]
Strengths = Annotated[list[PositiveInt], AfterValidator(_rising), Field(min_length=1)]
Ends = Annotated[list[NonNegativeInt], Field(min_length=2, max_length=2)]


class Jacobian(Block):
    """Rank and local linearity of the denoisers of a study."""

    study: Name = Field(description="the study whose models are measured; they are trained first")
    sigmas: Levels = Field(description="noise levels, rising, where images span -1 to 1")
    trajectories: Annotated[int, Field(ge=2)] = Field(description="sampled from a model")
    strengths: Strengths = Field(
        description="lengths of steps of local linearity, percent of the noise's, rising"
    )


class Editing(Block):
    """Edits of a region of generated images along directions of the Jacobian."""

    study: Name = Field(description="the study whose models edit; they are trained first")
    levels: Levels = Field(description="noise levels at which images are edited, rising")
    images: Annotated[int, Field(ge=2)] = Field(description="that are edited, of a model")
    rows: Ends = Field(description="of the region: from, up to; the first row is 0")
    columns: Ends = Field(description="of the region: from, up to")
    kept: NonNegativeInt = Field(
        description="leading directions that act outside of the region, which are projected off"
    )
    strengths: Strengths = Field(
        description="lengths of an edit's step, percent of the noise's, rising"
    )
    sampler: Annotated[str, Field(pattern=DETERMINISTIC)] = Field(
        default="dpmpp-12", description="deterministic method-steps, from the level down to 0"
    )


class Bypass(Block):
    """The mid block of U-Nets bypassed while they sample."""

    study: Name = Field(description="the study whose U-Nets, of its first ratio, are bypassed")
    schedules: Annotated[list[Annotated[str, OneOf(SCHEDULE_TITLES)]], Unique] = Field(
        min_length=1,
        description="all steps, a third of them, or fading in the first third (progressive)",
    )
    percentages: Annotated[list[Annotated[int, Field(ge=0, le=100)]], AfterValidator(_rising)] = (
        Field(min_length=2, description="of the mid block, rising")
    )
    sampler: Annotated[str, Field(pattern=ONE_CALL)] = Field(
        description="method-steps, a method of one call of the U-Net a step"
    )
    images: Annotated[int, Field(ge=2)] = Field(description="of a model at every percentage")


class Watermark(Block):
    """A watermark in the Fourier coefficients of noised images."""

    study: Name = Field(description="the study whose model, of its first ratio and seed, is marked")
    architecture: str = Field(description="of that model")
    bands: Annotated[list[Annotated[str, OneOf(BANDS)]], Unique] = Field(
        min_length=1, description="low: around the constant; high: around the finest checkerboard"
    )
    radius: Annotated[float, Field(ge=1)] = Field(description="of a band, in frequencies")
    sigmas: Annotated[list[Annotated[float, Field(gt=0.01, lt=80)]], AfterValidator(_rising)] = (
        Field(min_length=2, description="levels of noise at which images are marked, rising")
    )
    attacks: Annotated[list[Annotated[str, OneOf(ATTACKS)]], Unique] = Field(
        min_length=1, description="what images go through before the mark is looked for"
    )
    images: Annotated[int, Field(ge=10)] = Field(description="marked, and unmarked")
    steps: PositiveInt = Field(description="of DDIM, and of its inversion")


class FamilyTraining(Block):
    """How a family is trained where it differs from the recipe of the study."""

    budget: PositiveInt | None = Field(default=None, description="images seen in all")
    learning_rate: PositiveFloat | None = Field(default=None, description="its peak")


class Families(Block):
    """Models of several families on the same and on disjoint training images."""

    study: Name = Field(description="the study whose images and recipe are taken")
    architecture: str = Field(description="of the U-Nets; one of the study's")
    families: Annotated[list[Annotated[str, OneOf(FAMILIES)]], Unique] = Field(
        min_length=1, description="kinds of models; the multi-delta stands beside them"
    )
    sizes: Annotated[list[Annotated[int, Field(ge=2)]], AfterValidator(_rising)] = Field(
        min_length=1, description="training images, rising; the largest for all families"
    )
    widths: Annotated[list[PositiveFloat], AfterValidator(_rising)] = Field(
        min_length=1, description="of the U-Nets trained by edm, at every size, beside the study's"
    )
    overrides: dict[str, FamilyTraining] = Field(
        default={}, description="of families that need another training than the study's recipe"
    )
    seeds: Annotated[list[NonNegativeInt], Unique] = Field(
        min_length=1, description="each draws training images and starts networks"
    )
    images: Annotated[int, Field(ge=10)] = Field(description="of a model, from the same noise")


class Stages(Block):
    """Networks whose noise levels are treated by stages."""

    study: Name = Field(description="the study whose training images and recipe are taken")
    architecture: str = Field(description="of the networks; a U-Net of the study")
    stages: Annotated[int, Field(ge=2)] = Field(description="into which the levels are parted")
    sigmas: Levels = Field(description="noise levels, rising, where images span -1 to 1")
    widths: list[PositiveFloat] = Field(description="of the decoders, one a stage, in any order")
    heldout_images: Annotated[int, Field(ge=10)] = Field(description="whose loss is compared")


class Theory(Block):
    """The theory bench."""

    seed: NonNegativeInt = Field(default=0, description="draws everything that is drawn")
    landscape: Landscape
    molrg: Molrg
    jacobian: Jacobian
    editing: Editing
    bypass: Bypass
    watermark: Watermark
    families: Families
    stages: Stages

    def on_studies(self) -> list[tuple[str, "OnStudy"]]:
        """The parts that measure a study, which their `study` names, by key."""
        parts = (self.landscape, self.jacobian, self.editing, self.bypass, self.watermark)
        more = (self.families, self.stages)
        return [(type(part).__name__.lower(), part) for part in (*parts, *more)]


OnStudy = Landscape | Jacobian | Editing | Bypass | Watermark | Families | Stages
