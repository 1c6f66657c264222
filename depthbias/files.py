"""Reading and writing single-file artefacts: atomically, without pickle, with one-line errors."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from depthbias.errors import UserError, explain


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
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise explain(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


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


def read_json(path: str | Path) -> Any:
    """Read JSON; a missing, truncated or malformed file is a UserError."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise explain(error, path, "cannot read") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}): delete it and run again") from error


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
    """The named arrays of an .npz, in that order; pickles are refused."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return [archive[name] for name in names]
    except OSError as error:
        raise explain(error, path, "cannot read") from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: not a complete depthbias archive ({error}): delete it and run again"
        ) from error


def map_npz(path: str | Path, name: str) -> np.ndarray:
    """A read-only memory map of one array of an .npz written with compress=False."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(f"{name}.npy")
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is compressed")
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
                shape, fortran, dtype = read_header(stream)
                in_member = stream.tell()
        with Path(path).open("rb") as file:
            file.seek(member.header_offset + 26)
            name_length, extra_length = np.frombuffer(file.read(4), "<u2")
        offset = member.header_offset + 30 + int(name_length) + int(extra_length) + in_member
        return np.memmap(path, dtype, "r", offset, shape, order="F" if fortran else "C")
    except OSError as error:
        raise explain(error, path, "cannot read") from error
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: not a complete depthbias archive ({error}): delete it and run again"
        ) from error


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
