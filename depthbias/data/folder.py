"""The user's own images: a folder and a CSV with the columns file and label."""

import csv
import io
from pathlib import Path, PurePosixPath

import numpy as np

from depthbias.data.dataset import DataSet, one_hot, read_text
from depthbias.data.photos import decode_stream
from depthbias.system.errors import UserError


def load_folder(folder: Path, table: Path, size: int, channels: int, workers: int) -> DataSet:
    """The images that `table` lists, in its order; file names are relative to `folder`.

    Each image is cropped to its largest centred square and resized, grey (channels 1) or RGB (3).
    The names are the different labels, sorted. UserError with the line number for a bad row.
    """
    labels = read_labels(table, folder)
    names, codes = np.unique(list(labels.values()), return_inverse=True)
    photos = ((str(folder / file), folder / file) for file in labels)
    return DataSet(
        names=names.tolist(),
        attributes=one_hot(codes, len(names)),
        source=list(labels),
        shape=(size, size, channels),
        blocks=decode_stream(photos, size, channels, workers),
    )


def read_labels(table: Path, folder: Path) -> dict[str, str]:
    """{file: label} of a label table, in its order; columns besides file and label are ignored."""
    labels: dict[str, str] = {}
    lines: dict[str, int] = {}
    reader = csv.DictReader(io.StringIO(read_text(table)), strict=True)
    try:
        for column in ("file", "label"):
            if column not in (reader.fieldnames or ()):
                raise UserError(
                    f"{table}, line 1: no column {column!r}: the first line must name the columns "
                    "file and label"
                )
        for row in reader:
            # ./a.png and a.png are one file: one spelling, so that duplicates are seen.
            file = str(PurePosixPath((row["file"] or "").strip()))
            label = (row["label"] or "").strip()
            problem = _problem(file, label, folder, lines)
            if problem:
                raise UserError(f"{table}, line {reader.line_num}: {problem}")
            labels[file], lines[file] = label, reader.line_num
    except csv.Error as error:
        raise UserError(
            f"{table}, line {reader.reader.line_num}: not valid CSV ({error})"
        ) from error
    if not labels:
        raise UserError(f"{table}: lists no images: add a line for each")
    return labels


def _problem(file: str, label: str, folder: Path, lines: dict[str, int]) -> str | None:
    path = PurePosixPath(file)
    if file == ".":
        return "no file name: fill it in or take the line out"
    if path.is_absolute() or ".." in path.parts:
        return f"{file!r} is not the name of a file in {folder}: give a path inside that folder"
    if not label:
        return f"empty label for {file!r}: fill it in or take the line out"
    if file in lines:
        return f"{file!r} was already listed in line {lines[file]}: take one of the lines out"
    if not (folder / file).is_file():
        return f"{file!r} is not in {folder}: put it there or take the line out"
    return None
