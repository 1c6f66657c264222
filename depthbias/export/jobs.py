"""The jobs that made a study, as Snakemake recorded them."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from depthbias.system.errors import UserError, reading
from depthbias.system.snakemake_records import record_path


@dataclass(frozen=True)
class Job:
    """A job that is finished.

    command: as the shell ran it; inputs, outputs: paths from the folder of the workflow; hashes:
    SHA-256 of inputs when it ran, of those that Snakemake had looked at.
    """

    rule: str
    command: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    log: tuple[str, ...]
    start: datetime
    end: datetime
    hashes: Mapping[str, str]

    @cached_property
    def script(self) -> str:
        """The script that it called, like "scripts/train.py"; "" if it called none."""
        words = shlex.split(self.command)
        found = [word for word in words if word.startswith("$DEPTHBIAS/scripts/")]
        return found[0].removeprefix("$DEPTHBIAS/") if found else ""

    @cached_property
    def flags(self) -> dict[str, list[str]]:
        """{flag without dashes: its values} of the command, up to a `then` between two scripts."""
        found: dict[str, list[str]] = {}
        name = ""
        for word in shlex.split(self.command):
            if word in ("then", "&>"):
                break
            if word.startswith("--"):
                name = word[2:]
                found[name] = []
            elif name:
                found[name].append(word)
        return found

    @property
    def run(self) -> dict[str, str]:
        """{study, ratio, architecture, seed} of a job that is about one model, else {}."""
        told = self.flags.get("run")
        with reading(f"record of rule {self.rule}", "damaged"):
            return dict(json.loads(told[0])) if told else {}


def jobs_of(study: str, folder: Path = Path()) -> list[Job]:
    """The jobs that made the files there are of a study, and all they were made from; oldest first.

    folder: where the workflow runs. UserError if there is none, or no record of one.
    """
    roots = [folder / part / study for part in ("results", "data")]
    made = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
    if not made:
        raise UserError(f"no results of study {study} here: run `snakemake {study}` first")
    waiting = [path.relative_to(folder).as_posix() for path in made]
    records: dict[str, dict[str, Any]] = {}
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        if record := _read(path, folder):
            records[path] = record
            new = [name for name in record["input"] if name not in seen]
            seen.update(new)
            waiting += new
    if not records:
        raise UserError(
            f"study {study}: nothing on record says how its files were made: `dvc pull` if a "
            f"colleague has the records, or run `snakemake {study}`"
        )
    return sorted(_jobs(records), key=lambda job: (job.end, job.outputs))


def _read(path: str, folder: Path) -> dict[str, Any]:
    """The record of a file that is there and was made by a job; else {}."""
    place = record_path("metadata", path, folder)
    if not (place.is_file() and (folder / path).is_file()):
        return {}
    with reading(place, "not a record of Snakemake", "run the job again"):
        told: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        needed = ("rule", "input", "log", "shellcmd", "starttime", "endtime", "incomplete")
        told = {name: told[name] for name in needed} | {"hashes": told.get("input_checksums", {})}
        return {} if told["incomplete"] or told["shellcmd"] is None else told


def _jobs(records: Mapping[str, dict[str, Any]]) -> Iterator[Job]:
    """Records of one command with one end are one job; each file has a start of its own."""
    groups: dict[tuple[str, float], list[str]] = {}
    for path, record in records.items():
        groups.setdefault((record["shellcmd"], record["endtime"]), []).append(path)
    for paths in groups.values():
        record = records[paths[0]]
        hashes = {p: v.removeprefix("sha256:") for p, v in (record["hashes"] or {}).items()}
        yield Job(
            rule=record["rule"],
            command=record["shellcmd"],
            inputs=tuple(record["input"]),
            outputs=tuple(sorted(paths)),
            log=tuple(record["log"]),
            start=datetime.fromtimestamp(min(records[p]["starttime"] for p in paths), UTC),
            end=datetime.fromtimestamp(record["endtime"], UTC),
            hashes=hashes,
        )
