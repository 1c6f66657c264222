"""A study, a sweep and all parameters: what must fit together."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

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
from depthbias.config.checks import check, refuse_repeats
from depthbias.config.theory import Theory, Watermark
from depthbias.data.subsets import percentages
from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.sampler_names import SAMPLERS, samplers_for
from depthbias.system.errors import suggestion
from depthbias.vision.other_classifiers import NETWORK

# Targets, and folders in data/ and results/.
RESERVED = ("all", "labels", "raw", "sweeps", "theory", "weights")


def _named(architecture: str) -> str:
    check(get_architecture, architecture)
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

    @field_validator("classes", mode="before")
    @classmethod
    def _text_keys(cls, value: object) -> object:
        return {str(key): item for key, item in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _fits_together(self) -> "Study":
        pixels = self.data.channels * self.data.size**2
        if self.structure.samples <= pixels:
            raise ValueError(
                f"structure.samples: {self.structure.samples} noisy images cannot fix a linear map "
                f"of {pixels} pixels: take more, {10 * pixels} if there is time"
            )
        if any(seen >= self.training.budget for seen in self.training.snapshots):
            raise ValueError("training.snapshots: must all be below training.budget")
        if max(self.neighbors.k) >= self.subset_size:
            raise ValueError(
                f"neighbors.k: {max(self.neighbors.k)} needs more than {self.subset_size} images"
            )
        for ratio in self.ratios:
            parts = len(ratio.split("-"))
            if ratio != "natural" and parts != len(self.classes):
                raise ValueError(f"ratios: {ratio!r}: {parts} parts, {len(self.classes)} classes")
        for name in self.architectures:
            fits = get_architecture(name).check
            check(fits, self.data.size, self.width, key="architectures: ")
        for name in self.overrides:
            self._check_override(name)
        usable = samplers_for(self.training.objective)
        for name in (sampler.partition("-")[0] for sampler in self.sampling.samplers):
            if name not in usable:
                raise ValueError(
                    f"sampling.samplers: {name} needs training.objective "
                    f"{' or '.join(SAMPLERS[name].objectives)}; use {' or '.join(usable)}"
                )
        return self

    @model_validator(mode="after")
    def _quality_fits(self) -> "Study":
        name, most = self.quality.manifold_embedding, max(self.quality.k)
        if name not in self.neighbors.embeddings:
            raise ValueError(
                f"quality.manifold_embedding: {name!r} is not among neighbors.embeddings"
            )
        if most >= self.data.heldout:
            raise ValueError(
                f"quality.k: {most} needs more than {self.data.heldout} held-out images a class: "
                "lower it, or raise data.heldout"
            )
        return self

    @model_validator(mode="after")
    def _classifiers_fit(self) -> "Study":
        for name in self.classifiers.others:
            kind, _, of = name.partition("-")
            if kind != NETWORK and of not in self.neighbors.embeddings:
                raise ValueError(
                    f"classifiers.others: {name}: {of!r} is not in neighbors.embeddings"
                )
            if name == f"{NETWORK}-{self.classifier.seed}":
                raise ValueError(f"classifiers.others: {name} is the study's own: another seed")
        return self

    def training_of(self, architecture: str) -> Training:
        """The training options of one architecture: the study's, with what `overrides` changes."""
        return Training(**self.training.model_dump() | self.overrides.get(architecture, {}))

    def _check_override(self, architecture: str) -> None:
        if architecture not in self.architectures:
            raise ValueError(
                f"overrides: no architecture {architecture!r} here"
                f"{suggestion(architecture, self.architectures)}"
            )
        for key in self.overrides[architecture]:
            if key not in Training.model_fields:
                hint = suggestion(key, Training.model_fields)
                raise ValueError(f"overrides.{architecture}: unknown key {key!r}{hint}")
        try:
            training = self.training_of(architecture)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(["overrides", architecture, *map(str, first["loc"])])
            raise ValueError(f"{key}: {first['msg']}, not {first['input']!r}") from error
        if training.objective != self.training.objective:
            raise ValueError(f"overrides.{architecture}.objective: one objective a study")
        if any(seen >= training.budget for seen in training.snapshots):
            raise ValueError(
                f"overrides.{architecture}.budget: must be above all training.snapshots"
            )


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
    studies: dict[Name, Study] = Field(min_length=1)
    sweeps: dict[Name, Sweep] = Field(default={}, description="named variations of studies")
    theory: Theory | None = Field(default=None, description="the papers' experiments on theory")

    @field_validator("studies", "sweeps")
    @classmethod
    def _names_are_free(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name in RESERVED:
                raise ValueError(f"{name!r} has a meaning of its own: choose another name")
        return value

    @model_validator(mode="after")
    def _active_exist(self) -> "Params":
        for name in self.active:
            if name not in self.studies:
                raise ValueError(f"active: no study {name!r}{suggestion(name, self.studies)}")
        return self

    @model_validator(mode="after")
    def _theory_fits(self) -> "Params":
        if self.theory is None:
            return self
        parts = dict(self.theory).items()
        named = {f"{key}.study": part.study for key, part in parts if hasattr(part, "study")}
        for key, name in named.items():
            self._check_study(f"theory.{key}", name)
        for name in self.theory.landscape.kappa_of:
            self._check_study("theory.landscape.kappa_of", name)
        molrg, bypass, watermark = self.theory.molrg, self.theory.bypass, self.theory.watermark
        if 2 * max(molrg.dimensions) > molrg.space:
            raise ValueError(
                f"theory.molrg.dimensions: two subspaces of {max(molrg.dimensions)} do not fit "
                f"into a space of {molrg.space}: lower them, or raise theory.molrg.space"
            )
        names = self.studies[bypass.study].architectures
        if not any(get_architecture(name).has_mid_block for name in names):
            raise ValueError(
                f"theory.bypass.study: no architecture of {bypass.study} has a mid block: name "
                "another study"
            )
        self._check_watermark(watermark)
        return self

    def _check_study(self, key: str, name: str) -> None:
        if name not in self.studies:
            raise ValueError(f"{key}: no study {name!r}{suggestion(name, self.studies)}")

    def _check_watermark(self, watermark: Watermark) -> None:
        study, name = self.studies[watermark.study], watermark.architecture
        if name not in study.architectures:
            hint = suggestion(name, study.architectures)
            raise ValueError(
                f"theory.watermark.architecture: no {name!r} in {watermark.study}{hint}"
            )
        if watermark.radius > study.data.size / 2:
            raise ValueError(
                f"theory.watermark.radius: {watermark.radius:g} in images of {study.data.size} "
                f"pixels: at most {study.data.size / 2:g}"
            )

    @model_validator(mode="after")
    def _sweeps_fit(self) -> "Params":
        for name, sweep in self.sweeps.items():
            base = sweep.study
            if base not in self.studies:
                hint = suggestion(base, self.studies)
                raise ValueError(f"sweeps.{name}.study: no study {base!r}{hint}")
            for point, value in self.points(name).items():
                try:
                    self.study(name, point, value)
                except ValidationError as error:
                    first = error.errors()[0]
                    reason = first["msg"].removeprefix("Value error, ")
                    where = ".".join(map(str, ["values", *first["loc"]]))
                    raise ValueError(f"sweeps.{name}.{where}: {value:g}: {reason}") from error
                except ValueError as error:
                    raise ValueError(f"sweeps.{name}.values: {error}") from error
                if point in self.studies and point != base:
                    raise ValueError(f"studies.{point}: sweep {name} makes it: rename one of them")
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
