"""Results whose making is not on record: a change of parameters or code would pass them by."""

import os
import re
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def _record(folder: str, path: str) -> Path:
    """Snakemake's file about an output: its path in base64, split where a name gets too long."""
    name, most = urlsafe_b64encode(path.encode()).decode(), os.pathconf(".", "PC_NAME_MAX") - 1
    parts = [name[i : i + most] for i in range(0, len(name), most)]
    return Path(".snakemake", folder, *(f"@{part}" for part in parts[:-1]), parts[-1])


def refuse_unrecorded(outputs: Iterable[Any]) -> None:
    """Exit with one line if a file under data/ or results/ was neither made nor begun on record.

    `outputs` are the outputs of the rules as Snakemake holds them. It compares parameters and code
    with its record of a file; without one it compares dates only, silently: a colleague's results
    without their records would pass for the results of any parameters. metrics/ is left out: it
    comes with git, and is made from results.
    """
    for output in outputs:
        pattern = str(output)
        if not pattern.startswith(("data/", "results/")):
            continue
        for path in sorted(Path().glob(re.sub(r"\{.+?\}", "*", pattern))):
            name = path.as_posix()
            if not output.match(name):  # * takes more than the wildcards do
                continue
            if not (_record("metadata", name).exists() or _record("incomplete", name).exists()):
                sys.exit(
                    f"error: {name}: nothing on record says how it was made: "
                    "`dvc pull` brings the records, or delete the file to make it again"
                )
