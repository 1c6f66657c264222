"""The flags of scripts: those that several scripts share, and how a script declares its own."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from depthbias.system.errors import command

Arguments = Namespace  # the values of flags
Flag = tuple[str, dict[str, Any]]  # its name, and the options of `ArgumentParser.add_argument`


def flag(name: str, text: str = "", kind: Callable[[str], Any] = str, **options: Any) -> Flag:
    """A flag, which must be given unless it has a default; text: its help; kind: of its value."""
    return name, {"type": kind, "help": text, "required": "default" not in options, **options}


def switch(name: str, text: str) -> Flag:
    """A flag without a value: it is there or not."""
    return name, {"action": "store_true", "help": text}


def file(name: str, text: str, **options: Any) -> Flag:
    """A flag for a file."""
    return flag(name, text, Path, **options)


def files(name: str, text: str, **options: Any) -> Flag:
    """A flag for one file or several."""
    return file(name, text, nargs="+", **options)


def positive(text: str) -> int:
    """A whole number from 1, as the kind of a flag."""
    value = int(text)
    if value < 1:
        raise ArgumentTypeError(f"{value} is not 1 or more")
    return value


def natural(text: str) -> int:
    """A whole number from 0, as the kind of a flag."""
    value = int(text)
    if value < 0:
        raise ArgumentTypeError(f"{value} is not 0 or more")
    return value


def mapping(text: str) -> dict[str, Any]:
    """A JSON object, as the kind of a flag."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"not JSON ({error}): {text[:60]}") from error
    if not isinstance(value, dict):
        raise ArgumentTypeError(f"no mapping in JSON: {text[:60]}")
    return value


class OneLine(ArgumentParser):
    """Says in one line, without the usage, what is wrong with the flags; exit status 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {' '.join(message.split())}: --help explains the flags\n")


class WrongUsage(Exception):
    """Flags that do not go together: ends a script as argparse does, with exit status 2."""


def script(*flags: Flag) -> Callable[[Callable[[Arguments], None]], Callable[[], None]]:
    """Make a function of the values of these flags the main function of a script.

    It is the last one in its file, as it runs at once where the file is the program.
    """

    def decorate(main: Callable[[Arguments], None]) -> Callable[[], None]:
        def run() -> None:
            parser = OneLine(description=sys.modules["__main__"].__doc__)
            for name, options in flags:
                parser.add_argument(name, **options)
            try:
                main(parser.parse_args())
            except WrongUsage as error:
                parser.error(str(error))

        run.flags = flags  # type: ignore[attr-defined]
        if main.__module__ == "__main__":
            command(run)
        return run

    return decorate


STUDY = flag("--study", "name of the study")
THREADS = flag("--threads", "CPU threads", positive, default=1)
IMAGES = file("--images", "prepared images (.npz)")
SUBSETS = files("--subsets", "training subsets (.json)")
SUMMARY = file("--summary", "tidy results of one study (.csv)")
PROVENANCE = files("--provenance", "what the distances are (.json)", default=[])
DECIDABLE = flag("--decidable", "class probability below which ? is shown", float, default=0.9)
META = file("--meta", "their description (.json)")
MODEL = (file("--model", "weights (.safetensors)"), META)
CLASSIFIER = (file("--model", "weights of the classifier (.safetensors)"), META)
MAYBE_CLASSIFIER = (
    file("--model", "weights of the classifier, where one embeds (.safetensors)", default=None),
    file("--meta", "their description (.json)", default=None),
)
MADE_MODEL = (
    file("--model", "weights to write (.safetensors)"),
    file("--meta", "their description to write (.json)"),
)
EMBEDDINGS = (
    flag("--embeddings", "for neighbours, like: pixels classifier", nargs="+"),
    flag("--backbone", "of the distance for diversity, like: lpips-alex; none", default="none"),
)
TABLE = file("--output", "table to write (.csv)")
FIGURE = files("--output", ".svg, .png, .pdf", metavar="FIGURE")
PAGES = (
    file("--output-csv", "table to write"),
    file("--output-md", "the same as text"),
    file("--output-html", "the same for the report"),
)
