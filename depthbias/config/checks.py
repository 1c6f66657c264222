"""Checks that several blocks share. They raise ValueError, to which pydantic adds the key path."""

from collections.abc import Iterable, Iterator
from typing import Any

from depthbias.system.errors import UserError


class Problems(ValueError):
    """What is wrong with one block, all of it; the message is the first.

    found: a text each, that may begin with a key within the block, a colon and a space.
    """

    def __init__(self, found: list[str]) -> None:
        super().__init__(found[0])
        self.found = found


def refuse(problems: Iterable[str]) -> None:
    """Raise all problems, if there are any."""
    if found := list(problems):
        raise Problems(found)


def told(function: Any, *arguments: Any, key: str = "") -> Iterator[str]:
    """The message of a check of the library that raises UserError, if it does.

    `key` is put before the message: the key within the block, with a colon and a space.
    """
    try:
        function(*arguments)
    except UserError as error:
        yield f"{key}{error}"


def check(function: Any, *arguments: Any) -> None:
    """Call a check of the library; its UserError becomes a ValueError, which pydantic locates."""
    refuse(told(function, *arguments))


def refuse_repeats(values: list[Any]) -> list[Any]:
    """The values as they are; ValueError where one is listed twice."""
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value!r} is listed twice")
    return values
