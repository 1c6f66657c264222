"""Downloads with progress and hash, from the first mirror that answers."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from depthbias.system.errors import UserError, reading
from depthbias.system.files import replacing

TIMEOUT = 30  # seconds without an answer before the next mirror is tried


class Failed(Exception):
    """A source did not give the file; the message says why."""


def hash_of(path: Path, algorithm: str) -> str:
    """The hash of a file in hex."""
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def check_md5(path: Path, md5: str) -> None:
    """A UserError when the file has another MD5 than published: a check against damage only."""
    found = hash_of(path, "md5")
    if found != md5:
        raise UserError(
            f"{path}: MD5 is {found}, not {md5}: the file is damaged or incomplete; "
            "delete it and run again to download it"
        )


def fetch(path: Path, url: str, algorithm: str, digest: str) -> None:
    """Fetch `url` to `path`, where it appears only complete and with that hash, else Failed.

    An interrupted download starts over. UserError when the file cannot be written.
    """
    import pooch
    from requests.exceptions import RequestException

    # Some servers offer to unpack .gz files on the way; the hash is that of the packed file.
    downloader = pooch.HTTPDownloader(
        progressbar=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}
    )
    with replacing(path) as temporary:
        try:
            downloader(url, str(temporary), None)
        except RequestException as error:  # an OSError, but none of writing
            raise Failed(type(error).__name__) from error
        if hash_of(temporary, algorithm) != digest:
            raise Failed("wrong hash")


def download(path: Path, mirrors: Sequence[str], md5: str) -> None:
    """Fetch <mirror>/<name of path> to `path`, where it appears only complete and with that MD5.

    A mirror that does not answer or sends something else is passed over; UserError after the last.
    """
    reasons = []
    for mirror in mirrors:
        try:
            fetch(path, f"{mirror.rstrip('/')}/{path.name}", "md5", md5)
            return
        except Failed as error:
            reasons.append(f"{mirror}: {error}")
    raise UserError(
        f"{path}: missing, and the download failed ({'; '.join(reasons)}): "
        "check the network and run again, or put the file there yourself"
    )
