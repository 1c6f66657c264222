"""What the fast tests find of `make mutants`: mutants killed, equivalent, and still to be killed.

`python tests/mutants.py` reads the results of mutmut in mutants/, prints the shares and every
mutant that is neither killed nor named in equivalent_mutants.yaml, and fails for one such mutant
or for less than 90 % of all mutants killed.
"""

import ast
import difflib
import json
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import yaml

LEAST = 0.9  # share of all mutants that must be killed
ROOT = Path("mutants")
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.yaml")
KILLED, UNTESTED, UNTRIED = (1, 3), (5, 33), (None, 2, 34)  # as mutmut's exit codes have them


class Mutant(NamedTuple):
    """What became of a mutant; old, new: the lines that it changes, as `ast.unparse` writes them.

    function: measures.nearest._Search.block.
    """

    name: str
    function: str
    code: int | None
    old: str
    new: str


def mutants(root: Path) -> Iterator[Mutant]:
    """All mutants of a run of mutmut; the lines are read of those alone that are not killed."""
    for meta in sorted(root.rglob("*.py.meta")):
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        bodies = _functions(meta.with_suffix("")) if set(codes.values()) - {*KILLED} else {}
        for name, code in codes.items():
            module, _, mangled = name.rpartition(".")
            function, _, _ = mangled.partition("__mutmut_")
            plain = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
            old, new = "", ""
            if code not in KILLED:
                old, new = _changed(bodies[f"{function}__mutmut_orig"], bodies[mangled])
            yield Mutant(name, f"{module.removeprefix('depthbias.')}.{plain}", code, old, new)


def _functions(path: Path) -> dict[str, str]:
    """{name: text} of all functions of a module, in one form and without their name."""
    nodes = ast.walk(ast.parse(path.read_text()))
    found = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    texts = {}
    for name, node in found.items():
        node.name = "f"
        texts[name] = ast.unparse(node)
    return texts


def _changed(old: str, new: str) -> tuple[str, str]:
    lines = list(difflib.ndiff(old.splitlines(), new.splitlines()))
    return tuple(  # type: ignore[return-value]
        " ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )


def is_equivalent(mutant: Mutant, rule: dict[str, object]) -> bool:
    """Whether replacing one match of `old` by one of `new` is all that the mutant does.

    rule: why, old (a regular expression), new (one or several texts), in (names of functions, with
    * for any; default all), on (a regular expression that the whole line must hold).
    """
    names, new = rule.get("in", "*"), rule["new"]
    if not any(fnmatch(mutant.function, one) for one in _listed(names)):
        return False
    if not re.search(str(rule.get("on", "")), mutant.old):
        return False
    for match in re.finditer(str(rule["old"]), mutant.old):
        for text in _listed(new):
            start, end = match.span()
            if mutant.old[:start] + match.expand(text) + mutant.old[end:] == mutant.new:
                return True
    return False


def _listed(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def is_text(mutant: Mutant) -> bool:
    """Whether only the words of an error message were changed: XX around them, or their case."""
    told = re.match(r"raise (User|Value)Error\(f?['\"]|with reading\(", mutant.old)
    return bool(told) and mutant.old.lower() == mutant.new.replace("XX", "").lower()


def main() -> int:
    """Print what was found; 1 if too little was killed or something is left."""
    found = list(mutants(ROOT))
    rules = yaml.safe_load(EQUIVALENT.read_text())
    untried = [m for m in found if m.code in UNTRIED]
    tried = [m for m in found if m.code not in UNTRIED]
    alive = [m for m in tried if m.code == 0]
    untested = [m for m in tried if m.code in UNTESTED]
    killed = len(tried) - len(alive) - len(untested)  # a test failed, or never ended
    late = sum(m.code not in KILLED for m in tried) - len(alive) - len(untested)
    used, equivalent, left = set(), 0, list(untested)
    for mutant in alive:
        places = [i for i, rule in enumerate(rules) if is_equivalent(mutant, rule)]
        used.update(places)
        if places or is_text(mutant):
            equivalent += 1
        else:
            left.append(mutant)
    for mutant in left:
        print(f"{mutant.name}: {'untested' if mutant.code else 'survived'}")
        print(f"  - {mutant.old}\n  + {mutant.new}")
    for i, rule in enumerate(rules):
        if i not in used:
            print(f"no survivor is equivalent by: {rule['why']} ({rule['old']})")
    share = killed / max(len(tried), 1)
    other = killed / max(len(tried) - equivalent, 1)
    print(f"{len(tried)} mutants: {killed} killed ({share:.1%}; {late} by time), ", end="")
    print(f"{equivalent} equivalent, ", end="")
    print(f"{len(left)} left, {len(untested)} of these without a test; {len(untried)} not tried")
    print(f"killed of those that are not equivalent: {other:.1%}")
    return int(share < LEAST or bool(left or untried))


if __name__ == "__main__":
    sys.exit(main())
