"""What code does, as a digest: staleness by the code of a script and of the library behind it.

Comments, docstrings and layout are left out, so rewording a docstring reruns nothing. The digest is
the same under every version of Python.
"""

import ast
import hashlib
import io
import keyword
import os
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
MARKS = {tokenize.NEWLINE: "\n", tokenize.INDENT: "\t", tokenize.DEDENT: "\b"}
CLOSING = (")", "]", "}")
# From Python 3.12 on an f-string is many tokens: here it is one, as before.
FSTRING_START = getattr(tokenize, "FSTRING_START", -1)
FSTRING_END = getattr(tokenize, "FSTRING_END", -1)


def use_checkout() -> None:
    """Make jobs run with this Python, these scripts and this library."""
    os.environ["DEPTHBIAS"] = str(ROOT)
    for name, first in (("PATH", Path(sys.executable).parent), ("PYTHONPATH", ROOT)):
        given = os.environ.get(name)
        os.environ[name] = f"{first}{os.pathsep}{given}" if given else str(first)


@cache
def digest(script: str) -> str:
    """Of scripts/<script>.py and all library modules that it imports, directly or not."""
    found = hashlib.sha256()
    for path in files_of(script):
        name = path.relative_to(ROOT).as_posix()
        found.update("\0".join([name, *_code(path), ""]).encode())
    return found.hexdigest()[:16]


@cache
def files_of(script: str) -> list[Path]:
    """The script and the library modules, sorted, with the `__init__.py` of their packages."""
    found, waiting = set(), {ROOT / "scripts" / f"{script}.py"}
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting |= _imported(path) - found
    return sorted(found)


@cache
def _imported(path: Path) -> frozenset[Path]:
    """The files of the depthbias modules that a Python file imports, anywhere in it."""
    names = {"depthbias"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names if name.split(".")[0] == "depthbias"]
    places = {ROOT.joinpath(*part[:end]) for part in parts for end in range(1, len(part) + 1)}
    files = [p / "__init__.py" if p.is_dir() else p.with_suffix(".py") for p in places]
    return frozenset(file for file in files if file.is_file())


@cache
def _code(path: Path) -> list[str]:
    return list(code_tokens(path.read_text(encoding="utf-8")))


def code_tokens(source: str) -> list[str]:
    """The tokens of Python code, without comments, docstrings, line breaks and trailing commas."""
    tokens = _without_docstrings(list(_tokens(source)))
    return [text for place, text in enumerate(tokens) if not _is_layout(tokens, place)]


def _tokens(source: str) -> Iterator[str]:
    """Tokens as text; the structure of blocks as marks, strings in one spelling."""
    lines, start, depth = source.splitlines(keepends=True), (0, 0), 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == FSTRING_START:
            start, depth = (start if depth else token.start), depth + 1
        elif token.type == FSTRING_END:
            depth -= 1
            if not depth:
                yield _between(lines, start, token.end)
        elif depth or token.type in LAYOUT:
            continue
        elif token.type == tokenize.STRING:
            prefix = token.string[: min(token.string.find(quote) % 99 for quote in "'\"")]
            plain = "f" not in prefix.lower()
            yield repr(ast.literal_eval(token.string)) if plain else token.string
        else:
            yield MARKS.get(token.type, token.string)


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The source text from (row, column) to (row, column), rows from 1."""
    (first, left), (last, right) = start, end
    if first == last:
        return lines[first - 1][left:right]
    return "".join([lines[first - 1][left:], *lines[first : last - 1], lines[last - 1][:right]])


def _without_docstrings(tokens: list[str]) -> list[str]:
    """Statements that are nothing but a string do nothing: docstrings, mostly."""
    kept: list[str] = []
    for place, text in enumerate(tokens):
        begins = not kept or kept[-1] in MARKS.values()
        alone = tokens[place + 1 : place + 2] == ["\n"] and text[-1:] in "'\""
        if begins and (text == "\n" or (alone and text)):
            continue
        kept.append(text)
    return kept


def _is_layout(tokens: list[str], place: int) -> bool:
    """Whether this is a trailing comma that changes nothing: one of several, or of a call."""
    if tokens[place] != "," or tokens[place + 1] not in CLOSING:
        return False
    depth, commas, at = 0, 0, place - 1
    while depth >= 0:
        text = tokens[at]
        depth += (text in CLOSING) - (text in ("(", "[", "{"))
        commas += text == "," and not depth
        at -= 1
    before, opening = tokens[at] if at >= 0 else "", tokens[at + 1]
    named = before.isidentifier() and not keyword.iskeyword(before)
    calls = named or before in CLOSING or before[-1:] in ("'", '"')
    tuple_of_one = opening == ("[" if calls else "(") and not commas
    return not tuple_of_one
