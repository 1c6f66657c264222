"""Checks that several blocks share. They raise ValueError, to which pydantic adds the key path."""

from typing import Any

from depthbias.system.errors import UserError


def check(function: Any, *arguments: Any, key: str = "") -> None:
    """Call a check of the library; its UserError becomes a ValueError, which pydantic locates.

    `key` is put before the message: the key within the block, with a colon and a space.
    """
    try:
        function(*arguments)
    except UserError as error:
        raise ValueError(f"{key}{error}") from error


def refuse_repeats(values: list[Any]) -> list[Any]:
    """The values as they are; ValueError where one is listed twice."""
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value!r} is listed twice")
    return values
