"""MNIST from the four official IDX files (format: http://yann.lecun.com/exdb/mnist/)."""

import gzip
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from depthbias.data.dataset import DataSet, find_file, one_hot
from depthbias.data.resize import resized_blocks
from depthbias.system.downloads import check_md5, download, hash_of
from depthbias.system.errors import UserError, reading

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
HASHES = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
COUNTS = (6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958)  # images of each digit
SPLITS = {"train": "train", "test": "t10k"}
LONGEST_HEADER, LARGEST = 4 + 4 * 255, 2**28  # of an IDX file, bytes
PAD = 2  # 28 + 2 * 2 = 32 pixels, a power of two, as the U-Nets halve the image


def load_mnist(
    folders: Sequence[Path],
    size: int,
    channels: int,
    hashes: Mapping[str, str] = HASHES,
    mirrors: Sequence[str] = MIRRORS,
) -> DataSet:
    """All 70,000 images, training images first, padded from 28 to 32 pixels and resized by area.

    Each file is taken from the first of `folders` that has it, else downloaded into folders[0].
    `hashes` holds the MD5 of each file. Labels "0" to "9"; source "train/0" ... "test/9999".
    """
    images, labels, source = [], [], []
    for split, prefix in SPLITS.items():
        pictures, digits = (
            read_idx(_fetch(f"{prefix}-{content}-ubyte.gz", folders, hashes, mirrors), dimensions)
            for content, dimensions in (("images-idx3", 3), ("labels-idx1", 1))
        )
        if len(pictures) != len(digits) or pictures.shape[1:] != (28, 28) or digits.max() > 9:
            raise UserError(
                f"{prefix}-images-idx3-ubyte.gz: {pictures.shape} images do not go with "
                f"{len(digits)} labels up to {digits.max()}: fetch both files again"
            )
        images.append(pictures)
        labels.append(digits)
        source += [f"{split}/{row}" for row in range(len(digits))]
    return DataSet(
        names=[str(digit) for digit in range(10)],
        attributes=one_hot(np.concatenate(labels), 10),
        source=source,
        shape=(size, size, channels),
        blocks=resized_blocks(np.concatenate(images), size, channels, PAD),
    )


def _fetch(
    name: str, folders: Sequence[Path], hashes: Mapping[str, str], mirrors: Sequence[str]
) -> Path:
    path = find_file(name, folders)
    if path is None:
        path = folders[0] / name
        download(path, mirrors, hashes[name])
    _check(path, hashes[name])
    return path


def check_files(folders: Sequence[Path], hashes: Mapping[str, str] = HASHES) -> None:
    """UserError if a file that is there already is not MNIST's."""
    for name, md5 in hashes.items():
        if path := find_file(name, folders):
            _check(path, md5)


def _check(path: Path, md5: str) -> None:
    """UserError unless a file has this MD5; the files of other data sets have the same names."""
    if hash_of(path, "md5") != md5 and (shape := whole_idx(path)):
        raise UserError(
            f"{path}: a whole IDX file of another data set than MNIST ({shape}), as Fashion-MNIST "
            "has: move it away to have MNIST downloaded; images of your own are data set folder"
        )
    check_md5(path, md5)


def whole_idx(path: Path) -> str:
    """The shape of a gzipped IDX file of bytes that is as long as its header says, else "".

    No more is unpacked than its header says.
    """
    with reading(path):
        packed = path.read_bytes()
    try:
        start = zlib.decompressobj(wbits=31).decompress(packed, LONGEST_HEADER)
        dimensions = start[3] if start[:3] == bytes([0, 0, 8]) and len(start) > 3 else 0
        told = start[4 : 4 + 4 * dimensions]
        sizes = [int.from_bytes(told[i : i + 4], "big") for i in range(0, len(told), 4)]
        promised = 4 + 4 * dimensions + math.prod(sizes)
        if not 1 <= dimensions == len(sizes) or promised > LARGEST:
            return ""
        unpacker = zlib.decompressobj(wbits=31)
        whole = len(unpacker.decompress(packed, promised + 1)) == promised and unpacker.eof
    except zlib.error:  # as for a wrong checksum at its end
        return ""
    return "x".join(map(str, sizes)) if whole else ""


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array of a gzipped IDX file with that number of dimensions, else a UserError.

    Format: bytes 0, 0, 8 (unsigned byte) and the number of dimensions; the dimensions as big-endian
    32-bit integers; the values, last dimension fastest.
    """
    damage = (EOFError, gzip.BadGzipFile, zlib.error)
    with reading(path, "damaged or incomplete", "fetch it again", damage), gzip.open(path) as file:
        content = file.read()
    start = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, 8, dimensions]) or len(content) < start:
        raise UserError(f"{path}: not an IDX file of bytes in {dimensions}-D: fetch it again")
    shape = np.frombuffer(content[4:start], ">u4").astype(int)
    if len(content) - start != shape.prod() or shape.prod() == 0:
        raise UserError(
            f"{path}: holds {len(content) - start} values, its header promises {shape.prod()}: "
            "fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
