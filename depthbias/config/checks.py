"""Checks that several blocks share. They raise ValueError, to which pydantic adds the key path."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from depthbias.system.errors import UserError


def suggestion(name: str, valid: Mapping[str, Any] | list[str]) -> str:
    """ "; did you mean 'x'?" for the valid name most like `name`, or the list of valid names."""
    close = difflib.get_close_matches(name, list(valid), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; valid: {', '.join(valid)}"


def check(function: Any, *arguments: Any, key: str = "") -> None:
    """Call a check of the library; its UserError becomes a ValueError, which pydantic locates.

    `key` is put before the message: the key within the block, with a colon and a space.
    """
    try:
        function(*arguments)
    except UserError as error:
        raise ValueError(f"{key}{error}") from error


def check_ratio(ratio: str) -> None:
    """ValueError unless `ratio` is natural, or percentages above 0 that sum to 100."""
    if ratio == "natural":
        return
    if not re.fullmatch(r"\d+(\.\d+)?(-\d+(\.\d+)?)+", ratio):
        raise ValueError(f"{ratio!r} is not a ratio: write 90-10, 50-30-20 or natural")
    parts = [float(part) for part in ratio.split("-")]
    if abs(sum(parts) - 100) > 1e-6:
        raise ValueError(f"{ratio!r} sums to {sum(parts):g}, not 100: change its numbers")
    if min(parts) <= 0:
        raise ValueError(f"{ratio!r} has an empty class: leave the class out instead")


def refuse_repeats(values: list[Any]) -> list[Any]:
    """The values as they are; ValueError where one is listed twice."""
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value!r} is listed twice")
    return values
