"""params.yaml as typed classes: unknown keys refused, ranges checked, errors by key path.

The only place that knows what may stand in params.yaml; `schema()` gives it as JSON schema too.
"""

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from depthbias.architectures import architecture, check_size, stage_widths
from depthbias.errors import UserError, explain

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
RESERVED = ("all", "raw", "sweeps", "weights")  # a target, and folders of data/ and results/
Name = Annotated[str, Field(pattern=NAME)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
SAMPLER = r"^(ddim|ddpm|dpmpp|heun)-[1-9][0-9]*$"


class Block(BaseModel):
    """A block of params.yaml: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Block):
    """Which images, and how they are prepared."""

    dataset: Literal["digits", "mnist", "celeba", "folder"] = Field(
        description="digits (bundled), mnist, celeba or folder (own images)"
    )
    raw: str = Field(default="", description="folder of the files as downloaded; empty for digits")
    labels: str = Field(default="", description="folder only: CSV with the columns file,label")
    size: int = Field(ge=4, le=1024, description="height and width of the prepared images, pixels")
    channels: Literal[1, 3] = Field(description="1 grey, 3 RGB")
    heldout: int = Field(
        ge=4,
        description="real images a class kept from training: half calibrate, half are the control",
    )
    seed: NonNegativeInt = Field(default=0, description="draws the held-out images")

    @model_validator(mode="after")
    def _names_its_files(self) -> "Data":
        needed = {"mnist": ["raw"], "celeba": ["raw"], "folder": ["raw", "labels"]}
        for key in needed.get(self.dataset, []):
            if not getattr(self, key):
                raise ValueError(f"{key}: data set {self.dataset} needs it")
        if self.labels and self.dataset != "folder":
            raise ValueError(f"labels: only for data set folder, not {self.dataset}")
        return self


class Selector(Block):
    """Which images belong to a class, by their attributes or labels."""

    all: list[str] = Field(default=[], description="attributes the image must have")
    any: list[str] = Field(default=[], description="attributes of which it must have at least one")
    none: list[str] = Field(default=[], description="attributes it must not have")

    @field_validator("all", "any", "none", mode="before")
    @classmethod
    def _numbers_are_names(cls, value: object) -> object:
        return [str(item) for item in value] if isinstance(value, list) else value

    @model_validator(mode="after")
    def _selects_something(self) -> "Selector":
        if not (self.all or self.any or self.none):
            raise ValueError("selects nothing: give at least one of all, any, none")
        return self


class Training(Block):
    """How every U-Net of the study is trained. Budgets are counted in images seen."""

    objective: Literal["ddpm", "edm"] = Field(
        description="epsilon prediction, or EDM preconditioning"
    )
    budget: PositiveInt = Field(description="images seen in all")
    batch_size: PositiveInt
    learning_rate: PositiveFloat = Field(
        description="peak of AdamW's rate; cosine to 0 after the warm-up"
    )
    warmup: NonNegativeInt = Field(description="images seen while the rate rises linearly")
    weight_decay: NonNegativeFloat
    clip: PositiveFloat = Field(description="largest gradient norm")
    ema_halflife: PositiveInt = Field(description="half-life of the weight average, images seen")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        description="auto: bf16 where the GPU has it"
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
    images: PositiveInt = Field(description="generated images a model")
    noise_seed: NonNegativeInt
    batch_size: PositiveInt

    @field_validator("samplers")
    @classmethod
    def _unique(cls, value: list[str]) -> list[str]:
        return _refuse_repeats(value)


class Classifier(Block):
    """The study's own classifier of real and generated images."""

    budget: PositiveInt = Field(description="images seen in training")
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    seed: NonNegativeInt
    threshold: Fraction = Field(
        description="balanced accuracy on held-out images below which the study stops"
    )


class Bias(Block):
    """How class proportions are estimated."""

    decidable: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        description="top class probability below which a generated image is undecidable"
    )
    bootstrap: Annotated[int, Field(ge=100)] = Field(
        description="bootstrap resamples of an interval"
    )


