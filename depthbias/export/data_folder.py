"""The images of a study as PNG files in a zip, with tables of classes, parts and subsets."""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from depthbias.data.splits import PARTS, Split
from depthbias.data.subsets import Subset
from depthbias.system.files import map_npz, read_npz, replacing, write_text

IMAGES, TABLE, SUBSETS = "images.zip", "images.csv", "subsets.csv"


def name_of(row: int) -> str:
    """The name of the image in a row of the prepared data set."""
    return f"{row}.png"


def write_images(path: Path, prepared: Path, rows: Sequence[int]) -> None:
    """Write these rows of a prepared data set as ROW.png into a zip; equal images, equal bytes."""
    images = map_npz(prepared, "images")
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for row in rows:
            pixels = np.asarray(images[row])
            picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
            content = io.BytesIO()
            picture.save(content, "PNG")
            # A member of this name has the date 1980-01-01.
            archive.writestr(zipfile.ZipInfo(name_of(row)), content.getvalue())


def write_table(path: Path, split: Split, prepared: Path) -> list[int]:
    """Write image, class, part and source of every image of a study; returns the rows, in order."""
    [source] = read_npz(prepared, "source")
    lines = [
        (int(row), name, part, str(source[row]))
        for part in PARTS
        for name, own in zip(split.classes, getattr(split, part), strict=True)
        for row in own
    ]
    lines.sort()
    _write(path, ("image", "class", "part", "source"), [(name_of(r), *m) for r, *m in lines])
    return [line[0] for line in lines]


def write_subsets(path: Path, subsets: Iterable[Subset]) -> None:
    """Write ratio, seed, image and class of every training image of every subset."""
    lines = [
        (subset.ratio, subset.seed, name_of(row), subset.classes[label])
        for subset in subsets
        for row, label in zip(subset.rows, subset.labels, strict=True)
    ]
    _write(path, ("ratio", "seed", "image", "class"), lines)


def _write(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    write_text(path, text.getvalue())
