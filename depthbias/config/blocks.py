"""The blocks of a study in params.yaml, one class each."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import core_schema

from depthbias.config.auto import AUTO, OrAuto
from depthbias.config.checks import refuse_repeats
from depthbias.data.registry import DATA_SETS, key_problem
from depthbias.diffusion.architectures import SERIES
from depthbias.diffusion.sampler_names import SAMPLERS
from depthbias.estimates.arm_names import SIGNS
from depthbias.measures.copy_thresholds import Calibrated
from depthbias.measures.denoising_rows import DEPTH_LEVELS
from depthbias.vision.embeddings import BACKBONES, EMBEDDINGS
from depthbias.vision.other_classifiers import NAME as CLASSIFIER_NAME

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"


Name = Annotated[str, Field(pattern=NAME)]


Fraction = Annotated[float, Field(gt=0, lt=1)]


DETERMINISTIC = (
    rf"^({'|'.join(name for name, row in SAMPLERS.items() if not row.needs_noise)})-[1-9][0-9]*$"
)


SAMPLER = rf"^({'|'.join(SAMPLERS)})-[1-9][0-9]*$"


class OneOf:
    """In an annotation: text that must be one of the names of a table."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.literal_schema(self.names)


Label = Annotated[str, WithJsonSchema({"type": ["string", "number"]})]


class Block(BaseModel):
    """A block of params.yaml: unknown keys and numbers that are not finite are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Data(Block):
    """Which images, and how they are prepared."""

    dataset: Annotated[str, OneOf(DATA_SETS)] = Field(
        description=", ".join(f"{name} ({row.description})" for name, row in DATA_SETS.items())
    )
    raw: str = Field(default="", description="folder of the files as downloaded; empty for digits")
    labels: str = Field(
        default="",
        description="folder only: CSV with the columns file,label; empty: a sub-folder a class",
    )
    on_conflict: Literal["stop", "drop"] = Field(
        default="stop", description="where a picture is in two classes; drop: use no such picture"
    )
    size: int = Field(ge=4, le=1024, description="height and width of the prepared images, pixels")
    channels: Literal[1, 3] = Field(description="1 grey, 3 RGB")
    heldout: Annotated[int | str, OrAuto(4)] = Field(
        default=AUTO,
        description="real images a class kept from training: half calibrate, half are the control; "
        "auto: three tenths of the smallest class, at most 1000",
    )
    by_person: bool = Field(
        default=False, description="celeba: nobody is in training and in held-out images"
    )
    seed: NonNegativeInt = Field(default=0, description="draws the held-out images")

    @model_validator(mode="after")
    def _names_its_files(self) -> "Data":
        if problem := key_problem(self.dataset, self.raw, self.labels, self.by_person):
            raise ValueError(problem)
        return self


class Selector(Block):
    """Which images belong to a class, by their attributes or labels."""

    all: list[Label] = Field(default=[], description="attributes the image must have")
    any: list[Label] = Field(
        default=[], description="attributes of which it must have at least one"
    )
    none: list[Label] = Field(default=[], description="attributes it must not have")

    @field_validator("all", "any", "none", mode="before")
    @classmethod
    def _numbers_are_names(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        for item in value:
            if isinstance(item, bool) or not isinstance(item, str | int):
                raise ValueError(f"{item!r} is no text: write the label in quotes, as 'yes'")
        return [str(item) for item in value]

    @model_validator(mode="after")
    def _selects_something(self) -> "Selector":
        if not (self.all or self.any or self.none):
            raise ValueError("selects nothing: give at least one of all, any, none")
        return self


class Training(Block):
    """How every model of the study is trained. Budgets are counted in images seen."""

    objective: Literal["ddpm", "edm"] = Field(
        description="epsilon prediction, or EDM preconditioning"
    )
    budget: PositiveInt = Field(description="images seen in all")
    batch_size: PositiveInt
    learning_rate: PositiveFloat = Field(
        description="peak of the optimiser's rate; cosine to 0 after the warm-up"
    )
    warmup: NonNegativeInt = Field(description="images seen while the rate rises linearly")
    optimizer: Literal["adamw", "muon"] = Field(
        default="adamw", description="muon: orthogonal updates of matrices and kernels"
    )
    weight_decay: NonNegativeFloat = Field(default=0.01, description="decoupled, as AdamW's")
    clip: PositiveFloat = Field(default=1.0, description="largest gradient norm")
    ema_halflife: PositiveInt = Field(description="half-life of the weight average, images seen")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 where the GPU has it, else fp32"
    )
    log_every: PositiveInt = Field(description="images seen between rows of the log")
    snapshots: list[PositiveInt] = Field(
        default=[], description="images seen at which the averaged weights are kept as well"
    )


class Sampling(Block):
    """How the trained models are sampled. Image i starts from the same noise for every model."""

    samplers: list[Annotated[str, Field(pattern=SAMPLER)]] = Field(
        min_length=1,
        description="sampler-steps, the main one first; the others are the sampler control",
    )
    images: Annotated[int, Field(ge=2)] = Field(
        description="generated images a model, from each noise seed"
    )
    noise_seeds: list[NonNegativeInt] = Field(
        default=[0],
        min_length=1,
        description="image i starts from noise that depends on (noise seed, i) alone",
    )
    batch_size: PositiveInt

    @field_validator("samplers", "noise_seeds")
    @classmethod
    def _unique(cls, value: list[Any]) -> list[Any]:
        return refuse_repeats(value)


class ClassifierOptions(Block):
    """The study's own classifier of real and generated images."""

    budget: PositiveInt = Field(description="images seen in training")
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    seed: NonNegativeInt = Field(default=0, description="draws weights and batches")
    threshold: Fraction = Field(
        description="balanced accuracy on held-out images below which the study stops"
    )


