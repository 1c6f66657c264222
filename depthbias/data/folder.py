"""The user's own images: a folder with a table of labels, or with a sub-folder a class."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from depthbias.data.class_folders import labels_by_folder
from depthbias.data.dataset import DataSet, one_hot
from depthbias.data.photos import decode_stream
from depthbias.data.raw_files import files_below
from depthbias.data.tables import composed, read_label_rows
from depthbias.system.errors import UserError, several

Labels = Sequence[tuple[str, str]]  # (file relative to the folder, label)
TABLE = "metadata.csv"  # what the Hugging Face datasets library reads, in any of the folders
OTHER_TABLES = ("metadata.jsonl", "metadata.parquet")


def load_folder(
    folder: Path,
    table: Path | None,
    size: int,
    channels: int,
    workers: int,
    on_conflict: str = "stop",
) -> DataSet:
    """The images that `table` lists, in its order; file names are relative to `folder`.

    Without a table those that the files metadata.csv in the folder list, else all images, labelled
    by their sub-folder. Each image is cropped to its largest centred square and resized, grey
    (channels 1) or RGB (3). The names are the different labels, sorted. UserError with the line
    number for a bad row, and for a file with two labels unless on_conflict is "drop".
    """
    labels = (
        read_labels(table, folder, on_conflict) if table else load_own_labels(folder, on_conflict)
    )
    names, codes = np.unique([label for _, label in labels], return_inverse=True)
    photos = ((str(folder / file), folder / file) for file, _ in labels)
    return DataSet(
        names=names.tolist(),
        attributes=one_hot(codes, len(names)),
        source=[file for file, _ in labels],
        shape=(size, size, channels),
        blocks=decode_stream(photos, size, channels, workers),
    )


def load_own_labels(folder: Path, on_conflict: str = "stop") -> Labels:
    """What the folder itself says of its images."""
    files = list(files_below(folder))
    tables = [PurePosixPath(file) for file in files if PurePosixPath(file).name == TABLE]
    others = [file for file in files if PurePosixPath(file).name in OTHER_TABLES]
    if others and not tables:
        raise UserError(f"{folder / others[0]}: not read: save it as {TABLE} beside it")
    if not tables:
        return labels_by_folder(folder, files)
    return [
        ((table.parent / file).as_posix(), label)
        for table in tables
        for file, label in read_labels(folder / table, folder / table.parent, on_conflict)
    ]


def read_labels(table: Path, folder: Path, on_conflict: str = "stop") -> Labels:
    """Each image that a label table lists, in its order, and its label.

    Files are told by other spellings of their names too, where only one file is meant: with
    backslashes, letters in other case, accents composed in another way. UserError that names all
    bad rows. With on_conflict "drop" a file may be there with several labels.
    """
    names = _Names(folder)
    labels: list[tuple[str, str]] = []
    lines: dict[str, tuple[int, str]] = {}
    problems = []
    for line, given, label in read_label_rows(table):
        file, problem = names.find(given)
        if not problem and not label:
            problem = f"empty label for {file!r}: fill it in or take the line out"
        if not problem and file in lines:
            problem = _repeated(file, label, *lines[file], on_conflict)
        if problem:
            problems.append(f"line {line}: {problem}")
        labels.append((file, label))
        lines.setdefault(file, (line, label))
    if problems:
        raise several(table, problems)
    return labels


def _repeated(file: str, label: str, line: int, first: str, on_conflict: str) -> str:
    if label == first:
        return f"{file!r} was already listed in line {line}: take one of the lines out"
    if on_conflict == "drop":
        return ""
    return (
        f"{file!r} has the label {label!r} here and {first!r} in line {line}: correct one of the "
        "lines, or say data.on_conflict: drop to use no such image"
    )


class _Names:
    """The files of a folder by their names as people write them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spellings: dict[str, list[str]] | None = None

    def find(self, given: str) -> tuple[str, str]:
        """The path relative to the folder, and what is wrong with it ("" if nothing is)."""
        # ./a.png and a.png are one file: one spelling, so that duplicates are seen.
        file = os.path.normpath(given) if given else "."
        if file == ".":
            return file, "no file name: fill it in or take the line out"
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts:
            return file, (
                f"{file!r} is not the name of a file in {self.folder}: give a path inside that "
                "folder"
            )
        if (self.folder / file).is_file():
            return file, ""
        found = self._alike(file)
        if len(found) == 1:
            return found[0], ""
        if found:
            return file, f"{file!r} may be {' or '.join(found)}: write it as the file is called"
        return file, f"{file!r} is not in {self.folder}: put it there or take the line out"

    def _alike(self, file: str) -> list[str]:
        if self.spellings is None:
            self.spellings = {}
            for name in files_below(self.folder):
                self.spellings.setdefault(_plain(name), []).append(name)
        return self.spellings.get(_plain(file), [])


def _plain(name: str) -> str:
    return composed(name.replace("\\", "/")).casefold().removeprefix("./")
