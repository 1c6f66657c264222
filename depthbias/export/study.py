"""A study as its records tell it: which file is what, and under which terms its data stand."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from depthbias.data.licences import Licence, licence_of
from depthbias.data.splits import Split, read_split
from depthbias.data.subsets import Subset, read_subset
from depthbias.estimates.tidy import read_rows
from depthbias.export.jobs import Job, jobs_of
from depthbias.system.errors import UserError, suggestion


@dataclass(frozen=True)
class Study:
    """The jobs that made a study, oldest first, and questions to them.

    folder: where the workflow runs; terms: the licence of its data, given by the user.
    """

    name: str
    folder: Path = Path()
    terms: str = ""

    @cached_property
    def jobs(self) -> list[Job]:
        """Every job on record (see `jobs_of`)."""
        return jobs_of(self.name, self.folder)

    def of_rule(self, rule: str) -> list[Job]:
        """Its jobs of one rule."""
        return [job for job in self.jobs if job.rule == rule]

    def first(self, rule: str) -> Job:
        """The one job of a rule; UserError if there is none."""
        found = self.of_rule(rule)
        if not found:
            raise UserError(
                f"study {self.name}: no record of rule {rule}: run `snakemake {self.name}` first"
            )
        return found[-1]

    def behind(self, job: Job) -> list[Job]:
        """This job and those that made what it was made from, directly or not."""
        makers = {path: one for one in self.jobs for path in one.outputs}
        found, waiting = [job], [job]
        while waiting:
            inputs = [makers[path] for path in waiting.pop().inputs if path in makers]
            new = [one for i, one in enumerate(inputs) if one not in [*found, *inputs[:i]]]
            found += new
            waiting += new
        return found

    def path(self, job: Job, flag: str) -> Path:
        """The file that a job's flag names."""
        values = job.flags.get(flag, [])
        if len(values) != 1:
            raise UserError(f"study {self.name}: rule {job.rule} has no --{flag}: run it again")
        return self.folder / values[0]

    @property
    def prepared(self) -> Path:
        """The prepared images."""
        return self.path(self.first("prepare"), "output")

    @property
    def data_set(self) -> str:
        """The name of the data set."""
        return self.path(self.first("prepare"), "dataset").name

    @property
    def licence(self) -> Licence:
        """The terms of the data set."""
        return licence_of(self.data_set, self.terms)

    @property
    def split(self) -> Split:
        """Which images are held out."""
        return read_split(self.path(self.first("split"), "output"))

    @property
    def subsets(self) -> list[Subset]:
        """The training subsets, by ratio and seed."""
        jobs = sorted(self.of_rule("subset"), key=lambda job: job.outputs)
        return [read_subset(self.path(job, "output")) for job in jobs]

    @property
    def summary(self) -> pd.DataFrame | None:
        """Tidy rows of all measurements; None if there are none yet."""
        jobs = self.of_rule("summarize")
        return read_rows(self.path(jobs[-1], "output")) if jobs else None

    def model(self, ratio: str, architecture: str, seed: str) -> Job:
        """The job that made a model; UserError if there is none."""
        runs = [job for job in self.jobs if job.rule in ("train", "snapshot")]
        runs = [job for job in runs if job.run.get("study") == self.name]
        wanted = {"ratio": ratio, "architecture": architecture, "seed": seed}
        left = runs
        for key, value in wanted.items():
            known = [job.run[key] for job in left]
            left = [job for job in left if job.run[key] == value]
            if not left:
                hint = suggestion(value, known) if known else ""
                raise UserError(f"study {self.name}: no model of {key} {value!r} on record{hint}")
        return left[-1]

    def samplers(self, job: Job) -> list[str]:
        """The samplers of a model, like "ddim-25", the study's main one first."""
        used = [one.run for one in self.of_rule("sample")]
        names = [run["sampler"] for run in used if run.items() >= job.run.items()]
        summary = self.summary
        order = [] if summary is None else list(dict.fromkeys(summary["sampler"]))
        return sorted(names, key=lambda name: order.index(name) if name in order else len(order))

    def option(self, rules: Iterable[str], flag: str) -> Any:
        """The value of a flag of the last job of these rules; None if there is none."""
        for job in reversed(self.jobs):
            if job.rule in rules and job.flags.get(flag):
                return job.flags[flag][0]
        return None
