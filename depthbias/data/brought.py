"""Images that people bring for an audit: training, held-out and generated ones, decoded alike."""

import io
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from depthbias.data.folder import load_own_labels, read_labels
from depthbias.data.photos import DAMAGE, Photo, Size, sides
from depthbias.data.raw_files import files_below, is_image
from depthbias.data.tables import read_used
from depthbias.system.errors import UserError, reading, several
from depthbias.system.files import DAMAGED, header_npz, names_npz, read_npz

ARRAYS = ("arr_0", "images")  # of an .npz of generated images
LARGEST = 1 << 28  # bytes of a file in a zip archive
IMAGE = "image"  # the label, and the class, of images without any
MOST_TOLD = 5  # formats and sizes


class Listed(NamedTuple):
    """Images of a folder: file names relative to it, and the label of each."""

    folder: Path
    files: list[str]
    labels: list[str]

    @property
    def photos(self) -> list[Photo]:
        return [(str(self.folder / file), self.folder / file) for file in self.files]


def list_images(folder: Path, table: Path | None, labelled: bool) -> Listed:
    """The images of a folder that count, with their labels (IMAGE if they need none).

    labelled: by the table, else by metadata.csv or sub-folders; else all images at any depth. A
    row whose column `used` says no is left out. UserError for images that the table does not list,
    as they would be training images that no copy is looked for of.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder: give that of the images")
    there = [file for file in files_below(folder) if is_image(file)]
    if table is None:
        if not labelled:
            if not there:
                raise UserError(f"{folder}: holds no images: put them there")
            return Listed(folder, there, [IMAGE] * len(there))
        labels = load_own_labels(folder)
        return Listed(folder, [file for file, _ in labels], [label for _, label in labels])
    labels = read_labels(table, folder)
    if left := sorted(set(there) - {file for file, _ in labels}):
        raise UserError(
            f"{table}: does not list {len(left)} images of {folder} ({left[0]} is the first): add "
            "them, with no in the column used if no model has seen them"
        )
    used = [row for row, kept in zip(labels, read_used(table), strict=True) if kept]
    if not used:
        raise UserError(f"{table}: uses no image: write yes in the column used")
    names = [label if labelled else IMAGE for _, label in used]
    return Listed(folder, [file for file, _ in used], names)


def generated_names(path: Path) -> list[str]:
    """The names of the images in a folder of any depth, a .zip or an .npz, in a fixed order.

    Reads no image. UserError for what is none of these, and for one without images.
    """
    if path.is_dir():
        names = [file for file in files_below(path) if is_image(file)]
    elif path.suffix.lower() == ".zip":
        names = _members(path)
    elif path.suffix.lower() == ".npz":
        names = [str(place) for place in range(_array_kind(path)[1][0])]
    else:
        kind = "no such file or folder" if not path.exists() else "neither folder, .zip nor .npz"
        raise UserError(f"{path}: {kind}: give generated images in one of these")
    if not names:
        raise UserError(f"{path}: holds no images: put them there")
    return names


def generated_photos(path: Path) -> tuple[list[str], Iterator[Photo]]:
    """(names, images) of generated images, in the order of `generated_names`, whose errors these
    are."""
    names = generated_names(path)
    if path.is_dir():
        return names, ((str(path / file), path / file) for file in names)
    if path.suffix.lower() == ".zip":
        return names, _of_zip(path, names)
    return names, _of_array(path, _array(path))


def _members(path: Path) -> list[str]:
    """The images in a zip archive, sorted; what archivers leave behind is left out."""
    with reading(path, "damaged", "make it again", DAMAGED[2]), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    large = [
        f"{one.filename} has {one.file_size} bytes" for one in members if one.file_size > LARGEST
    ]
    if large:
        raise UserError(f"{several(path, large)}: no image is so large")
    names = [one.filename for one in members if is_image(one.filename)]
    hidden = [name for name in names if any(p[0] in "._" for p in PurePosixPath(name).parts)]
    return sorted(set(names) - set(hidden))


def _of_zip(path: Path, names: Sequence[str]) -> Iterator[Photo]:
    with zipfile.ZipFile(path) as archive:
        for name in names:
            title = f"{path}/{name}"
            try:
                with reading(title, "damaged", "make the archive again", DAMAGED[2]):
                    content = archive.read(name)
            except UserError as error:
                yield title, error
            else:
                yield title, content


@contextmanager
def _of_theirs(path: Path) -> Iterator[None]:
    """A damaged archive is not one of ours, which would be made again."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: damaged ({error.__cause__}): make it again") from error


