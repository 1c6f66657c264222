"""Which library files decide what a script does: staleness by content, read off the imports."""

import ast
import os
import sys
from functools import cache
from pathlib import Path


def use_checkout(root: str) -> None:
    """Make jobs run with this Python and this checkout's library, whatever is installed."""
    paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    os.environ.update(PYTHONPATH=root, PATH=os.pathsep.join(paths))


@cache
def _imported(file: str) -> frozenset[str]:
    """The files of the depthbias modules that a Python file imports, anywhere in it."""
    names = {"depthbias"}
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    names |= {
        str(parent).replace("/", ".") for name in names for parent in Path(*name.split(".")).parents
    }
    modules = [Path(*name.split(".")) for name in names if name.split(".")[0] == "depthbias"]
    files = [path / "__init__.py" if path.is_dir() else path.with_suffix(".py") for path in modules]
    return frozenset(str(path) for path in files if path.is_file())


@cache
def modules(rule: str) -> list[str]:
    """Library files that scripts/<rule>.py imports, directly or not: inputs of the rule."""
    found: set[str] = set()
    waiting = {f"scripts/{rule}.py"}
    while waiting:
        new = _imported(waiting.pop()) - found
        found |= new
        waiting |= new
    return sorted(found)
