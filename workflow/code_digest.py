"""What code does, as a digest: staleness by the code of a script and of the library behind it.

Comments, docstrings and layout are left out, so rewording a docstring reruns nothing. The digest is
the same under every version of Python.
"""

import ast
import hashlib
import os
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def use_checkout() -> None:
    """Make jobs run with this Python, these scripts and this library."""
    os.environ["DEPTHBIAS"] = str(ROOT)
    for name, first in (("PATH", Path(sys.executable).parent), ("PYTHONPATH", ROOT)):
        given = os.environ.get(name)
        os.environ[name] = f"{first}{os.pathsep}{given}" if given else str(first)


@cache
def digest(script: str) -> str:
    """Of scripts/<script>.py and all that it imports of scripts and library, directly or not."""
    found = hashlib.sha256()
    for path in files_of(script):
        name = path.relative_to(ROOT).as_posix()
        found.update(f"{name}\0{_code(path)}\0".encode())
    return found.hexdigest()[:16]


@cache
def files_of(script: str) -> list[Path]:
    """The scripts and the library modules, sorted, with the `__init__.py` of their packages.

    Beside a module may lie other files of its name, such as the template of a page.
    """
    found, waiting = set(), {ROOT / "scripts" / f"{script}.py"}
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting |= _imported(path) - found
    found |= {other for path in found for other in path.parent.glob(f"{path.stem}.*")}
    return sorted(found)


@cache
def _imported(path: Path) -> frozenset[Path]:
    """The scripts and depthbias modules that a Python file imports, anywhere in it."""
    names = {"depthbias"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names if name.split(".")[0] == "depthbias"]
    places = {ROOT.joinpath(*part[:end]) for part in parts for end in range(1, len(part) + 1)}
    places |= {ROOT / "scripts" / name for name in names if "." not in name and name != "depthbias"}
    files = [p / "__init__.py" if p.is_dir() else p.with_suffix(".py") for p in places]
    return frozenset(file for file in files if file.is_file())


@cache
def _code(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return code(text) if path.suffix == ".py" else text


def code(source: str) -> str:
    """Python code as the text of its syntax tree, which holds neither comments nor layout."""
    return _text(ast.parse(source))


def _text(part: object) -> str:
    """A part of a syntax tree as text, without statements that are nothing but a string.

    Fields that are empty are left out, as every version of Python adds some.
    """
    if isinstance(part, list):
        return f"[{', '.join(_text(one) for one in part if not _is_docstring(one))}]"
    if isinstance(part, ast.JoinedStr):  # Python 3.12 cuts the text of some f-strings in two
        words = [
            str(one.value) if isinstance(one, ast.Constant) else _text(one) for one in part.values
        ]
        return f"f{''.join(words)!a}"
    if not isinstance(part, ast.AST):
        return ascii(part)
    fields = [(name, value) for name, value in ast.iter_fields(part) if value not in (None, [])]
    return f"{type(part).__name__}({', '.join(f'{name}={_text(v)}' for name, v in fields)})"


def _is_docstring(part: object) -> bool:
    """Such a statement does nothing, wherever it stands."""
    value = getattr(part, "value", None) if isinstance(part, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
