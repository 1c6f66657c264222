"""The table of what runs took: device, driver, precision, times, memory."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from depthbias.estimates.runs import ordered_architectures, read_run
from depthbias.report.names import sampler_title
from depthbias.report.pages import Section
from depthbias.system.errors import UserError
from depthbias.system.files import read_json

MACHINE = ["device", "driver", "precision"]
SPENT = ["wall_seconds", "device_seconds", "peak_memory_bytes", "parts"]
NOTE = (
    "Wall: seconds by the clock, without waiting for a device and without what was lost when a job "
    "was interrupted. Device: of a GPU the seconds from the first to the last work on it, of a CPU "
    "the seconds that all threads computed. Memory: the most at a time, on a GPU of tensors, on a "
    "CPU of the process."
)


def read_usage(paths: Iterable[Path], study: str) -> pd.DataFrame:
    """One row a file of usage, in reading order of the architectures.

    UserError for a file that lacks an entry, and for a run of another study.
    """
    rows = []
    for path in paths:
        usage = read_json(path)
        if not isinstance(usage, dict) or not {*MACHINE, *SPENT, "run"} <= set(usage):
            raise UserError(f"{path}: not what a run took: delete it and run again")
        run = read_run(path, usage["run"], study)
        keys = {"study": study, "ratio": run.ratio, "architecture": run.architecture}
        keys |= {"seed": run.seed, "job": run.sampler or "train"}
        rows.append(keys | {name: usage[name] for name in (*MACHINE, *SPENT)})
    table = pd.DataFrame(rows)
    order = {name: place for place, name in enumerate(ordered_architectures(table["architecture"]))}
    return table.sort_values(
        "architecture", key=lambda architectures: architectures.map(order), kind="stable"
    )


def sections(table: pd.DataFrame) -> list[Section]:
    """Totals of the jobs of one kind on one kind of device, then every run."""
    totals = []
    for keys, rows in table.groupby(["job", "architecture", *MACHINE], sort=False):
        job, architecture, device, driver, precision = map(str, keys)
        totals.append(
            [
                architecture,
                job_title(job),
                device,
                driver or "-",
                precision,
                str(len(rows)),
                f"{rows['wall_seconds'].median():.1f}",
                f"{rows['device_seconds'].median():.1f}",
                f"{rows['device_seconds'].sum() / 3600:.2f}",
                f"{rows['peak_memory_bytes'].max() / 2**20:.0f}",
            ]
        )
    totals_header = ["architecture", "job", "device", "driver", "precision", "runs"]
    totals_header += ["wall s, median", "device s, median", "device h, total", "memory MiB, most"]
    runs = [
        [
            row.architecture,
            row.ratio,
            row.seed,
            job_title(row.job),
            row.device,
            row.driver or "-",
            row.precision,
            f"{row.wall_seconds:.1f}",
            f"{row.device_seconds:.1f}",
            f"{row.peak_memory_bytes / 2**20:.0f}",
            str(int(row.parts)),
        ]
        for row in table.itertuples(index=False, name="Row")
    ]
    header = ["architecture", "ratio", "seed", "job", "device", "driver", "precision"]
    header += ["wall s", "device s", "memory MiB", "parts"]
    note = "Parts: processes that did the job; more than 1 where it was interrupted and went on."
    return [
        Section("In total", NOTE, totals_header, totals),
        Section("Every run", note, header, runs),
    ]


def job_title(job: str) -> str:
    """ "train" as "training", a sampler as its title."""
    return "training" if job == "train" else sampler_title(job)
