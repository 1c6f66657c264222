"""Errors that a user can act on: one line, no traceback."""

import errno
import os
import signal
import sys
from collections.abc import Callable


class UserError(Exception):
    """Bad input. The message is one line: which file or key, what is wrong, what to do."""


REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EFBIG: "the file would pass the size limit (ulimit -f): raise it and run again",
    errno.EROFS: "the file system is read-only: choose a folder that can be written",
    errno.EACCES: "permission denied: check the owner and the mode of the folder",
    errno.EPERM: "permission denied: check the owner and the mode of the folder",
}


def explain(error: OSError, path: object, doing: str = "cannot write") -> UserError:
    """The one-line form of an operating-system error on `path`."""
    remedy = REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return UserError(f"{path}: {doing}: {remedy}")


def lacking(error: Exception) -> str:
    """What is wrong with the content of a file: "no 'key'" for a missing key, else the message."""
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def command(main: Callable[[], None]) -> None:
    """Call `main`; a UserError ends the process with one line on stderr and exit status 1.

    SIGTERM and Ctrl-C end it with 128 + the signal's number, after temporary files are removed.
    With DEPTHBIAS_DEBUG=1 in the environment the traceback of an error is shown instead.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (UserError, OSError) as error:
        unforeseen = isinstance(error, OSError) and error.errno not in REMEDIES
        if unforeseen or os.environ.get("DEPTHBIAS_DEBUG") == "1":
            raise
        if isinstance(error, OSError):
            error = explain(error, error.filename or "output")
        sys.exit(f"error: {error}")
