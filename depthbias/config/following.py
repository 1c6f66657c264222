"""Values of a study that follow from others where they are not given, or given as auto."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from depthbias.config.auto import AUTO

NEIGHBOURS = (1, 5, 10, 50)
MAPPED = 5  # noisy images a pixel that a linear map is fitted to


class Follows(NamedTuple):
    """A key of a block, and its value by the numbers, from 1 on, at other key paths."""

    block: str
    key: str
    sources: tuple[str, ...]
    value: Callable[..., Any]


FOLLOWING = (
    Follows(
        "neighbors",
        "k",
        ("subset_size",),
        lambda size: [k for k in NEIGHBOURS if k < size] or [1],
    ),
    Follows(
        "structure",
        "samples",
        ("data.size", "data.channels"),
        lambda size, channels: MAPPED * channels * size**2,
    ),
)


def with_what_follows(study: object) -> object:
    """The unchecked content of a study with the values of FOLLOWING filled in.

    They are left out where the numbers that they follow from are missing or wrong.
    """
    if not isinstance(study, Mapping):
        return study
    content = dict(study)
    for row in FOLLOWING:
        block = content.get(row.block)
        numbers = [_at(content, path) for path in row.sources]
        if not isinstance(block, Mapping) or block.get(row.key, AUTO) != AUTO:
            continue
        if all(isinstance(n, int) and n > 0 for n in numbers):
            content[row.block] = {**block, row.key: row.value(*numbers)}
    return content


def _at(content: Mapping[str, Any], path: str) -> Any:
    value: Any = content
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
