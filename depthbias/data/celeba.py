"""CelebA: aligned images and their attributes, as its authors or mirrors pack them."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from depthbias.data.celeba_files import (
    IMAGES,
    find_images,
    find_table,
    names_columns,
    photos_of,
    read_words,
    split_words,
)
from depthbias.data.dataset import DataSet
from depthbias.data.persons import read_persons
from depthbias.data.photos import decode_stream
from depthbias.data.tables import Readable
from depthbias.system.errors import UserError, reading, several

ATTRIBUTES = "list_attr_celeba.txt"
HOME = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"


def load_celeba(
    folders: Sequence[Path], size: int, channels: int, workers: int, by_person: bool
) -> DataSet:
    """All images of the attribute table, in its order, from the zip (else the folder) of images.

    Both are looked for in `folders`, in turn, and below; so is, if `by_person`, the file that tells
    who is in each image. Each image is cropped to its largest centred square
    (178 of 178x218 pixels) and resized. UserError when a listed image is missing; the images are
    read later.
    """
    table = find_table(ATTRIBUTES, folders)
    source, names, attributes = read_attributes(table) if table else ([], [], np.empty(0))
    found = find_images(folders, source)
    if table is None or found is None:
        raise _missing(folders, ATTRIBUTES if table is None else " or ".join(IMAGES[:2]))
    grouped = dict([read_persons(folders, source)]) if by_person else {}
    return DataSet(
        names=names,
        attributes=attributes,
        source=source,
        shape=(size, size, channels),
        blocks=decode_stream(photos_of(found, source, table), size, channels, workers),
        grouped=grouped,
    )


def _missing(folders: Sequence[Path], name: str) -> UserError:
    packed = [path for level in ("", "*/") for path in folders[0].glob(f"{level}*.7z*")]
    return UserError(
        f"{packed[0]}: unpack it there first, {name} is missing"
        if packed
        else f"{folders[0]}: {name} is missing: accept the licence at {HOME}, "
        "download it and place it there (see docs/data.md)"
    )


def attribute_names(folders: Sequence[Path]) -> list[str]:
    """The names that the first lines of the attribute table tell; the rest is not read.

    None are told by a damaged or a missing table.
    """
    table = find_table(ATTRIBUTES, folders)
    if table is None:
        return []
    with reading(table), table.open("rb") as file:
        start = file.readline() + file.readline()
    return _header(split_words(start.decode("utf-8", "replace")))[0]


def read_attributes(path: Readable) -> tuple[list[str], list[str], np.ndarray]:
    """File names [N], attribute names [A] and bool [N, A] of a CelebA attribute table.

    As its authors have it, line 1 is N, line 2 the names; as mirrors have it (.csv), line 1 names
    all columns. Then N lines "file +-1 ... +-1", or 0 for -1. UserError with the line numbers.
    """
    lines = read_words(path)
    names, promised, begins = _header(lines)
    if not names or len(set(names)) < len(names):
        raise UserError(
            f"{path}: line 1 must be the number of images and line 2 the attribute names, or line "
            "1 image_id and the attribute names, each once: download it again"
        )
    rows = lines[begins:]
    if promised is not None and len(rows) != promised:
        raise UserError(
            f"{path}: the first line promises {promised} images, {len(rows)} follow: "
            "the file is incomplete; download it again"
        )
    allowed = {"1", "-1" if any("-1" in words for words in rows) else "0"}
    source: dict[str, int] = {}
    problems = []
    for line, (file, *values) in enumerate((words or [""] for words in rows), begins + 1):
        if problem := _problem(file, values, len(names), allowed, source):
            problems.append(f"line {line}: {problem}")
        source.setdefault(file, line)
    if problems:
        raise UserError(f"{several(path, problems)}: download the file again")
    attributes = np.array([[value == "1" for value in words[1:]] for words in rows], dtype=bool)
    return list(source), names, attributes.reshape(len(rows), len(names))


def _header(lines: list[list[str]]) -> tuple[list[str], int | None, int]:
    """The attribute names, the number of images if it is told, and the number of lines of both."""
    if names_columns(lines[0]):
        return lines[0][1:], None, 1
    if len(lines) > 1 and len(lines[0]) == 1 and lines[0][0].isdecimal():
        return lines[1], int(lines[0][0]), 2
    return [], None, 0


def _problem(
    file: str, values: list[str], expected: int, allowed: set[str], seen: dict[str, int]
) -> str | None:
    if len(values) != expected or not set(values) <= allowed:
        return f"a file name and {expected} values of {' or '.join(sorted(allowed))} are expected"
    if file in seen:
        return f"{file} was already listed in line {seen[file]}"
    if PurePosixPath(file).name != file:
        return f"{file!r} is not a plain file name"
    return None
