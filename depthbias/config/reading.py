"""params.yaml read into typed classes; its errors in one line; its JSON schema."""

import json
import re
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import ValidationError

from depthbias.config.audit import Audit
from depthbias.config.auto import or_auto
from depthbias.config.based_on import KEY, block_class, origin, resolve
from depthbias.config.blocks import NAME, Block
from depthbias.config.following import FOLLOWING
from depthbias.config.study import Params, Study, Sweep
from depthbias.config.theory import Theory
from depthbias.system.errors import UserError, reading, suggestion

NAMING = (
    "a name has letters from A to Z without accents, digits, _ and -, and no space, as it names "
    "folders; labels under all, any and none may be any text: cafe: { any: [Café au lait] }"
)
BASED_ON = {"type": "string", "description": "a study whose values hold where this one has none"}

AUDITS, SUBJECTS = "audits", "subjects"
KINDS_OF_STUDIES = [("studies",), (AUDITS,)]
KINDS: dict[str, type[Block]] = {"studies": Study, AUDITS: Audit, "sweeps": Sweep}

TEXT, MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


class Plain(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML would silently keep the last.

    The names of classes and of their labels stay as they are written: yes is not true, 007 not 7.
    """

    def get_single_node(self) -> yaml.Node | None:
        root = super().get_single_node()
        studies = _under(root, "studies")
        for classes in (_under(study, "classes") for _, study in _pairs(studies)):
            _keep_text([name for name, _ in _pairs(classes) if name.tag != MERGE])
            for labels in (labels for _, rule in _pairs(classes) for _, labels in _pairs(rule)):
                _keep_text(labels.value if isinstance(labels, yaml.SequenceNode) else [])
        return root

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                line = node.value[place][0].start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: {key!r} is there twice: delete one")
        return super().construct_mapping(node, deep)


def _keep_text(nodes: list[yaml.Node]) -> None:
    for node in nodes:
        if isinstance(node, yaml.ScalarNode):
            node.tag = TEXT


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    """The keys and values of a mapping in YAML; none of what is no mapping."""
    return node.value if isinstance(node, yaml.MappingNode) else []


def _under(node: yaml.Node | None, wanted: str) -> yaml.Node | None:
    """The value under a key of a mapping in YAML, if there is one."""
    return next((value for key, value in _pairs(node) if key.value == wanted), None)


def load(path: str | Path) -> Params:
    """Read and check a params.yaml; the UserError names the file, the key path and the remedy."""
    return parse(read_content(path), str(path))


def read_content(path: str | Path) -> object:
    """What a params.yaml holds, unchecked; UserError unless it is plain YAML."""
    with reading(path, "not plain YAML", "correct it", (yaml.YAMLError, UnicodeDecodeError)):
        return Plain(Path(path).read_text(encoding="utf-8")).get_single_data()


def parse(content: object, source: str = "params.yaml") -> Params:
    """Check the content of a params.yaml; the studies of the result are in full."""
    try:
        return Params.model_validate(_apart(resolve(content)))
    except ValueError as error:
        first, *others = _problems(error, content)
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(f"{source}: {first}{more}") from error


def find_problems(content: object) -> tuple[Params | None, list[str]]:
    """All problems of the content of a params.yaml, and what of it is right.

    Studies with a problem are left out, and the rest is checked again without them.
    """
    found: list[str] = []
    try:
        rest = _apart(resolve(content))
    except ValueError as error:
        return None, _problems(error, content)
    while True:
        try:
            return Params.model_validate(rest), found
        except ValidationError as error:
            found += [line for line in _problems(error, content) if line not in found]
            places = [one["loc"] for one in error.errors() if one["loc"][:1] in KINDS_OF_STUDIES]
            wrong = {str(place[1]) for place in places if len(place) > 1}
            if not (wrong and isinstance(rest, dict)):
                return None, found
            rest = _without(rest, wrong)
            if not (rest["studies"] or rest[AUDITS]):
                return None, found


def _without(content: dict[str, Any], wrong: set[str]) -> dict[str, Any]:
    """The content of a params.yaml without some studies and what is about them."""
    kept, audits = (
        {key: value for key, value in content.get(kind, {}).items() if str(key) not in wrong}
        for kind in ("studies", AUDITS)
    )
    sweeps = content.get("sweeps") or {}
    left = {
        key: value
        for key, value in (sweeps.items() if isinstance(sweeps, dict) else ())
        if not (isinstance(value, dict) and value.get("study") in wrong)
    }
    active = content.get("active")
    named = [name for name in active if name not in wrong] if isinstance(active, list) else active
    rest = content | {"studies": kept, AUDITS: audits, "sweeps": left}
    rest["active"] = named or [*map(str, [*kept, *audits])][:1]
    return rest | {"theory": None} if wrong & _of_theory(content) else rest


def _of_theory(content: dict[str, Any]) -> set[str]:
    """The studies that the block `theory` names."""
    theory = content.get("theory")
    parts = theory.values() if isinstance(theory, dict) else ()
    found: set[str] = set()
    for part in (part for part in parts if isinstance(part, dict)):
        others = part.get("kappa_of")
        found |= {str(part.get("study")), *map(str, others if isinstance(others, list) else [])}
    return found


def _problems(error: ValueError, content: object) -> list[str]:
    """Each problem as one line, unknown keys first."""
    if not isinstance(error, ValidationError):
        return [" ".join(str(error).split())]
    errors = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    return [
        # On one line, whatever is in the keys.
        " ".join(_explain(dict(one), message, content).split())
        for one in errors
        for message in getattr(one.get("ctx", {}).get("error"), "found", [one["msg"]])
    ]


def _apart(content: object) -> object:
    """The content with the studies that have subjects under another key, as they are of a kind."""
    studies = content.get("studies") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(studies, dict):
        return content
    if AUDITS in content:
        raise ValueError(f"{AUDITS}: unknown key: a study with subjects stands under studies")
    audits = {name: study for name, study in studies.items() if _audits(study)}
    if not audits:
        return content
    others = {name: study for name, study in studies.items() if name not in audits}
    return content | {"studies": others, AUDITS: audits}


def _audits(study: object) -> bool:
    """Whether a block of a study says what is brought instead of what is trained."""
    return isinstance(study, dict) and SUBJECTS in study


def _explain(problem: dict[str, Any], message: str, content: object) -> str:
    """A problem in one line: key path, what is wrong, nearest valid name, whose value."""
    path = [str(part) for part in problem["loc"]]
    message = message.removeprefix("Value error, ")
    valid = _keys_at(path[:-1]) if problem["type"] == "extra_forbidden" else []
    path = ["studies" if part == AUDITS and not place else part for place, part in enumerate(path)]
    key, _, rest = message.partition(": ")
    if rest and re.fullmatch(r"[a-z_]+(\.[a-z0-9_-]+)*", key):  # a check names a key in its block
        path, message = [*path, *key.split(".")], rest
    message = message[0].lower() + message[1:]
    if problem.get("ctx", {}).get("pattern") == NAME:
        message = NAMING
    elif problem["type"] == "extra_forbidden":
        message = f"unknown key{suggestion(path[-1], valid)}"
    elif (
        isinstance(given := problem.get("input"), str | int | float) and repr(given) not in message
    ):
        message += f", not {given!r}"
    if (source := origin(content, path)) != path:
        hint = "give it there or in" if problem["type"] == "missing" else "from"
        message += f" ({hint} {'.'.join(source)})"
    path = [part for part in path if part != "[key]"]
    return f"{'.'.join(path)}: {message}" if path else message


def _keys_at(path: list[str]) -> list[str]:
    """The keys that the block at a key path may have."""
    block: type[Block] = Params
    parts = list(path)
    while parts:
        key = parts.pop(0)
        if block is Params and key in KINDS:
            block, parts = KINDS[key], parts[1:]
        elif (block, key) == (Params, "theory"):
            block = Theory
        else:
            named = get_origin(block.model_fields[key].annotation) is dict
            block, parts = _block(block, key), parts[named:]
    known = [name for name in block.model_fields if (block, name) != (Params, AUDITS)]
    return [*known, *([KEY] if block in (Study, Audit) else [])]


def _block(block: type[Block], key: str) -> type[Block]:
    """The class of the block under a key, which may be optional."""
    kinds = (block.model_fields[key].annotation, *get_args(block.model_fields[key].annotation))
    return next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Block))


def schema() -> dict[str, Any]:
    """JSON schema of params.yaml, for editors: a study has all required keys, or a base."""
    made = Params.model_json_schema()
    blocks = made["$defs"]
    study = blocks["Study"]
    required: dict[str, Any] = {"required": study.pop("required"), "properties": {}}
    for key in Study.model_fields:
        if inner := block_class(Study, key):
            own = blocks[inner.__name__]
            for row in [row for row in FOLLOWING if row.block == key]:
                own["required"].remove(row.key)
                own["properties"][row.key] = or_auto(own["properties"][row.key])
            required["properties"][key] = {"required": own.pop("required", [])}
    study["properties"] = {KEY: BASED_ON} | study["properties"]
    study["anyOf"] = [{"required": [KEY]}, required]
    audit = blocks["Audit"]
    audit["properties"] = {KEY: BASED_ON} | audit["properties"]
    audit["required"] = [SUBJECTS]
    made["properties"].pop(AUDITS)
    either: list[dict[str, Any]] = [{"required": [SUBJECTS], "$ref": "#/$defs/Audit"}]
    either += [{"not": {"required": [SUBJECTS]}, "$ref": "#/$defs/Study"}]
    of_name = made["properties"]["studies"]["patternProperties"]
    made["properties"]["studies"]["patternProperties"] = {n: {"anyOf": either} for n in of_name}
    made["properties"]["studies"].pop("default")
    made["required"] = ["active", "studies"]
    return made | {"$schema": "https://json-schema.org/draft/2020-12/schema"}


if __name__ == "__main__":  # python -m depthbias.config.reading > docs/params.schema.json
    print(json.dumps(schema(), indent=1))