class OtherClassifiers(Block):
    """Classifiers of other kinds beside the study's own: whose label is it?"""

    others: list[Annotated[str, Field(pattern=CLASSIFIER_NAME)]] = Field(
        default=["network-1", "svm-pixels", "nearest-pixels"],
        min_length=2,
        description="network-SEED; svm, logistic or nearest in one of neighbors.embeddings",
    )
    training_images: PositiveInt = Field(
        default=2000, description="images of each class that those in an embedding are fitted on"
    )
    sheet: Annotated[int, Field(ge=200, le=400)] = Field(
        default=300, description="generated images drawn to be labelled by hand"
    )

    @field_validator("others")
    @classmethod
    def _unique(cls, value: list[Any]) -> list[Any]:
        return refuse_repeats(value)


class Bias(Block):
    """How class proportions are estimated."""

    decidable: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        default=0.9,
        description="top class probability below which a generated image is undecidable",
    )
    bootstrap: Annotated[int, Field(ge=100)] = Field(
        default=2000, description="bootstrap resamples of an interval"
    )


EmbeddingName = Annotated[str, OneOf(EMBEDDINGS)]


BackboneName = Annotated[str, OneOf(BACKBONES)]


class EndpointOptions(Block):
    """What the study is run to answer: named before it is run."""

    metric: Annotated[str, OneOf(SIGNS)] = Field(
        default="kappa_per_depth",
        description="slope on depth; log_odds_shift_per_depth is that of the first ratio",
    )
    series: Annotated[str, OneOf(SERIES)] = Field(
        default="published", description="architectures that the slope is over"
    )
    smallest: PositiveFloat = Field(default=0.1, description="smallest slope worth knowing")
    secondary: list[str] = Field(
        default=["log_odds_shift_per_depth"],
        description="slopes of the summary that are corrected by Holm; all others by "
        "Benjamini and Hochberg",
    )


class Diversity(Block):
    """How different the images of a model are."""

    backbone: BackboneName = Field(
        description="network of the perceptual distance; classifier: the study's own (not LPIPS)"
    )