def _array_kind(path: Path) -> tuple[str, tuple[int, ...]]:
    """(name, shape) of the array of images in an .npz; UserError for arrays of another kind."""
    with _of_theirs(path):
        there = names_npz(path)
    if not (name := next((name for name in ARRAYS if name in there), None)):
        raise UserError(f"{path}: has no array {' or '.join(ARRAYS)}: name it so")
    with _of_theirs(path):
        shape, dtype = header_npz(path, name)
    colours = {shape[1], shape[3]} if len(shape) == 4 else {1} if len(shape) == 3 else set()
    if dtype != np.uint8 or not colours & {1, 3}:
        raise UserError(
            f"{path}: {name} is {dtype} {list(shape)}: give uint8 [images, height, width, 1 or 3]"
        )
    return name, shape


def _array(path: Path) -> np.ndarray:
    """uint8 [N, H, W, C] of the array of images in an .npz."""
    name, _ = _array_kind(path)
    with _of_theirs(path):
        [array] = read_npz(path, name)
    array = array[..., None] if array.ndim == 3 else array
    return array if array.shape[3] in (1, 3) else array.transpose(0, 2, 3, 1)


def _of_array(path: Path, array: np.ndarray) -> Iterator[Photo]:
    for place, image in enumerate(array):
        content = io.BytesIO()
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(
            content, "PNG", compress_level=0
        )
        yield f"{path}, image {place}", content.getvalue()


def looked_at(
    photos: Iterable[Photo], size: Size, kinds: "Counter[tuple[str, str, str]]"
) -> Iterator[Photo]:
    """The photos; `kinds` counts (format, height x width, mode) of each as it passes."""
    for name, content in photos:
        try:
            source = io.BytesIO(content) if isinstance(content, bytes) else content
            if isinstance(source, UserError):
                raise source
            with Image.open(source) as image:
                kinds[str(image.format), f"{image.height}x{image.width}", image.mode] += 1
        except (*DAMAGE, UserError, Image.DecompressionBombError):
            pass  # the decoder says what is wrong with it
        yield name, content


def described(kinds: "Counter[tuple[str, str, str]]", size: Size) -> dict[str, Any]:
    """Formats, sizes and modes with their numbers, the most frequent first, and the filter."""
    height, width = sides(size)
    found: dict[str, Any] = {"images": kinds.total()}
    for place, name in enumerate(("formats", "sizes", "modes")):
        parts: Counter[str] = Counter()
        for kind, count in kinds.items():
            parts[kind[place]] += count
        found[name] = dict(parts.most_common(MOST_TOLD))
    same = set(found["sizes"]) == {f"{height}x{width}"}
    return found | {"filter": "none" if same else "Lanczos, of the largest centred part"}


def differences(training: dict[str, Any], other: dict[str, Any]) -> str:
    """In what formats, sizes, modes or filter some other images differ from all training images.

    Both as `described` tells; "" where they do not.
    """
    parts = []
    for name in ("formats", "sizes", "modes", "filter"):
        first, second = training[name], other[name]
        if isinstance(first, str):
            first, second = {first: 1}, {second: 1}
        if not set(second) <= set(first):
            parts.append(
                f"{name} {', '.join(second)} where training images have {', '.join(first)}"
            )
    return "; ".join(parts)


def warn(text: str) -> None:
    """One line on stderr."""
    print(f"warning: {text}", file=sys.stderr, flush=True)
