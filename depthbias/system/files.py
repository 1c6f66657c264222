"""Reading and writing single-file artefacts: atomically, without pickle, with one-line errors."""

import glob
import hashlib
import json
import math
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np

from depthbias.system.errors import UNFIT, explain, reading

# An archive that unpacks to more than both is a decompression bomb, not an array of ours.
BOMB_BYTES = 2**30
BOMB_RATIO = 100  # deflate reaches 1032 on zeros; images and vectors stay below 20
# What zipfile and numpy raise on archives that are damaged or forged.
FORGED = (*UNFIT, EOFError, RuntimeError, SyntaxError, TokenError, BadZipFile, zlib.error)
DAMAGED = ("not a complete depthbias archive", "delete it and run again", FORGED)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    On any failure the temporary file is removed and what was at `path` stays as it was.
    Operating-system errors (full disk, read-only folder) become a UserError that names `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise explain(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Delete what processes that were killed while they wrote `path` have left of it."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        try:
            os.kill(int(leftover.name.split(".")[-2]), 0)
        except (ProcessLookupError, OverflowError):
            leftover.unlink(missing_ok=True)
        except (PermissionError, ValueError):  # alive, of another user; not ours
            continue


def check_writable(*paths: str | Path) -> None:
    """Make the folders of outputs; a UserError says at the start, not after hours, what cannot be.

    A byte is written beside each output, as an empty file would also fit on a full disk.
    """
    for path in map(Path, paths):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent, buffering=0) as file:
                file.write(b"0")
        except OSError as error:
            raise explain(error, path) from error


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON atomically, keys in the given order, short lists of numbers on one line."""
    write_text(path, json.dumps(content, indent=1, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def write_csv(path: str | Path, frame: Any, digits: int = 10) -> None:
    """Write a pandas frame as CSV atomically, without its index; digits: significant, of floats."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, float_format=f"%.{digits}g")


def read_json(path: str | Path) -> Any:
    """Read JSON; a missing, truncated or malformed file is a UserError."""
    with reading(path, "not valid JSON", "delete it and run again"):
        return json.loads(Path(path).read_text(encoding="utf-8"))


def write_npz(
    path: str | Path, arrays: Mapping[str, np.ndarray | str], compress: bool = True
) -> None:
    """Write arrays (and strings, as 0-d arrays) into one .npz; equal contents give equal bytes."""
    for name, value in arrays.items():
        if np.asarray(value).dtype.hasobject:
            raise TypeError(f"{name}: object arrays would need pickle")
    save: Any = np.savez_compressed if compress else np.savez
    with replacing(path) as temporary, temporary.open("wb") as file:
        save(file, **arrays)


def read_npz(path: str | Path, *names: str) -> list[np.ndarray]:
    """The named arrays of an .npz, in that order; pickles and decompression bombs are refused."""
    with reading(path, *DAMAGED), zipfile.ZipFile(path) as archive:
        for name in names:
            _check_member(archive, name)
        with np.load(path, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]


def names_npz(path: str | Path) -> list[str]:
    """The names of the arrays of an .npz."""
    with reading(path, *DAMAGED), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def header_npz(path: str | Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """(shape, dtype) of an array of an .npz, which is not read."""
    with reading(path, *DAMAGED), zipfile.ZipFile(path) as archive:
        shape, _, dtype, _ = _check_member(archive, name)
    return shape, dtype


def map_npz(path: str | Path, name: str) -> np.ndarray:
    """A read-only memory map of one array of an .npz written with compress=False."""
    with reading(path, *DAMAGED):
        with zipfile.ZipFile(path) as archive:
            shape, fortran, dtype, in_member = _check_member(archive, name)
            member = archive.getinfo(f"{name}.npy")
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is compressed")
        with Path(path).open("rb") as file:
            file.seek(member.header_offset + 26)
            name_length, extra_length = np.frombuffer(file.read(4), "<u2")
        offset = member.header_offset + 30 + int(name_length) + int(extra_length) + in_member
        return np.memmap(path, dtype, "r", offset, shape, order="F" if fortran else "C")


def _check_member(
    archive: zipfile.ZipFile, name: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """(shape, Fortran order, dtype, length of the header) of an array whose header is true.

    ValueError before anything large is unpacked or allocated.
    """
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > max(BOMB_BYTES, BOMB_RATIO * member.compress_size):
        raise ValueError(f"{name} unpacks from {member.compress_size} to {member.file_size} bytes")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0", None)
        if read_header is None:
            raise ValueError(f"{name} has version {version}")
        shape, fortran, dtype = read_header(stream)
        length = stream.tell()
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which could run code when read")
    if length + math.prod(shape) * dtype.itemsize != member.file_size:
        raise ValueError(f"{name} is not as long as its header says")
    return shape, fortran, dtype, length


def fingerprint(*parts: str | bytes | Path) -> str:
    """SHA-256 (16 hex digits) over strings and contents of files: equal only if all are."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
        else:
            content = hashlib.sha256(part.encode() if isinstance(part, str) else part).digest()
        digest.update(content)
    return digest.hexdigest()[:16]
