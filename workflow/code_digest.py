"""What code does, as a digest: staleness by the code of a script and of the library behind it.

Comments, docstrings and layout are left out, so rewording a docstring reruns nothing. The digest is
the same under every version of Python.
"""

import ast
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
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
        found.update(f"{path.relative_to(ROOT).as_posix()}\0{_digest_of_file(path)}\0".encode())
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
    return sorted(found.union(*map(_of_its_name, found)))


@cache
def _of_its_name(path: Path) -> frozenset[Path]:
    return frozenset(path.parent.glob(f"{path.stem}.*"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _imported(path: Path) -> frozenset[Path]:
    """The scripts and depthbias modules that a Python file imports, anywhere in it."""
    names = {"depthbias"}
    for statement in _statements(_tree(path).body):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and (module := statement.module):
            names |= {module} | {f"{module}.{alias.name}" for alias in statement.names}
    parts = [name.split(".") for name in names if name.split(".")[0] == "depthbias"]
    places = {ROOT.joinpath(*part[:end]) for part in parts for end in range(1, len(part) + 1)}
    places |= {ROOT / "scripts" / name for name in names if "." not in name and name != "depthbias"}
    files = [p / "__init__.py" if p.is_dir() else p.with_suffix(".py") for p in places]
    return frozenset(file for file in files if file.is_file())


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements, whatever they stand in: imports are statements."""
    for statement in body:
        yield statement
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(statement, name, ()))


@cache
def _digest_of_file(path: Path) -> str:
    text = _text(_tree(path)) if path.suffix == ".py" else path.read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def code(source: str) -> str:
    """Python code as the text of its syntax tree, which holds neither comments nor layout."""
    return _text(ast.parse(source))


def _text(part: object) -> str:
    words: list[str] = []
    _write(part, words.append)
    return "".join(words)


def _write(part: object, write: Callable[[str], None]) -> None:
    """A part of a syntax tree as text, without statements that are nothing but a string.

    Fields that are empty are left out, as every version of Python adds some.
    """
    if isinstance(part, list):
        write("[")
        for one in part:
            if not _is_docstring(one):
                _write(one, write)
                write(",")
        write("]")
    elif isinstance(part, ast.JoinedStr):  # Python 3.12 cuts the text of some f-strings in two
        words = [
            str(one.value) if isinstance(one, ast.Constant) else _text(one) for one in part.values
        ]
        write(f"f{''.join(words)!a}")
    elif isinstance(part, ast.AST):
        write(f"{type(part).__name__}(")
        for name in part._fields:
            value = getattr(part, name, None)
            if value is not None and value != [] and name != "ctx":  # it follows from the place
                write(f"{name}=")
                _write(value, write)
        write(")")
    else:
        write(ascii(part))


def _is_docstring(part: object) -> bool:
    """Such a statement does nothing, wherever it stands."""
    value = getattr(part, "value", None) if isinstance(part, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