class Neighbors(Block):
    """How near generated images are to the training images."""

    embeddings: list[EmbeddingName] = Field(
        min_length=1, description="what nearness is measured in; the first one shows the pairs"
    )
    k: list[PositiveInt] = Field(
        min_length=1,
        description="neighbours to report, ascending; auto: 1, 5, 10, 50 below subset_size",
    )
    copies: dict[EmbeddingName, Fraction | Calibrated] = Field(
        default={},
        description="cosine above which images count as copies (GL and RP scores), by embedding; "
        "calibrated: the one that 1 % of the held-out images exceed",
    )

    @field_validator("embeddings", "k")
    @classmethod
    def _unique(cls, value: list[Any]) -> list[Any]:
        return refuse_repeats(value)

    @model_validator(mode="after")
    def _fits_together(self) -> "Neighbors":
        if sorted(self.k) != self.k:
            raise ValueError("k: give the numbers in ascending order")
        for name in self.copies:
            if name not in self.embeddings:
                raise ValueError(f"copies: {name!r} is not among the embeddings")
            if EMBEDDINGS[name].metric != "cosine":
                raise ValueError(f"copies: {name!r} is compared by distances, not by cosines")
        return self


class Quality(Block):
    """How like real images the generated ones are."""

    k: list[PositiveInt] = Field(
        default=[3, 5, 10],
        min_length=1,
        description="nearest neighbours that the balls around images reach to",
    )
    manifold_embedding: EmbeddingName = Field(
        default="pixels",
        description="among neighbors.embeddings: says which images lie on the manifold",
    )
    manifold_k: PositiveInt = Field(default=5, description="among k: the neighbour that says so")

    @field_validator("k")
    @classmethod
    def _unique(cls, value: list[Any]) -> list[Any]:
        return refuse_repeats(value)

    @model_validator(mode="after")
    def _fits_together(self) -> "Quality":
        if self.manifold_k not in self.k:
            raise ValueError(f"manifold_k: {self.manifold_k} is not among k")
        return self


class Denoising(Block):
    """How well every model denoises held-out images and those it was trained on."""

    sigmas: list[Annotated[float, Field(ge=0.001, le=1000)]] = Field(
        default=[0.1, 0.2, 0.5, 1, 2, 5, 10, 20],
        min_length=2,
        description="noise levels, rising, where images span -1 to 1",
    )
    heldout_images: Annotated[int, Field(ge=4)] = Field(
        default=200, description="held-out images, of all classes alike (at most all)"
    )
    training_images: Annotated[int, Field(ge=4)] = Field(
        default=200, description="training images, of all classes alike (at most all)"
    )
    noise_seed: NonNegativeInt = Field(
        default=0, description="the noise of an image depends on it and on the image alone"
    )

    @field_validator("sigmas")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        if value != sorted(set(value)):
            raise ValueError("must rise, each level once")
        low, high = DEPTH_LEVELS
        if not any(low <= sigma <= high for sigma in value):
            raise ValueError(f"none from {low:g} to {high:g}, where stages are judged: add some")
        return value


class Flips(Block):
    """How images are sent through noise and back, to see whether their class survives."""

    levels: list[Annotated[float, Field(gt=0.0101, le=1000)]] = Field(
        default=[0.5, 1, 2, 5, 10, 20, 80],
        min_length=1,
        description="noise levels, rising, where images span -1 to 1",
    )
    images: Annotated[int, Field(ge=4)] = Field(
        default=40,
        description="held-out images, and training images, of all classes alike (at most all)",
    )
    noises: Annotated[int, Field(ge=2)] = Field(
        default=2, description="of every image at every level"
    )
    sampler: Annotated[str, Field(pattern=DETERMINISTIC)] = Field(
        default="dpmpp-12", description="deterministic method-steps, from the level down to 0"
    )
    noise_seed: NonNegativeInt = Field(default=0, description="draws the noises")

    @field_validator("levels")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        if value != sorted(set(value)):
            raise ValueError("must rise, each level once")
        return value


class Structure(Block):
    """How the linear and Gaussian structure of every model is measured."""

    levels: Annotated[int, Field(ge=5, le=100)] = Field(
        default=10, description="noise levels of the EDM grid, from 80 down to 0.002"
    )
    pairs: PositiveInt = Field(description="image pairs of the linearity score")
    noisy_images: PositiveInt = Field(description="noisy training images of the score errors")
    samples: PositiveInt = Field(
        description="noisy images a linear map is fitted to: ten times the pixels is plenty; auto: "
        "five times"
    )
    trajectories: Annotated[int, Field(ge=2, le=32)] = Field(
        default=8,
        description="images sampled with model, linear, Gaussian and multi-delta denoiser",
    )
    seed: NonNegativeInt = Field(default=0, description="draws the images and their noise")
