"""A study that brings instead of trains: whose models or images are audited, and against what."""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from depthbias.config.blocks import (
    SAMPLER,
    Bias,
    Block,
    ClassifierOptions,
    Denoising,
    Diversity,
    Fraction,
    Name,
    Neighbors,
    OtherClassifiers,
    Quality,
    Sampling,
    Selector,
)
from depthbias.config.checks import refuse
from depthbias.config.fitting import manifold_problems
from depthbias.diffusion.architectures import get_architecture
from depthbias.system.errors import UserError
from depthbias.vision.embeddings import EMBEDDINGS

GIVEN = "given"  # the sampler of images that were brought
MODELS = "models"  # the group of all models, which are sampled from the same noise
CLASSIFIER = "classifier"  # the embedding and backbone that a study without classes lacks
Side = Annotated[int, Field(ge=4, le=1024)]


def _subject_name(name: str) -> str:
    if name == MODELS:
        raise ValueError(f"{name!r} has a meaning of its own: choose another name")
    try:
        get_architecture(name)
    except UserError as error:
        raise ValueError(
            f"{name!r} cannot be the name of a subject: use small letters, digits and -, and no "
            "word that tables use (real, train, published ...) or begins as depth2 does"
        ) from error
    return name


class AuditData(Block):
    """The images that the models were trained on, and how all images are prepared."""

    dataset: Annotated[str, Field(pattern="^folder$")] = Field(
        default="folder", description="folder: own images"
    )
    raw: str = Field(min_length=1, description="folder of all training images, of any depth")
    labels: str = Field(
        default="",
        description="CSV with the columns file,label and, if some images were not used, used; "
        "empty: a sub-folder a class",
    )
    size: Side | Annotated[list[Side], Field(min_length=2, max_length=2)] = Field(
        description="height and width of the prepared images, pixels; [height, width] if they "
        "differ"
    )
    channels: Annotated[int, Field(ge=1, le=3)] = Field(description="1 grey, 3 RGB")
    heldout: NonNegativeInt = Field(
        default=0,
        description="without held-out images: training images a class that the classifier is "
        "calibrated on instead; 0: a tenth",
    )
    seed: NonNegativeInt = Field(default=0, description="draws what is calibrated on")

    @field_validator("channels")
    @classmethod
    def _grey_or_colour(cls, value: int) -> int:
        if value == 2:
            raise ValueError("must be 1 (grey) or 3 (RGB)")
        return value


class Heldout(Block):
    """Real images of the same kind that no model has seen."""

    raw: str = Field(min_length=1, description="folder of the images, of any depth")
    labels: str = Field(default="", description="as data.labels")


class Subject(Block):
    """What is audited: images, or a model. Give one of images, diffusers and weights."""

    images: str = Field(
        default="", description="folder of any depth, .zip, or .npz (arr_0 or images)"
    )
    diffusers: str = Field(
        default="",
        description="folder of a pipeline (model_index.json), or with unet/ and a scheduler",
    )
    weights: str = Field(default="", description=".safetensors or .bin of a UNet2DModel")
    unet: str = Field(default="", description="config.json of these weights")
    scheduler: str = Field(default="", description="scheduler_config.json of these weights")

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Subject":
        given = [key for key in ("images", "diffusers", "weights") if getattr(self, key)]
        if len(given) != 1:
            told = " and ".join(given) or "none of them"
            raise ValueError(f"give one of images, diffusers and weights, not {told}")
        both = bool(self.unet) and bool(self.scheduler)
        if self.weights and not both:
            raise ValueError("weights: give unet (config.json) and scheduler as well")
        if not self.weights and (self.unet or self.scheduler):
            raise ValueError("unet, scheduler: only beside weights")
        return self


class AuditSampling(Sampling):
    """How the models are sampled; images that are brought are taken as they are."""

    samplers: list[Annotated[str, Field(pattern=SAMPLER)]] = Field(
        default=["ddim-50"], min_length=1, max_length=1, description="sampler-steps"
    )
    images: PositiveInt = Field(
        default=1000, description="generated images a model, from each noise seed"
    )
    batch_size: PositiveInt = 250


class AuditClassifier(ClassifierOptions):
    """The classifier of real and generated images, with defaults for an unknown data set."""

    budget: PositiveInt = Field(default=100_000, description="images seen in training")
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 1.0e-3
    threshold: Fraction = Field(
        default=0.9,
        description="balanced accuracy on held-out images below which the study stops",
    )


