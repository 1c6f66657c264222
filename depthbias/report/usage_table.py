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
    shown = table.assign(driver=table["driver"].replace("", "-"), job=table["job"].map(job_title))
    totals = []
    for keys, rows in shown.groupby(["architecture", "job", *MACHINE], sort=False):
        wall, device = rows["wall_seconds"].median(), rows["device_seconds"].median()
        hours, memory = rows["device_seconds"].sum() / 3600, rows["peak_memory_bytes"].max()
        spent = f"{wall:.1f}", f"{device:.1f}", f"{hours:.2f}", f"{memory / 2**20:.0f}"
        totals.append([*map(str, keys), str(len(rows)), *spent])
    header = ["architecture", "job", *MACHINE, "runs"]
    header += ["wall s, median", "device s, median", "device h, total", "memory MiB, most"]
    keys = ["architecture", "ratio", "seed", "job", *MACHINE]
    runs = [
        [
            *map(str, row[keys]),
            f"{row['wall_seconds']:.1f}",
            f"{row['device_seconds']:.1f}",
            f"{row['peak_memory_bytes'] / 2**20:.0f}",
            f"{row['parts']:.0f}",
        ]
        for _, row in shown.iterrows()
    ]
    note = "Parts: processes that did the job; more than 1 where it was interrupted and went on."
    return [
        Section("In total", NOTE, header, totals),
        Section("Every run", note, [*keys, "wall s", "device s", "memory MiB", "parts"], runs),
    ]


def job_title(job: str) -> str:
    """ "train" as "training", a sampler as its title."""
    return "training" if job == "train" else sampler_title(job)
