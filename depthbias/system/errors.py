"""Errors that a user can act on: one line, no traceback."""

import difflib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

Unfit = tuple[type[Exception], ...]


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


def suggestion(name: str, valid: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for the valid name most like `name`, or the list of valid names."""
    by_lower = {one.lower(): one for one in valid}
    if close := difflib.get_close_matches(name.lower(), by_lower, n=1):
        return f"; did you mean {by_lower[close[0]]!r}?"
    first = ", ".join([*by_lower.values()][:10])
    return f"; valid: {first}{', ...' if len(by_lower) > 10 else ''}"


MOST_NAMED = 20  # of several problems


def several(where: object, problems: Sequence[str]) -> UserError:
    """All problems of a file (or of no file: "") in one line, of many MOST_NAMED and a count."""
    if len(problems) == 1:
        return UserError(f"{where}, {problems[0]}" if where else problems[0])
    place = f"{where}: " if where else ""
    rest = len(problems) - MOST_NAMED
    more = f"; and {rest} more" if rest > 0 else ""
    return UserError(f"{place}{len(problems)} problems: {'; '.join(problems[:MOST_NAMED])}{more}")


# What is raised where a file holds something else than it should.
UNFIT = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


@contextmanager
def reading(
    path: object, fault: str = "damaged", remedy: str = "make it again", unfit: Unfit = UNFIT
) -> Iterator[None]:
    """Where the block fails to read a file, a UserError says so in one line.

    An error in `unfit` becomes "PATH: FAULT (why): REMEDY"; one of the system is explained.
    """
    try:
        yield
    except unfit as error:
        why = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise UserError(f"{path}: {fault} ({why}): {remedy}") from error
    except OSError as error:
        raise explain(error, path, "cannot read") from error


@contextmanager
def finite(model: object) -> Iterator[None]:
    """Where what a model makes in the block is not finite, a UserError names its file."""
    try:
        yield
    except FloatingPointError as error:
        raise UserError(f"{model}: {error}: train the model again") from error


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
