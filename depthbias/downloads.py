"""Downloads with progress and hash, from the first mirror that answers."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from depthbias.errors import UserError, explain

TIMEOUT = 30  # seconds without an answer before the next mirror is tried


def md5_of(path: Path) -> str:
    """MD5 of a file in hex: the published check against damage (it is none against malice)."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise explain(error, path, "cannot read") from error


def check_md5(path: Path, md5: str) -> None:
    """A UserError when the file at `path` has another hash."""
    found = md5_of(path)
    if found != md5:
        raise UserError(
            f"{path}: MD5 is {found}, not {md5}: the file is damaged or incomplete; "
            "delete it and run again to download it"
        )


def download(path: Path, mirrors: Sequence[str], md5: str) -> None:
    """Fetch <mirror>/<name of path> to `path`, where it appears only complete and with that hash.

    A mirror that does not answer or sends something else is passed over; UserError after the last.
    """
    import pooch
    from requests.exceptions import RequestException

    # Some servers offer to unpack .gz files on the way; the hash is that of the packed file.
    downloader = pooch.HTTPDownloader(
        progressbar=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}
    )
    reasons = []
    for mirror in mirrors:
        try:
            pooch.retrieve(
                f"{mirror.rstrip('/')}/{path.name}",
                known_hash=f"md5:{md5}",
                fname=path.name,
                path=path.parent,
                downloader=downloader,
            )
            return
        except RequestException as error:
            reasons.append(f"{mirror}: {type(error).__name__}")
        except ValueError:
            reasons.append(f"{mirror}: wrong MD5")
        except OSError as error:
            raise explain(error, path) from error
    raise UserError(
        f"{path}: missing, and the download failed ({'; '.join(reasons)}): "
        "check the network and run again, or put the file there yourself"
    )
