"""A study, a sweep and all parameters: what must fit together."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from depthbias.config.audit import Audit
from depthbias.config.blocks import (
    Bias,
    Block,
    ClassifierOptions,
    Data,
    Denoising,
    Diversity,
    EndpointOptions,
    Flips,
    Name,
    Neighbors,
    OtherClassifiers,
    Quality,
    Sampling,
    Selector,
    Structure,
    Training,
)
from depthbias.config.checks import check, refuse, refuse_repeats
from depthbias.config.fitting import params_problems, study_problems
from depthbias.config.following import with_what_follows
from depthbias.config.theory import Theory
from depthbias.data.subsets import percentages
from depthbias.diffusion.architectures import trainable

# Targets, and folders in data/ and results/.
RESERVED = ("all", "labels", "raw", "sweeps", "theory", "weights")


def _named(architecture: str) -> str:
    check(trainable, architecture)
    return architecture


def _adds_up(ratio: str) -> str:
    if ratio != "natural":
        check(percentages, ratio)
    return ratio


Unique = AfterValidator(refuse_repeats)
Architectures = Annotated[list[Annotated[str, AfterValidator(_named)]], Unique]
Ratios = Annotated[list[Annotated[str, AfterValidator(_adds_up)]], Unique]


class Study(Block):
    """One data set with its classes, ratios, architectures, seeds and budgets."""

    data: Data
    classes: dict[Name, Selector] = Field(min_length=2, description="majority class first")
    ratios: Ratios = Field(
        min_length=1, description="training percentages like 90-10, or natural (as in the data set)"
    )
    subset_size: PositiveInt = Field(
        description="training images of every model, whatever the ratio"
    )
    architectures: Architectures = Field(min_length=1, description="named architectures")
    width: float = Field(gt=0, le=4, description="factor on every block's channels")
    seeds: Annotated[list[NonNegativeInt], Unique] = Field(
        min_length=1, description="one training run for each"
    )
    disjoint: bool = Field(
        default=False, description="whether the subsets of different seeds share no image"
    )
    training: Training
    overrides: dict[str, dict[str, Any]] = Field(
        default={}, description="training options of single architectures, depth5: {budget: 80_000}"
    )
    sampling: Sampling
    classifier: ClassifierOptions
    classifiers: OtherClassifiers = Field(
        default=OtherClassifiers(), description="classifiers of other kinds beside it"
    )
    bias: Bias = Field(default=Bias(), description="how class proportions are estimated")
    endpoint: EndpointOptions = Field(
        default=EndpointOptions(), description="what the study is run to answer"
    )
    diversity: Diversity
    neighbors: Neighbors
    quality: Quality = Field(
        default=Quality(), description="how like real images the generated ones are"
    )
    structure: Structure
    denoising: Denoising = Field(
        default=Denoising(), description="how well models denoise held-out and training images"
    )
    flips: Flips = Field(
        default=Flips(), description="whether the class survives a round trip through noise"
    )

    @model_validator(mode="before")
    @classmethod
    def _follows(cls, value: object) -> object:
        return with_what_follows(value)

    @field_validator("classes", mode="before")
    @classmethod
    def _text_keys(cls, value: object) -> object:
        return {str(key): item for key, item in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _fits_together(self) -> "Study":
        refuse(study_problems(self))
        return self

    def training_of(self, architecture: str) -> Training:
        """The training options of one architecture: the study's, with what `overrides` changes."""
        return Training(**self.training.model_dump() | self.overrides.get(architecture, {}))


class Sweep(Block):
    """Models of one study with one quantity varied."""

    study: Name = Field(description="the study whose other values hold")
    vary: Literal["subset_size", "width", "snapshots"] = Field(
        description="snapshots: training time, by the weights kept on the way"
    )
    values: list[PositiveFloat] = Field(min_length=2, description="rising")

    @property
    def label(self) -> str:
        """What is varied, for an axis."""
        return {
            "subset_size": "training images",
            "width": "width (factor on channels)",
            "snapshots": "images seen in training",
        }[self.vary]

    @field_validator("values")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        if value != sorted(set(value)):
            raise ValueError("must rise, each value once")
        return value

    def own(self, study: Study) -> float:
        """The value that the study itself has."""
        if self.vary == "snapshots":
            return study.training.budget
        return float(getattr(study, self.vary))

    def varied(self, study: Study, value: float) -> Study:
        """The study with another value, checked anew."""
        if self.vary != "width" and value != int(value):
            raise ValueError(f"{value:g} is not a whole number")
        content = study.model_dump()
        content["training"]["snapshots"] = []
        if self.vary == "snapshots":
            if value not in study.training.snapshots:
                raise ValueError(f"{value:g} is not among training.snapshots of {self.study}")
            content["training"]["budget"] = int(value)
        else:
            content[self.vary] = int(value) if self.vary == "subset_size" else value
        return Study.model_validate(content)


class Params(Block):
    """The whole of params.yaml."""

    active: list[Name] = Field(
        min_length=1, description="studies that `snakemake` without a target makes"
    )
    studies: dict[Name, Study] = Field(default={}, description="studies, by name")
    audits: dict[Name, Audit] = Field(default={}, description="studies that have subjects")
    sweeps: dict[Name, Sweep] = Field(default={}, description="named variations of studies")
    theory: Theory | None = Field(default=None, description="the papers' experiments on theory")

    @field_validator("studies", "audits", "sweeps")
    @classmethod
    def _names_are_free(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name in RESERVED:
                raise ValueError(f"{name!r} has a meaning of its own: choose another name")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "Params":
        refuse(params_problems(self))
        return self

    def points(self, sweep: str) -> dict[str, float]:
        """The studies of a sweep with their values; the one with the study's own is the study."""
        block = self.sweeps[sweep]
        own = block.own(self.studies[block.study])
        return {
            block.study if value == own else f"{sweep}-{value:.10g}": value
            for value in block.values
        }

    def study(self, sweep: str, point: str, value: float) -> Study:
        """The study that one value of a sweep makes."""
        block = self.sweeps[sweep]
        base = self.studies[block.study]
        return base if point == block.study else block.varied(base, value)
