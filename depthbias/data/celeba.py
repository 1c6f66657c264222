"""CelebA: aligned images (zip or folder) and list_attr_celeba.txt, as its authors publish them."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from depthbias.data.dataset import DataSet, find_file
from depthbias.data.persons import read_persons
from depthbias.data.photos import Photo, decode_stream
from depthbias.data.tables import read_text
from depthbias.system.errors import UserError, reading

ATTRIBUTES = "list_attr_celeba.txt"
IMAGES = ("img_align_celeba.zip", "img_align_celeba")
HOME = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
DAMAGE = (OSError, EOFError, RuntimeError, ValueError, zlib.error, zipfile.BadZipFile)
LARGEST = 64 * 2**20  # bytes of one unpacked image file; more is no photo but a zip bomb


def load_celeba(
    folders: Sequence[Path], size: int, channels: int, workers: int, by_person: bool
) -> DataSet:
    """All images of the attribute file, in its order, from the zip (else the folder) of images.

    Both are looked for in `folders`, in turn; so is, if `by_person`, the file that tells who is in
    each image. Each image is cropped to its largest centred square
    (178 of 178x218 pixels) and resized. UserError when a listed image is missing; the images are
    read later.
    """
    table = find_file(ATTRIBUTES, folders)
    found = [path for name in IMAGES if (path := find_file(name, folders)) is not None]
    if table is None or not found:
        missing = ATTRIBUTES if table is None else " or ".join(IMAGES)
        raise UserError(
            f"{folders[0]}: {missing} is missing: accept the licence at {HOME}, "
            "download it and place it there (see docs/data.md)"
        )
    source, names, attributes = read_attributes(table)
    grouped = dict([read_persons(folders, source)]) if by_person else {}
    photos = (_from_zip if found[0].suffix == ".zip" else _from_folder)(found[0], source, table)
    return DataSet(
        names=names,
        attributes=attributes,
        source=source,
        shape=(size, size, channels),
        blocks=decode_stream(photos, size, channels, workers),
        grouped=grouped,
    )


def read_attributes(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """File names [N], attribute names [A] and bool [N, A] of a CelebA attribute file.

    Line 1 is N, line 2 the names, then N lines "file +-1 ... +-1". UserError with the line number.
    """
    lines = read_text(path).rstrip().split("\n")
    names = lines[1].split() if len(lines) > 1 else []
    if not lines[0].strip().isdecimal() or not names or len(set(names)) < len(names):
        raise UserError(
            f"{path}: line 1 must be the number of images and line 2 the attribute names, "
            "each once: download it again"
        )
    rows = lines[2:]
    if len(rows) != int(lines[0]):
        raise UserError(
            f"{path}: the first line promises {int(lines[0])} images, {len(rows)} follow: "
            "the file is incomplete; download it again"
        )
    source: dict[str, int] = {}
    attributes = np.empty((len(rows), len(names)), dtype=bool)
    for row, line in enumerate(rows):
        file, *values = line.split() or [""]
        problem = _problem(file, values, len(names), source)
        if problem:
            raise UserError(f"{path}, line {row + 3}: {problem}: download the file again")
        source[file] = row + 3
        attributes[row] = [value == "1" for value in values]
    return list(source), names, attributes


def _problem(file: str, values: list[str], expected: int, seen: dict[str, int]) -> str | None:
    if len(values) != expected or not set(values) <= {"1", "-1"}:
        return f"a file name and {expected} values of 1 or -1 are expected"
    if file in seen:
        return f"{file} was already listed in line {seen[file]}"
    if PurePosixPath(file).name != file:
        return f"{file!r} is not a plain file name"
    return None


def _missing(file: str, images: Path, table: Path) -> UserError:
    return UserError(
        f"{images}: {file} is missing, though {table} lists it: download the images again"
    )


def _from_folder(folder: Path, source: list[str], table: Path) -> Iterator[Photo]:
    with reading(folder):
        present = {path.name for path in folder.iterdir()}
    for file in source:
        if file not in present:
            raise _missing(file, folder, table)
    return ((str(folder / file), folder / file) for file in source)


def _from_zip(path: Path, source: list[str], table: Path) -> Iterator[Photo]:
    """Members are found by file name, in whatever folder; nothing is ever unpacked to disk."""
    with reading(path, "not a complete zip file", "download it again", (zipfile.BadZipFile,)):
        archive = zipfile.ZipFile(path)
    members = {
        PurePosixPath(member.filename).name: member
        for member in archive.infolist()
        if ".." not in PurePosixPath(member.filename).parts and not member.is_dir()
    }
    for file in source:
        if file not in members:
            raise _missing(file, path, table)
    return ((f"{path}: {file}", _read_member(archive, members[file], path)) for file in source)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> bytes:
    if member.file_size > LARGEST:
        raise UserError(f"{path}: {member.filename} is {member.file_size} bytes large: refused")
    with reading(path, f"{member.filename} is damaged", "download the images again", DAMAGE):
        return archive.read(member)
