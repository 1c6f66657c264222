"""params.yaml as typed classes: unknown keys refused, ranges checked, errors by key path.

The only place that knows what may stand in params.yaml; `schema()` gives it as JSON schema too.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from depthbias.config.blocks import Block, Selector
from depthbias.config.checks import suggestion
from depthbias.config.study import Params, Study, Sweep
from depthbias.system.errors import UserError, explain


class UniqueKeys(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                line = node.value[place][0].start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: {key!r} is there twice: delete one")
        return super().construct_mapping(node, deep)


def load(path: str | Path) -> Params:
    """Read and check a params.yaml; the UserError names the file, the key path and the remedy."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = UniqueKeys(text).get_single_data()
    except OSError as error:
        raise explain(error, path, "cannot read") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not plain YAML: {' '.join(str(error).split())}") from error
    return parse(content, str(path))


def parse(content: object, source: str = "params.yaml") -> Params:
    """Check the content of a params.yaml."""
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        # On one line, whatever is in the keys.
        message = " ".join(_explain(error, content).split())
        raise UserError(f"{source}: {message}") from error


def _explain(error: ValidationError, content: object) -> str:
    """The first problem as one line: key path, what is wrong, nearest valid name."""
    problems = error.errors()
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    path = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        valid = list(_block_at(first["loc"][:-1]).model_fields)
        return f"{path}: unknown key{suggestion(str(first['loc'][-1]), valid)}{more}"
    message = first["msg"].removeprefix("Value error, ")
    key, _, rest = message.partition(": ")
    if rest and re.fullmatch(r"[a-z_.]+", key):  # a block's own check names the key in it
        path, message = f"{path}.{key}".lstrip("."), rest
    message = message[0].lower() + message[1:]
    given = first.get("input")
    shown = (
        f", not {given!r}"
        if isinstance(given, str | int | float) and repr(given) not in message
        else ""
    )
    return f"{path}: {message}{shown}{more}" if path else f"{message}{more}"


def _block_at(location: tuple[int | str, ...]) -> type[Block]:
    """The class that describes the block at a key path."""
    block: type[Block] = Params
    parts = list(location)
    while parts:
        key = str(parts.pop(0))
        if (block, key) in ((Params, "studies"), (Params, "sweeps")):
            block, parts = Study if key == "studies" else Sweep, parts[1:]
        elif (block, key) == (Study, "classes"):
            block, parts = Selector, parts[1:]
        else:
            block = block.model_fields[key].annotation  # type: ignore[assignment]
    return block


def schema() -> dict[str, Any]:
    """JSON schema of params.yaml, for editors."""
    return Params.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}


if __name__ == "__main__":  # python -m depthbias.config.reading > docs/params.schema.json
    print(json.dumps(schema(), indent=1))
