"""Labels without a table: each image has the name of its sub-folder."""

import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from depthbias.data.raw_files import is_image
from depthbias.data.tables import composed
from depthbias.system.errors import UserError, several

PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}
REMEDY = "give each class one sub-folder with its images, or name a table in data.labels"


def labels_by_folder(folder: Path, files: Sequence[str]) -> list[tuple[str, str]]:
    """(file, label) of each image among the files of a folder: label/file.

    All may lie in further folders around (as after unpacking pets/pets/label/file), and in folders
    of PARTS (train/label/file). Files that are no images are left out, which a line on stderr says.
    UserError where it is not clear which folder is the class.
    """
    images = [file for file in files if is_image(file)]
    if not images:
        raise UserError(f"{folder}: holds no images: put them there; {REMEDY}")
    if left := len(files) - len(images):
        print(f"{folder}: {left} files that are no images are left out", file=sys.stderr)
    paths = [PurePosixPath(file).parts for file in images]
    level = _level_of_classes(paths)
    problems = [
        f"{file} lies in {'no sub-folder' if len(path) < level + 2 else 'a folder of a folder'}"
        for file, path in zip(images, paths, strict=True)
        if len(path) != level + 2
    ]
    if problems:
        raise UserError(f"{several(folder, problems)}: {REMEDY}")
    return [(file, composed(path[level])) for file, path in zip(images, paths, strict=True)]


def _level_of_classes(paths: Sequence[Sequence[str]]) -> int:
    """How many folders are around those of the classes."""
    most = min(map(len, paths)) - 2
    level = 0
    while level < most and len({path[level] for path in paths}) == 1:
        level += 1
    return level + (level < most and {path[level].lower() for path in paths} <= PARTS)
