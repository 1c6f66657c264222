"""The samples of a study for its page: the same noises through all models, as sprites of images.

A sprite is one picture of many images, COLUMNS side by side. Imports no torch.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

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
    architecture of the series with the same seed makes of the noise.
    """

    classes: Classes
    accepted: np.ndarray
    changed: np.ndarray
    images: np.ndarray
    nearest: np.ndarray

    @property
    def run(self) -> Run:
        return self.classes.run


def read_shown(
    samples: Sequence[Path],
    classes: Sequence[Path],
    manifold: Manifold,
    subsets: Sequence[Subset],
    images_path: Path,
) -> list[Shown]:
    """All models, in reading order, one after the other, so that one is in memory at a time.

    samples, classes: files of the same runs in the same order; images_path: the prepared images.
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
        shown.append(Shown(one, manifold.of(one.run), changed, own, rows))
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


def browser(shown: Sequence[Shown], images_path: Path, decidable: float) -> dict[str, Any]:
    """What the page shows, as JSON: classes, noises and, for each ratio, models and their images.

    The first NOISES noises, or as many as SPRITE_BYTES hold.
    """
    count = min(NOISES, len(shown[0].classes.noise))
    while True:
        sprites = _sprites(shown, images_path, count)
        size = sum(len(one) for parts in sprites.values() for one in parts)
        if size <= SPRITE_BYTES or count == 1:
            break
        count = max(1, min(count - 1, count * SPRITE_BYTES // size))
    first = shown[0].classes
    return {
        "classes": first.classes,
        "noises": first.noise[:count],
        "images": len(first.noise),
        "columns": COLUMNS,
        "decidable": decidable,
        "ratios": {
            ratio: _ratio(_of(shown, ratio), sprites[ratio], count, decidable) for ratio in sprites
        },
    }


def _of(shown: Iterable[Shown], ratio: str) -> list[Shown]:
    return [one for one in shown if one.run.ratio == ratio]


def _sprites(shown: Sequence[Shown], images_path: Path, count: int) -> dict[str, list[bytes]]:
    """{ratio: a sprite of each model, and one of all training images that are near}."""
    training, sprites = map_npz(images_path, "images"), {}
    for ratio in dict.fromkeys(one.run.ratio for one in shown):
        own = _of(shown, ratio)
        near = np.unique(np.concatenate([one.nearest[:count] for one in own]))
        sprites[ratio] = [*(sprite(one.images[:count]) for one in own), sprite(training[near])]
    return sprites


def _ratio(
    shown: Sequence[Shown], sprites: Sequence[bytes], count: int, decidable: float
) -> dict[str, Any]:
    near = np.unique(np.concatenate([one.nearest[:count] for one in shown]))
    models = []
    for one, content in zip(shown, sprites, strict=False):
        unsure = one.classes.undecidable(decidable)
        flags = {"changed": one.changed, "undecidable": unsure, "off": ~one.accepted}
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
    return {"models": models, "nearest": data_uri(sprites[-1], "image/png"), "near": len(near)}


def data_uri(content: bytes, kind: str) -> str:
    """A file as the address of an image, so that a page needs no other file."""
    return f"data:{kind};base64,{b64encode(content).decode()}"
