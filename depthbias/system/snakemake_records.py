"""Where Snakemake keeps its record of how a file was made."""

import os
from base64 import urlsafe_b64encode
from pathlib import Path


def record_path(kind: str, path: str, folder: Path = Path()) -> Path:
    """The record about an output of a workflow that runs in `folder`.

    kind: "metadata" of what is finished, "incomplete" of what was begun. The name is the output's
    path in base64, split where it gets too long for a file.
    """
    longest = os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    name, most = urlsafe_b64encode(path.encode()).decode(), longest - 1
    parts = [name[i : i + most] for i in range(0, len(name), most)]
    return Path(folder, ".snakemake", kind, *(f"@{part}" for part in parts[:-1]), parts[-1])
