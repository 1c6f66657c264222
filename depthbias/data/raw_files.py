"""The files of a folder of a user's: which there are, and which of them are images."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from PIL import Image

from depthbias.system.errors import UserError, explain

UNREAD = {".arw", ".avif", ".cr2", ".dng", ".heic", ".heif", ".jxl", ".nef", ".svg"}


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
