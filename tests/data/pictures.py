"""Made-up images and folders of them, for the tests of data sets."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from depthbias.data.dataset import DataSet


def collect(data: DataSet) -> np.ndarray:
    return np.concatenate(list(data.blocks))


def picture(seed: int, width: int = 178, height: int = 218) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def own_folder(place: Path) -> Path:
    """Three images of a user's: a.png, "b c.png" and more/d.png."""
    folder = place / "own images"
    (folder / "more").mkdir(parents=True)
    for name, seed in (("a.png", 0), ("b c.png", 1), ("more/d.png", 2)):
        (folder / name).write_bytes(encoded(picture(seed, 20, 10), "PNG"))
    return folder


def table(folder: Path, text: str) -> Path:
    path = folder.parent / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path