class AuditNeighbors(Neighbors):
    """How near generated images are to the training images."""

    k: list[PositiveInt] = Field(
        default=[1, 5, 10], min_length=1, description="neighbours to report, ascending"
    )


class Audit(Block):
    """One data set and what is audited against it: subjects in the place of ratios and training.

    To the rules each subject is the only run of an architecture: trained on all images, seed 0.
    """

    data: AuditData
    heldout: Heldout | None = Field(
        default=None, description="real images that no model has seen; without them no membership"
    )
    classes: dict[Name, Selector] = Field(
        default={}, description="majority class first; without them the bias part is left out"
    )
    subjects: dict[Annotated[str, AfterValidator(_subject_name)], Subject] = Field(
        min_length=1, description="what is audited, by a name of small letters, digits and -"
    )
    sampling: AuditSampling = Field(default=AuditSampling(), description="of the models")
    classifier: AuditClassifier = Field(
        default=AuditClassifier(), description="the classifier of real and generated images"
    )
    classifiers: OtherClassifiers = Field(
        default=OtherClassifiers(), description="classifiers of other kinds beside it"
    )
    bias: Bias = Field(default=Bias(), description="how class proportions are estimated")
    diversity: Diversity | None = Field(
        default=None, description="how different images are; without classes name a backbone"
    )
    neighbors: AuditNeighbors = Field(description="how near images are to the training images")
    quality: Quality = Field(
        default=Quality(), description="how like real images the generated ones are"
    )
    denoising: Denoising = Field(
        default=Denoising(), description="how well models denoise held-out and training images"
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _text_keys(cls, value: object) -> object:
        return {str(key): item for key, item in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, content: Any) -> Any:
        """With what follows from there being classes: the classifier also embeds images."""
        if not isinstance(content, dict):
            return content
        own = [CLASSIFIER] if content.get("classes") else []
        near: dict[str, Any] = {"embeddings": ["pixels", *own]}
        given = content.get("neighbors", {})
        if isinstance(given, dict):
            if "embeddings" not in given:
                near["copies"] = dict.fromkeys(own, "calibrated")
            content = content | {"neighbors": near | given}
        if own and "diversity" not in content:
            content = content | {"diversity": {"backbone": CLASSIFIER}}
        return content

    @model_validator(mode="after")
    def _fits_together(self) -> "Audit":
        if len(self.classes) == 1:
            raise ValueError("classes: one class has no bias: give two, or leave classes out")
        used = {"neighbors.embeddings": self.neighbors.embeddings}
        used["diversity.backbone"] = [self.diversity.backbone] if self.diversity else []
        for key, names in used.items():
            if CLASSIFIER in names and not self.classes:
                others = ", ".join(name for name in EMBEDDINGS if name != CLASSIFIER)
                raise ValueError(f"{key}: classifier needs classes: give them, or use {others}")
        refuse(manifold_problems(self))
        if not isinstance(self.data.size, int) and self.classes:
            height, width = self.data.size
            if height == width:
                raise ValueError(f"data.size: write {height}, as both sides are alike")
        return self

    @property
    def architectures(self) -> list[str]:
        """The subjects: each is an architecture to the rules."""
        return list(self.subjects)

    @property
    def ratios(self) -> list[str]:
        return ["natural"]

    @property
    def seeds(self) -> list[int]:
        return [0]

    @property
    def disjoint(self) -> bool:
        return False

    @property
    def models(self) -> list[str]:
        """The subjects that are models."""
        return [name for name, one in self.subjects.items() if not one.images]

    def groups(self, name: str) -> dict[str, "Audit"]:
        """{name of a study: the audit of some subjects}: all models, and each set of images.

        Images of a group are compared one by one: they come from the same noise. name: the audit's.
        """
        found = {f"{name}-{MODELS}": self._of(self.models)} if self.models else {}
        images = [subject for subject in self.subjects if subject not in self.models]
        return found | {f"{name}-{one}": self._of([one], GIVEN) for one in images}

    def _of(self, names: list[str], sampler: str = "") -> "Audit":
        update: dict[str, Any] = {"subjects": {name: self.subjects[name] for name in names}}
        if sampler:
            update["sampling"] = self.sampling.model_copy(update={"samplers": [sampler]})
        return self.model_copy(update=update)