# The registry is depthbias.embeddings.EMBEDDINGS, which needs torch; a test compares the names.
EmbeddingName = Literal[
    "pixels", "lpips-alex", "lpips-vgg", "lpips-squeeze", "inception", "sscd", "classifier"
]
BackboneName = Literal["lpips-alex", "lpips-vgg", "lpips-squeeze", "classifier"]


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
    k: list[PositiveInt] = Field(min_length=1, description="neighbours to report, ascending")
    copies: dict[EmbeddingName, Fraction] = Field(
        default={},
        description="cosine above which images count as copies (GL and RP scores), by embedding",
    )

    @field_validator("embeddings", "k")
    @classmethod
    def _unique(cls, value: list[Any]) -> list[Any]:
        return _refuse_repeats(value)

    @model_validator(mode="after")
    def _fits_together(self) -> "Neighbors":
        if sorted(self.k) != self.k:
            raise ValueError("k: give the numbers in ascending order")
        for name in self.copies:
            if name not in self.embeddings:
                raise ValueError(f"copies: {name!r} is not among the embeddings")
            if name not in ("inception", "sscd", "classifier"):
                raise ValueError(f"copies: {name!r} is compared by distances, not by cosines")
        return self


class Gaussian(Block):
    """How the linear and Gaussian structure of every model is measured."""

    levels: Annotated[int, Field(ge=5, le=100)] = Field(
        description="noise levels of the EDM grid, from 80 down to 0.002"
    )
    pairs: PositiveInt = Field(description="image pairs of the linearity score")
    noisy_images: PositiveInt = Field(description="noisy training images of the score errors")
    samples: PositiveInt = Field(
        description="noisy images a linear map is fitted to: ten times the pixels is plenty"
    )
    trajectories: Annotated[int, Field(ge=2, le=32)] = Field(
        description="images sampled with model, linear, Gaussian and multi-delta denoiser"
    )
    seed: NonNegativeInt = Field(description="draws the images and their noise")


