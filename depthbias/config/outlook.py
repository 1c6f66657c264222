"""What can be said of a study before it runs, and of paths that lead nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from depthbias.system.errors import suggestion

QUICK_TABLE = 2**22  # bytes: a table of labels that is read in well under a second


@dataclass(frozen=True)
class Outlook:
    """What a study will have: images of each class, at most, as copies are not known yet.

    problems: lines that begin with a key path; counts: {class: images}, of an audit {what is
    brought: images}; heldout: of each class. Empty and 0 where they are not known.
    """

    problems: list[str]
    counts: dict[str, int]
    heldout: int = 0


def takes_long(table: Path) -> bool:
    """Whether a table of labels may take over a second to read."""
    return table.is_file() and table.stat().st_size > QUICK_TABLE


def missing(raw: str, folders: Sequence[Path], table: Path | None) -> str:
    """Which of the two paths of a study leads nowhere."""
    if not any(map(Path.is_dir, folders)):
        return f"raw: {raw}: no such folder{beside(Path(raw))}: put the images there"
    if table and not table.is_file():
        return (
            f"labels: {table}: no such file{beside(table)}: correct the path, or leave the key "
            "out if each class has a sub-folder"
        )
    return ""


def beside(path: Path) -> str:
    """The name beside a path that leads nowhere which is most like it."""
    names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    close = suggestion(path.name, names)
    return close if "did you mean" in close else ""
