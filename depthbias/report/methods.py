"""How a study was made, for its page: settings, versions, times, hashes, and how to repeat it."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from platform import python_version
from typing import Any

import pandas as pd
import yaml

from depthbias.estimates.runs import read_run
from depthbias.report.pages import Section
from depthbias.report.usage_table import job_title, read_usage
from depthbias.system.errors import reading
from depthbias.system.files import read_json
from depthbias.system.revision import revision


def methods(
    settings: Mapping[str, Any],
    study: str,
    models: Iterable[Path],
    usage: Sequence[Path],
    files: Iterable[Path],
    own: bool = True,
) -> dict[str, Any]:
    """What the page tells: {settings, versions, tables, commands}.

    settings: the study in full, as params.yaml would have it; models: descriptions of the models
    (.json); usage: what the runs took (.json); files: to be hashed; own: whether the models are
    those of this study, not of a group of an audit.
    """
    told = [_description(path, study if own else None) for path in models]
    made = told or [{"git": revision(), "device": "cpu", "software": f"Python {python_version()}"}]
    versions = {name: _listed(one[name] for one in made) for name in ("git", "device", "software")}
    return {
        "settings": yaml.safe_dump({study: dict(settings)}, sort_keys=False),
        "versions": versions,
        "tables": [_times(usage, study), _hashes(files), _weights(told)],
        "commands": _commands(study, versions["git"]),
    }


def _description(path: Path, study: str | None) -> dict[str, str]:
    content = read_json(path)
    with reading(path, "not a model's description", "train again"):
        run = read_run(path, content["run"], study)
        software = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
        return {
            "name": f"{run.ratio}, {run.architecture}, seed {run.seed}",
            "git": content["git"],
            "device": content["device"],
            "software": software,
            "parameters": f"{content['parameters']:,}",
            "weights": content["weights"],
        }


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(word or "unknown" for word in words))


def _times(usage: Sequence[Path], study: str) -> Section:
    table = read_usage(usage, study) if usage else pd.DataFrame(columns=["job", "device"])
    rows = [
        [
            job_title(job),
            device,
            str(len(runs)),
            f"{runs['wall_seconds'].sum() / 3600:.2f}",
            f"{runs['wall_seconds'].median():.0f}",
            f"{runs['peak_memory_bytes'].max() / 2**20:.0f}",
        ]
        for (job, device), runs in table.groupby(["job", "device"], sort=False)
    ]
    header = ["job", "device", "runs", "hours in all", "seconds, median", "MiB, most"]
    return Section("Times", "By the clock, of training and sampling.", header, rows)


def _hashes(files: Iterable[Path]) -> Section:
    rows = [[path.as_posix(), sha256(path)] for path in files]
    return Section("Files", "sha256sum prints the same.", ["file", "SHA-256"], rows)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as sha256sum prints it."""
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(told: Sequence[Mapping[str, str]]) -> Section:
    rows = [[one["name"], one["parameters"], one["weights"]] for one in told]
    note = "The hash of the weights, which stands in model.json. On a CPU a new run gives the same."
    return Section("Models", note, ["model", "parameters", "hash of the weights"], rows)


def _commands(study: str, git: str) -> list[str]:
    """Five lines that make the study again, in a clone of depthbias."""
    return [
        *checkout(git),
        f'"${{EDITOR:-vi}}" params.yaml  # studies: {study}: as below, if it differs',
        f"snakemake --cores all {study}",
    ]


def checkout(git: str) -> list[str]:
    """Three lines that bring a clone of depthbias to a revision and install it."""
    commit = re.split(r"[,+]", git)[0]
    return [
        f"git checkout {commit}" if commit != "unknown" else "# of an unknown revision",
        "python3 -m venv .venv && . .venv/bin/activate",
        "pip install -c constraints.txt -e .",
    ]
