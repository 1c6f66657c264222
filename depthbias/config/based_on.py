"""Studies that are based on one another: what they differ in, laid over their base.

Works on the content of params.yaml as it was read, before its values are checked.
"""

from typing import Any

from depthbias.config.blocks import Block
from depthbias.config.study import Study
from depthbias.system.errors import suggestion

KEY = "based_on"


def block_class(block: type[Block], key: str) -> type[Block] | None:
    """The class of the block under a key of a block; None where the key holds another value."""
    field = block.model_fields.get(key)
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, Block) else None


def merge(base: dict[str, Any], own: dict[str, Any], block: type[Block] = Study) -> dict[str, Any]:
    """`base` with what `own` changes; both describe a `block`, neither is changed.

    Blocks merge key by key. Lists, scalars and mappings whose keys the user chooses
    (classes, overrides, neighbors.copies) replace what the base has.
    """
    merged = base | own
    for key in base.keys() & own.keys():
        inner = block_class(block, key)
        if inner and isinstance(base[key], dict) and isinstance(own[key], dict):
            merged[key] = merge(base[key], own[key], inner)
    return merged


def lineage(studies: dict[str, Any], name: str) -> list[str]:
    """The study, its base, the base of that, and so on to one that has no base.

    ValueError, one line with the key path: a base is missing, unknown, no block, or comes again.
    """
    names = [name]
    while isinstance(studies[names[-1]], dict) and KEY in studies[names[-1]]:
        base, path = studies[names[-1]][KEY], f"studies.{names[-1]}.{KEY}"
        if not isinstance(base, str) or not base:
            raise ValueError(f"{path}: give the name of one study, not {base!r}, or delete the key")
        if base not in studies:
            raise ValueError(f"{path}: no study {base!r}{suggestion(base, map(str, studies))}")
        if base in names:
            circle = " -> ".join([*names[names.index(base) :], base])
            raise ValueError(f"{path}: {circle} is a circle: give one of them all keys instead")
        if not isinstance(studies[base], dict):
            raise ValueError(
                f"studies.{base}: give it the keys of a study, for {names[-1]} needs it"
            )
        names.append(base)
    return names


def resolve(content: object) -> object:
    """The content of a params.yaml with every study in full; it is not changed.

    What is no mapping is left to the checks that follow. Raises as `lineage`.
    """
    studies = content.get("studies") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(studies, dict):
        return content
    return content | {"studies": {name: _in_full(studies, name) for name in studies}}


def _in_full(studies: dict[str, Any], name: str) -> object:
    first, *others = (studies[each] for each in reversed(lineage(studies, name)))
    for own in others:
        first = merge(first, {key: value for key, value in own.items() if key != KEY})
    return first


def origin(content: object, path: list[str]) -> list[str]:
    """Where the value at a key path [studies, <name>, <key> ...] was written down, as a path.

    That is the path itself, or the one in the nearest base that has the value. For a value that is
    nowhere, it is the one in the study at the end of the chain.
    """
    if not isinstance(content, dict) or path[:1] != ["studies"] or len(path) < 3:
        return path
    studies, name, keys = content["studies"], path[1], path[2:]
    names = lineage(studies, name) if name in studies else [name]
    holder = next((each for each in names if _holds(studies.get(each), keys)), names[-1])
    return ["studies", holder, *keys]


def _holds(block: object, keys: list[str]) -> bool:
    """Whether a value is there under nested keys; a list or scalar on the way holds all below."""
    for key in keys:
        if not isinstance(block, dict) or key == "[key]":  # pydantic's word for the key itself
            return True
        values = {str(name): value for name, value in block.items()}
        if key not in values:
            return False
        block = values[key]
    return True
