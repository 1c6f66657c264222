"""What is kept of a job: its log, its benchmark, and Snakemake's record of how a file was made.

Without that record a change of parameters or code would pass the file by.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from snakemake.jobs import Job

from depthbias.data.raw_files import digest_of_files
from depthbias.system.errors import UserError
from depthbias.system.files import fingerprint
from depthbias.system.snakemake_records import record_path

LARGEST = 10**14  # bytes: the contents of every file are compared
FAILED = "failed"  # recorded as the code of a job's rule: of no rule, so that the job runs again
RAW = "raw files "  # begins what is recorded of them
NEEDED = {"code", "input", "mtime", "params"}  # what a rerun may not be blind to


def refuse_windows(system: str = os.name) -> None:
    """Exit with one line on Windows itself, whose shell cannot run the rules."""
    if system == "nt":
        sys.exit("error: Windows itself cannot run the jobs: run it in WSL 2 (docs/clusters.md)")


def hold_settings(workflow: Any) -> None:
    """Let Snakemake compare the contents of large files, and refuse to be blind to changes.

    By default it compares only the dates of files above 1 MB. The option stands in the default
    profile, which another profile, a moved Snakefile or a link that became a text file can hide.
    Snakemake gives a workflow the settings of its job graph only after reading it, so the
    workflow's class is exchanged for one that looks at them when they come.
    """

    class Held(type(workflow)):  # type: ignore[misc]
        @property
        def dag_settings(self) -> Any:
            return self.__dict__.get("dag_settings")

        @dag_settings.setter
        def dag_settings(self, settings: Any) -> None:
            if settings is not None:
                _compare_contents(settings)
                _refuse_blind_triggers(settings)
            self.__dict__["dag_settings"] = settings

    workflow.__class__ = Held
    workflow.dag_settings = workflow.dag_settings


def _compare_contents(settings: Any) -> None:
    if settings.max_checksum_file_size < LARGEST:
        object.__setattr__(settings, "max_checksum_file_size", LARGEST)


def _refuse_blind_triggers(settings: Any) -> None:
    if missing := sorted(NEEDED - {str(trigger) for trigger in settings.rerun_triggers}):
        sys.exit(
            f"error: --rerun-triggers: without {', '.join(missing)} a changed parameter or program "
            "would rerun nothing: remove the option, or add them"
        )


def remember_failures() -> None:
    """Let a job that failed run again, whatever is there of what was made from its files.

    Snakemake (9.27) records a failed job as it does a finished one, and removes its files. Where a
    changed job failed whose files an earlier run had used, the next run would find nothing to do,
    and keep what was made from the old files.
    """
    whole: Any = Job.postprocess
    if hasattr(whole, "__wrapped__"):
        return

    @wraps(whole)
    async def postprocess(self: Any, *given: Any, error: bool = False, **more: Any) -> None:
        await whole(self, *given, error=error, **more)
        for path in [record_path("metadata", str(file)) for file in self.output if error]:
            if path.exists():
                path.write_text(json.dumps(json.loads(path.read_text()) | {"code": FAILED}))

    Job.postprocess = postprocess


def name_logs(workflow: Any) -> None:
    """Let the jobs of every rule log to logs/<rule>/<wildcards>.log, and time them.

    The times go to logs/benchmarks/. A rule that names a log, and a target, are left alone.
    """
    places = {"study": "{study}", "sweep": "{sweep}", "ratio": "{ratio}"}
    places |= {"architecture": "{architecture}", "seed": "seed{seed}", "sampler": "{sampler}"}
    for rule in workflow.rules:
        if not (rule.log or rule.norun):
            named = [place for key, place in places.items() if key in rule.wildcard_names]
            path = "/".join([rule.name, *named])
            rule.log_modifier = rule.benchmark_modifier = workflow.modifier.path_modifier
            rule.set_log(f"logs/{path}.log")
            rule.benchmark = f"logs/benchmarks/{path}.tsv"


def raw_content(raw: str | Sequence[str], made: str) -> str:
    """What the files in a folder hold, for Snakemake to compare with what it was for `made`.

    Of several folders and files: what all hold. Where one is not there, as with a colleague's
    results, it is what the record says.
    """
    paths = [Path(path) for path in ([raw] if isinstance(raw, str) else raw)]
    if all(map(Path.exists, paths)):
        try:
            return RAW + "-".join(map(_digest, paths))
        except UserError as error:
            sys.exit(f"error: {error}")
    record = record_path("metadata", made)
    told = json.loads(record.read_text()).get("params") if record.exists() else None
    return next((one.strip("'") for one in told or [] if one.startswith(f"'{RAW}")), "")


def _digest(path: Path) -> str:
    if path.is_dir():
        return digest_of_files(path, Path(".snakemake/raw", fingerprint(str(path))))
    return fingerprint(path)


def refuse_unrecorded(outputs: Iterable[Any], studies: Iterable[str]) -> None:
    """Exit with one line if a file of these studies was neither made nor begun on record.

    `outputs` are the outputs of the rules as Snakemake holds them. It compares parameters and code
    with its record of a file; without one it compares dates only, silently: a colleague's results
    without their records would pass for the results of any parameters. metrics/ is left out: it
    comes with git, and is made from results.
    """
    wanted = tuple(f"{part}/{study}/" for part in ("data", "results") for study in studies)
    made = {name for output in outputs for name in _made(output) if name.startswith(wanted)}
    found = sorted(name for name in made if not _on_record(name))
    if found:
        study = found[0].split("/")[1]
        more = f" and {len(found) - 1} more files" if len(found) > 1 else ""
        sys.exit(
            f"error: {found[0]}{more}: nothing on record says how they were made: `dvc pull` if a "
            f"colleague has the records, `snakemake --touch --forceall {study}` to vouch for the "
            f"files, or delete data/{study} and results/{study} to make them again"
        )


def _made(output: Any) -> Iterator[str]:
    """The files there are of an output with wildcards."""
    for path in Path().glob(re.sub(r"\{.+?\}", "*", str(output))):
        if output.match(path.as_posix()):  # * takes more than the wildcards do
            yield path.as_posix()


def _on_record(name: str) -> bool:
    return record_path("metadata", name).exists() or record_path("incomplete", name).exists()
