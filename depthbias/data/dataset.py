"""The prepared form of every data set: one uncompressed .npz, written as a stream, read by maps."""

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from depthbias.system.files import map_npz, replacing

BLOCK = 4096  # images mapped at a time: 50 MB at 64x64x3


@dataclass(frozen=True)
class DataSet:
    """A labelled data set whose images have not been read yet.

    names: A attribute (or label) names. attributes: bool [N, A]. source: N file names or the like.
    shape: (S, S, C) of every image. blocks: uint8 [n, S, S, C], N images in all, in order; they
    can be read once. grouped: of some data sets who is in each image, int [N], by the name of the
    array: "persons", or "partition" (depthbias/data/persons.py).
    """

    names: Sequence[str]
    attributes: np.ndarray
    source: Sequence[str]
    shape: tuple[int, int, int]
    blocks: Iterable[np.ndarray]
    grouped: Mapping[str, np.ndarray] = field(default_factory=dict)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels int [N] in 0..classes-1 to bool [N, classes]."""
    return labels[:, None] == np.arange(classes)


def find_file(name: str, folders: Sequence[Path]) -> Path | None:
    """The first of folder/name that exists (file or folder), else None."""
    return next((folder / name for folder in folders if (folder / name).exists()), None)


def write_data_set(
    path: str | Path, data: DataSet, report: Callable[[int], None] = lambda done: None
) -> None:
    """Write images, attributes, names and source; `report` is told the images done so far.

    Images go straight into the archive, so memory is that of one block. Equal contents give equal
    bytes (zipfile stamps streamed members 1980-01-01). Atomic: an error leaves `path` as it was.
    """
    small = {
        "attributes": np.asarray(data.attributes, dtype=bool),
        "names": np.array(data.names, dtype=np.str_),
        "source": np.array(data.source, dtype=np.str_),
        **data.grouped,
    }
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(data.source), *data.shape)}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        with archive.open("images.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            done = 0
            for block in data.blocks:
                member.write(np.ascontiguousarray(block, dtype=np.uint8).data)
                done += len(block)
                report(done)
        assert done == len(data.source)


def read_blocks(path: str | Path) -> Iterator[np.ndarray]:
    """The images of a prepared data set as uint8 [n, S, S, C], BLOCK at a time.

    Maps the file anew for each block, because pages once read through one map stay resident.
    """
    count = len(map_npz(path, "images"))
    for start in range(0, count, BLOCK):
        yield map_npz(path, "images")[start : start + BLOCK]