class Study(Block):
    """One data set with its classes, ratios, U-Nets, seeds and budgets."""

    data: Data
    classes: dict[Name, Selector] = Field(min_length=2, description="majority class first")
    ratios: list[str] = Field(
        min_length=1, description="training percentages like 90-10, or natural (as in the data set)"
    )
    subset_size: PositiveInt = Field(
        description="training images of every model, whatever the ratio"
    )
    unets: list[str] = Field(min_length=1, description="named architectures")
    width: float = Field(gt=0, le=4, description="factor on every block's channels")
    seeds: list[NonNegativeInt] = Field(min_length=1, description="one training run for each")
    training: Training
    overrides: dict[str, dict[str, Any]] = Field(
        default={}, description="training options of single U-Nets, depth5: {budget: 80_000}"
    )
    sampling: Sampling
    classifier: Classifier
    bias: Bias
    diversity: Diversity
    neighbors: Neighbors
    gaussian: Gaussian
    disjoint: bool = Field(
        default=False, description="whether the subsets of different seeds share no image"
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _text_keys(cls, value: object) -> object:
        return {str(key): item for key, item in value.items()} if isinstance(value, dict) else value

    @field_validator("unets")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for name in value:
            _check(architecture, name)
        return _refuse_repeats(value)

    @field_validator("ratios")
    @classmethod
    def _percentages(cls, value: list[str]) -> list[str]:
        for ratio in value:
            _check_ratio(ratio)
        return _refuse_repeats(value)

    @field_validator("seeds")
    @classmethod
    def _unique(cls, value: list[int]) -> list[int]:
        return _refuse_repeats(value)

    @model_validator(mode="after")
    def _fits_together(self) -> "Study":
        pixels = self.data.channels * self.data.size**2
        if self.gaussian.samples <= pixels:
            raise ValueError(
                f"gaussian.samples: {self.gaussian.samples} noisy images cannot fix a linear map "
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
        for name in self.unets:
            _check(check_size, name, self.data.size, key="unets: ")
            _check(stage_widths, name, self.width)
        for name in self.overrides:
            self._check_override(name)
        if self.training.objective == "edm" and any(
            s.startswith("ddpm") for s in self.sampling.samplers
        ):
            raise ValueError(
                "sampling.samplers: ddpm needs training.objective ddpm; use heun or dpmpp"
            )
        return self

    def training_of(self, unet: str) -> Training:
        """The training options of one U-Net: the study's, with what `overrides` changes."""
        return Training(**self.training.model_dump() | self.overrides.get(unet, {}))

    def _check_override(self, unet: str) -> None:
        if unet not in self.unets:
            raise ValueError(f"overrides: no U-Net {unet!r} here{nearest(unet, self.unets)}")
        for key in self.overrides[unet]:
            if key not in Training.model_fields:
                hint = nearest(key, Training.model_fields)
                raise ValueError(f"overrides.{unet}: unknown key {key!r}{hint}")
        try:
            training = self.training_of(unet)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(["overrides", unet, *map(str, first["loc"])])
            raise ValueError(f"{key}: {first['msg']}, not {first['input']!r}") from error
        if training.objective != self.training.objective:
            raise ValueError(f"overrides.{unet}.objective: one objective a study")
        if any(seen >= training.budget for seen in training.snapshots):
            raise ValueError(f"overrides.{unet}.budget: must be above all training.snapshots")


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
                raise ValueError(f"active: no study {name!r}{nearest(name, self.studies)}")
        return self

    @model_validator(mode="after")
    def _sweeps_fit(self) -> "Params":
        for name, sweep in self.sweeps.items():
            base = sweep.study
            if base not in self.studies:
                hint = nearest(base, self.studies)
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


def nearest(name: str, valid: Mapping[str, Any] | list[str]) -> str:
    """ "; did you mean 'x'?" for the valid name most like `name`, or the list of valid names."""
    close = difflib.get_close_matches(name, list(valid), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; valid: {', '.join(valid)}"


def _check(function: Any, *arguments: Any, key: str = "") -> None:
    """Call a check of the library; pydantic adds the key path of the block to its UserError."""
    try:
        function(*arguments)
    except UserError as error:
        raise ValueError(f"{key}{error}") from error


def _check_ratio(ratio: str) -> None:
    if ratio == "natural":
        return
    if not re.fullmatch(r"\d+(\.\d+)?(-\d+(\.\d+)?)+", ratio):
        raise ValueError(f"{ratio!r} is not a ratio: write 90-10, 50-30-20 or natural")
    parts = [float(part) for part in ratio.split("-")]
    if abs(sum(parts) - 100) > 1e-6:
        raise ValueError(f"{ratio!r} sums to {sum(parts):g}, not 100: change its numbers")
    if min(parts) <= 0:
        raise ValueError(f"{ratio!r} has an empty class: leave the class out instead")


def _refuse_repeats(values: list[Any]) -> list[Any]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value!r} is listed twice")
    return values


class UniqueKeys(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                line = node.value[place][0].start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: {key!r} is there twice: delete one")
        return super().construct_mapping(node, deep)


def load(path: str | Path) -> Params:
    """Read and check a params.yaml; the UserError names the file, the key path and the remedy."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = UniqueKeys(text).get_single_data()
    except OSError as error:
        raise explain(error, path, "cannot read") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not plain YAML: {' '.join(str(error).split())}") from error
    return parse(content, str(path))


def parse(content: object, source: str = "params.yaml") -> Params:
    """Check the content of a params.yaml."""
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        # On one line, whatever is in the keys.
        message = " ".join(_explain(error, content).split())
        raise UserError(f"{source}: {message}") from error


def _explain(error: ValidationError, content: object) -> str:
    """The first problem as one line: key path, what is wrong, nearest valid name."""
    problems = error.errors()
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    path = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        valid = list(_block_at(first["loc"][:-1]).model_fields)
        return f"{path}: unknown key{nearest(str(first['loc'][-1]), valid)}{more}"
    message = first["msg"].removeprefix("Value error, ")
    key, _, rest = message.partition(": ")
    if rest and re.fullmatch(r"[a-z_.]+", key):  # a block's own check names the key in it
        path, message = f"{path}.{key}".lstrip("."), rest
    message = message[0].lower() + message[1:]
    given = first.get("input")
    shown = (
        f", not {given!r}"
        if isinstance(given, str | int | float) and repr(given) not in message
        else ""
    )
    return f"{path}: {message}{shown}{more}" if path else f"{message}{more}"


def _block_at(location: tuple[int | str, ...]) -> type[Block]:
    """The class that describes the block at a key path."""
    block: type[Block] = Params
    parts = list(location)
    while parts:
        key = str(parts.pop(0))
        if (block, key) in ((Params, "studies"), (Params, "sweeps")):
            block, parts = Study if key == "studies" else Sweep, parts[1:]
        elif (block, key) == (Study, "classes"):
            block, parts = Selector, parts[1:]
        else:
            block = block.model_fields[key].annotation  # type: ignore[assignment]
    return block


def schema() -> dict[str, Any]:
    """JSON schema of params.yaml, for editors."""
    return Params.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}


if __name__ == "__main__":  # python -m depthbias.config > docs/params.schema.json
    print(json.dumps(schema(), indent=1))
