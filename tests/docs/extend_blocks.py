"""The code blocks of docs/extend.md, and how to apply them to a copy of the checkout."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "extend.md"
BLOCK = re.compile(
    r"^`(?P<path>[^`\s]+)` \((?:(?P<new>new)|(?P<end>at the end)|after `(?P<after>[^`]+)`)\):\n\n"
    r"```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """Text for a file: a new one, or lines at its end or after the first line that starts so."""

    path: str
    where: str
    text: str


def blocks(section: str) -> list[Block]:
    """The blocks of the section with this heading, in order."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    text = dict(zip(parts[1::2], parts[2::2], strict=True))[section]
    return [
        Block(m["path"], m["new"] or m["end"] or f"after {m['after']}", m["text"])
        for m in BLOCK.finditer(text)
    ]


def apply(section: str, folder: Path) -> set[str]:
    """Apply all blocks of a section to the checkout in `folder`; the files that changed."""
    for path, where, text in blocks(section):
        file = folder / path
        if where == "new":
            assert not file.exists(), f"{path} is not new"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            continue
        lines = file.read_text().splitlines(keepends=True)
        place = len(lines)
        if where != "at the end":
            start = where.removeprefix("after ")
            places = [i for i, line in enumerate(lines, 1) if line.startswith(start)]
            assert places, f"{path} has no line that starts with {start!r}"
            place = places[0]
        file.write_text("".join([*lines[:place], text, *lines[place:]]))
    return {block.path for block in blocks(section)}
