"""The files of a folder of a user's: which there are, which are images, and what they hold."""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from depthbias.system.errors import UserError, explain, reading
from depthbias.system.files import read_json, write_json

UNREAD = {".arw", ".avif", ".cr2", ".dng", ".heic", ".heif", ".jxl", ".nef", ".svg"}

SETTLED = 2 * 10**9  # nanoseconds: a file may change again without a new date while it is younger


def files_below(folder: Path) -> Iterator[str]:
    """The files in a folder and all below it, relative to it, in a fixed order; links are followed.

    Hidden files and `__MACOSX`, which archivers and file managers leave behind, are left out.
    UserError for a folder that cannot be read, and for one that holds itself by a link.
    """

    def refuse(error: OSError) -> None:
        raise explain(error, error.filename, "cannot read")

    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        above = Path(place).parent.resolve()
        if Path(place) != folder and above.is_relative_to(Path(place).resolve()):
            raise UserError(f"{place}: a link to a folder that holds it: take the link out")
        folders[:] = sorted(filter(_kept, folders))
        for name in sorted(filter(_kept, files)):
            yield Path(place, name).relative_to(folder).as_posix()


def _kept(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def is_image(name: str) -> bool:
    """Whether a file is an image by its suffix, be it of a format that cannot be read."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in UNREAD or Image.registered_extensions().get(suffix) in Image.OPEN


def digest_of_files(folder: Path, memory: Path) -> str:
    """SHA-256 (16 hex digits) over the names and contents of all files in a folder and below it.

    `memory` is a file of this function's own: a file whose size and times of change are as they
    were at an earlier call is not read again. Dates alone change nothing.
    """
    known, seen = _remembered(memory), {}
    total, now = hashlib.sha256(), time.time_ns()
    for name in files_below(folder):
        path = folder / name
        if not path.is_file():  # a link to nothing
            continue
        with reading(path, unfit=()):
            state = path.stat()
            stamp = [state.st_size, state.st_mtime_ns, state.st_ctime_ns]
            *before, digest = known.get(name, [""])
            if before != stamp:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
        if now - max(stamp[1:]) > SETTLED:
            seen[name] = [*stamp, digest]
        total.update(f"{name}\0{digest}\0".encode(errors="surrogateescape"))
    if seen != known:
        write_json(memory, seen)
    return total.hexdigest()[:16]


def _remembered(memory: Path) -> dict[str, list[Any]]:
    """What an earlier call wrote; nothing if it is damaged, as it is made again."""
    try:
        known = read_json(memory)
    except UserError:
        return {}
    return known if isinstance(known, dict) else {}
