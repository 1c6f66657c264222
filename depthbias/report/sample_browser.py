"""The samples of a study for its page: the same noises through all models, as sprites of images.

A sprite is one picture of many images, COLUMNS side by side. Imports no torch.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from depthbias.data.subsets import Subset, subset_of
from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import Run, ordered_architectures
from depthbias.measures.manifolds import Manifold
from depthbias.measures.samples import Classes, join, read_classes, read_samples, same_noise
from depthbias.system.errors import UserError
from depthbias.system.files import map_npz

COLUMNS = 32
NOISES = 100  # shown at most
SPRITE_BYTES = 9 << 20  # of all sprites together, 12 MB in the page: fewer noises need less
BLOCK_BYTES = 1 << 27  # of training images as float64


@dataclass(frozen=True)
class Shown:
    """One model: the classes of all of its images, and the first of them with their neighbours.

    images: uint8 [N, H, W, C]; nearest: rows of the data set, int [N], of the nearest training
    images in pixels; changed: bool, which of all images have another class than the shallowest
    architecture of the series with the same seed makes of the noise; undecidable: bool, of all.
    """

    classes: Classes
    accepted: np.ndarray
    changed: np.ndarray
    undecidable: np.ndarray
    images: np.ndarray
    nearest: np.ndarray

    @property
    def run(self) -> Run:
        return self.classes.run


class Words(NamedTuple):
    """What the page calls things: its heading, what it shows, what is chosen, the first model."""

    heading: str
    says: str
    choice: str
    first: str


OF_STUDY = Words(
    "The same noise through all models",
    "A row is one noise. Every model of a training ratio made an image of it.",
    "Training ratio",
    "the shallowest model",
)
OF_AUDIT = Words(
    "Generated images",
    "A row is one noise, through all models that were brought, or one image that was brought.",
    "Brought",
    "the first model",
)


class Group(NamedTuple):
    """Models whose images are shown side by side; unit: noise, or image if images were brought."""

    title: str
    unit: str
    shown: Sequence[Shown]

    @property
    def noise(self) -> np.ndarray:
        return self.shown[0].classes.noise

    @property
    def flags(self) -> list[str]:
        """What an image may be marked with: one class cannot change, nor be undecidable."""
        several = len(self.shown[0].classes.classes) > 1
        architectures = {one.run.architecture for one in self.shown}
        changed = ["changed"] if several and len(architectures) > 1 else []
        return [*changed, *(["undecidable"] if several else []), "off"]

    def near(self, count: int) -> np.ndarray:
        """Rows of the training images that are nearest to one of the first images, sorted."""
        return np.unique(np.concatenate([one.nearest[:count] for one in self.shown]))


def read_shown(
    samples: Sequence[Path],
    classes: Sequence[Path],
    manifold: Manifold,
    subsets: Sequence[Subset],
    images_path: Path,
    decidable: float,
) -> list[Shown]:
    """All models, in reading order, one after the other, so that one is in memory at a time.

    samples, classes: files of the same runs in the same order; images_path: the prepared images;
    decidable: the probability below which a class is none.
    UserError for models from other noises.
    """
    told = [read_classes(path) for path in classes]
    for one in told:
        if not same_noise(one, told[0]):
            raise UserError(f"{one.path}: not from the noise of {told[0].path}: sample again")
    order = ordered_architectures(one.run.architecture for one in told)
    places = sorted(
        range(len(told)),
        key=lambda i: (order.index(told[i].run.architecture), int(told[i].run.seed)),
    )
    images = [join(read_samples(samples[i]), told[i]).images[:NOISES].copy() for i in places]
    models = [told[i] for i in places]
    near = _near(models, images, subsets, images_path)
    shallowest: dict[tuple[str, ...], Classes] = {}
    shown = []
    for one, own, rows in zip(models, images, near, strict=True):
        series = get_architecture(one.run.architecture).shown_with
        first = shallowest.setdefault((one.run.ratio, one.run.seed, series), one)
        changed = one.labels != first.labels
        unsure = one.undecidable(decidable)
        shown.append(Shown(one, manifold.of(one.run), changed, unsure, own, rows))
    return shown


def _near(
    models: Sequence[Classes],
    images: Sequence[np.ndarray],
    subsets: Sequence[Subset],
    images_path: Path,
) -> list[np.ndarray]:
    """Rows of the nearest training images of each model; those of a subset are read once."""
    training, near = map_npz(images_path, "images"), [np.empty(0)] * len(models)
    trained = [(one.run.ratio, one.run.seed) for one in models]
    for ratio, seed in dict.fromkeys(trained):
        own = [i for i, key in enumerate(trained) if key == (ratio, seed)]
        rows = subset_of(subsets, models[own[0]].path, ratio, seed).rows
        found = nearest_rows(np.concatenate([images[i] for i in own]), training, rows)
        for i, part in zip(own, np.split(rows[found], len(own)), strict=True):
            near[i] = part
    return near


def nearest_rows(queries: np.ndarray, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which of the rows [M] of images uint8 [L, H, W, C] is nearest to each query [N, H, W, C].

    Euclidean in pixels, exactly: squares of whole numbers stay exact in float64. Of equal ones the
    first. Returns places in `rows`, int [N].
    """
    flat = queries.reshape(len(queries), -1).astype(np.float64)
    best = np.full(len(flat), np.inf)
    found = np.zeros(len(flat), dtype=np.int64)
    step = max(1, BLOCK_BYTES // (8 * flat.shape[1]))
    for start in range(0, len(rows), step):
        block = images[rows[start : start + step]].reshape(-1, flat.shape[1]).astype(np.float64)
        distances = (block**2).sum(1) - 2 * flat @ block.T  # less the square of the query
        place = distances.argmin(1)
        least = distances[np.arange(len(flat)), place]
        nearer = least < best
        best[nearer], found[nearer] = least[nearer], start + place[nearer]
    return found


def sprite(images: np.ndarray) -> bytes:
    """Images uint8 [N, H, W, C] as one PNG, COLUMNS in a row, black where there is none."""
    count, height, width, channels = images.shape
    lines = -(-count // COLUMNS)
    grid = np.zeros((lines * COLUMNS, height, width, channels), dtype=np.uint8)
    grid[:count] = images
    grid = grid.reshape(lines, COLUMNS, height, width, channels).swapaxes(1, 2)
    whole = grid.reshape(lines * height, COLUMNS * width, channels)
    content = BytesIO()
    Image.fromarray(whole if channels == 3 else whole[..., 0]).save(content, "PNG", optimize=True)
    return content.getvalue()


def by_ratio(shown: Iterable[Shown]) -> list[Group]:
    """The groups of a study that trains: the models of each training ratio."""
    ratios: dict[str, list[Shown]] = {}
    for one in shown:
        ratios.setdefault(one.run.ratio, []).append(one)
    return [Group(ratio, "noise", models) for ratio, models in ratios.items()]


def browser(groups: Sequence[Group], images_path: Path, words: Words = OF_STUDY) -> dict[str, Any]:
    """What the page shows, as JSON: classes, and the models of each group with their images.

    Of each group the first NOISES, or as many as SPRITE_BYTES hold for all groups.
    """
    count = min(NOISES, max(len(group.noise) for group in groups))
    while True:
        sprites = [_sprites(group, images_path, count) for group in groups]
        size = sum(len(one) for parts in sprites for one in parts)
        if size <= SPRITE_BYTES or count == 1:
            break
        count = max(1, min(count - 1, count * SPRITE_BYTES // size))
    return {
        "classes": groups[0].shown[0].classes.classes,
        "columns": COLUMNS,
        **words._asdict(),
        "groups": [
            _group(group, parts, count) for group, parts in zip(groups, sprites, strict=True)
        ],
    }


def _sprites(group: Group, images_path: Path, count: int) -> list[bytes]:
    """A sprite of each model, and one of all training images that are near."""
    near = map_npz(images_path, "images")[group.near(count)]
    return [*(sprite(one.images[:count]) for one in group.shown), sprite(near)]


def _group(group: Group, sprites: Sequence[bytes], count: int) -> dict[str, Any]:
    near, models = group.near(count), []
    for one, content in zip(group.shown, sprites, strict=False):
        flags = {"changed": one.changed, "undecidable": one.undecidable, "off": ~one.accepted}
        models.append(
            {
                "architecture": one.run.architecture,
                "seed": one.run.seed,
                "sprite": data_uri(content, "image/png"),
                "labels": one.classes.labels[:count],
                "probabilities": one.classes.probabilities.max(1)[:count].round(3).tolist(),
                "nearest": np.searchsorted(near, one.nearest[:count]),
                "shares": {name: float(flag.mean()) for name, flag in flags.items()},
                **{name: flag[:count].astype(int) for name, flag in flags.items()},
            }
        )
    return {
        "title": group.title,
        "unit": group.unit,
        "noises": group.noise[:count],
        "images": len(group.noise),
        "flags": group.flags,
        "models": models,
        "nearest": data_uri(sprites[-1], "image/png"),
        "near": len(near),
    }


def data_uri(content: bytes, kind: str) -> str:
    """A file as the address of an image, so that a page needs no other file."""
    return f"data:{kind};base64,{b64encode(content).decode()}"
