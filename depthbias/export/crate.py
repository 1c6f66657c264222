"""A study as a Provenance Run Crate (w3id.org/ro/wfrun), from what Snakemake recorded of its jobs.

The crate holds the workflow, every file that is small enough and may be passed on, and one action
for each job: its command, its times, what it read and what it made.
"""

import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from depthbias.export.jobs import Job
from depthbias.export.needs import needs
from depthbias.export.study import Study
from depthbias.report.methods import sha256
from depthbias.system.errors import UserError
from depthbias.system.files import read_json

WORKFLOW = "workflow/Snakefile"
# What a workflow is beside its main file and the scripts that it calls.
PARTS = ("Snakefile", "workflow/rules/*.smk", "workflow/*.py", "depthbias/**/*.py")
PARAMETERS = "params.yaml"
SETTINGS = ("environment.yml", "constraints.txt", "pyproject.toml")
RUN_CRATE = "https://w3id.org/ro/wfrun"
PROFILES = {
    f"{RUN_CRATE}/process/0.5": ("Process Run Crate", "0.5"),
    f"{RUN_CRATE}/workflow/0.5": ("Workflow Run Crate", "0.5"),
    f"{RUN_CRATE}/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
TERM = "https://w3id.org/ro/terms/workflow-run"
TERMS = {name: f"{TERM}#{name}" for name in ("sha256", "resourceUsage")}
# What a usage record tells of a job, and in which unit.
USED = {
    "wall_seconds": "https://qudt.org/vocab/unit/SEC",
    "device_seconds": "https://qudt.org/vocab/unit/SEC",
    "peak_memory_bytes": "https://qudt.org/vocab/unit/BYTE",
}
COMPLETED = {"@id": "http://schema.org/CompletedActionStatus"}
ENGINE = "https://snakemake.github.io"
MB = 1e6


def write_crate(folder: Path, study: Study, largest: float = 100.0) -> None:
    """Write the crate of a study into a new folder.

    largest: MB of the largest file to copy; of larger ones, and of images that may not be passed
    on, the crate tells name, size and SHA-256. UserError where a file is not what a job had read.
    """
    crate = needs("rocrate.rocrate").ROCrate(gen_preview=True, version="1.1")
    _check_unchanged(study)
    _Writer(crate, study, largest).fill()
    crate.write(folder)


def _check_unchanged(study: Study) -> None:
    """UserError for a file that differs from what the latest job read that had read it."""
    latest = {path: (job, told) for job in study.jobs for path, told in job.hashes.items()}
    for path, (job, told) in latest.items():
        file = study.folder / path
        if file.is_file() and sha256(file) != told:
            raise UserError(
                f"{path}: has changed since rule {job.rule} read it: run `snakemake {study.name}`"
            )


class _Writer:
    """Fills a crate with the entities of one study; `files` are those added so far, by path."""

    def __init__(self, crate: Any, study: Study, largest: float) -> None:
        self.crate, self.study, self.largest = crate, study, largest
        self.files: dict[str, Any] = {}
        self.held_back = set()
        if not study.licence.shared:
            self.held_back = {path for job in study.of_rule("prepare") for path in job.outputs}
        self.version = ", ".join(dict.fromkeys(self._revisions())) or "unknown"

    def _revisions(self) -> Iterable[str]:
        for job in self.study.of_rule("train"):
            yield str(read_json(self.study.path(job, "meta"))["git"])

    def fill(self) -> None:
        """Add the root, the workflow and its steps, the run and its jobs."""
        self._root()
        workflow = self._workflow()
        run = self._run(workflow)
        steps = self._steps(workflow)
        controls = [self._job(number, job, steps) for number, job in enumerate(self.study.jobs)]
        engine = self._entity(ENGINE, "SoftwareApplication", name="Snakemake", url=ENGINE)
        self._action(
            "#organize",
            "OrganizeAction",
            name="Snakemake runs the jobs",
            instrument=engine,
            object=controls,
            result=run,
        )

    def _root(self) -> None:
        study, licence = self.study, self.study.licence
        self.crate.name = f"depthbias study {study.name}"
        self.crate.description = (
            f"Files and jobs of the study {study.name} of the data set {study.data_set}: "
            "diffusion models of growing depth, what they make, and what was measured of it."
        )
        self.crate.license = licence.link or licence.name or "not stated"
        profiles = [
            self._entity(key, "CreativeWork", name=name, version=version)
            for key, (name, version) in PROFILES.items()
        ]
        self.crate.root_dataset["conformsTo"] = profiles
        self.crate.metadata.extra_terms.update(TERMS)

    def _workflow(self) -> Any:
        """The workflow with all its code; its input and its output."""
        place = self.study.folder
        workflow = self.crate.add_workflow(
            place / WORKFLOW,
            WORKFLOW,
            main=True,
            lang="snakemake",
            properties={
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": "depthbias",
                "version": self.version,
            },
        )
        self.files[WORKFLOW] = workflow
        for pattern in (*PARTS, *SETTINGS):
            for path in sorted(place.glob(pattern)):
                self._file(path.relative_to(place).as_posix())
        workflow["input"] = [self._parameter("parameters", PARAMETERS)]
        summaries = [path for job in self.study.of_rule("summarize") for path in job.outputs]
        workflow["output"] = [self._parameter("measurements", path) for path in summaries]
        return workflow

    def _parameter(self, name: str, path: str) -> Any:
        """A formal parameter of the workflow, and the file that was given or made for it."""
        file = self._file(path)
        parameter = self.crate.add_formal_parameter(name, "File", identifier=f"#{name}")
        parameter["workExample"], file["exampleOfWork"] = file, parameter
        return parameter

    def _steps(self, workflow: Any) -> dict[str, Any]:
        """{rule: its step}, in the order in which the rules first ran; the tools are scripts."""
        steps: dict[str, Any] = {}
        for job in self.study.jobs:
            if job.rule not in steps:
                kinds = ["File", "SoftwareSourceCode"]
                tool = self._file(
                    job.script or WORKFLOW, **{"@type": kinds, "version": self.version}
                )
                workflow.append_to("hasPart", tool)
                steps[job.rule] = self._entity(
                    f"#step-{job.rule}",
                    "HowToStep",
                    name=job.rule,
                    position=str(len(steps)),
                    workExample=tool,
                )
        workflow["step"] = list(steps.values())
        return steps

    def _run(self, workflow: Any) -> Any:
        """The action of the whole run: from what no job made to what no job read."""
        jobs = self.study.jobs
        read = {path for job in jobs for path in job.inputs}
        made = {path for job in jobs for path in job.outputs}
        given = [path for path in sorted(read - made) if (self.study.folder / path).is_file()]
        return self._action(
            "#run",
            "CreateAction",
            name=f"run of study {self.study.name}",
            description=f"snakemake {self.study.name}",
            instrument=workflow,
            object=[self._file(path) for path in (PARAMETERS, *given)],
            result=[self._file(path) for path in sorted(made - read)],
            startTime=min(job.start for job in jobs).isoformat(),
            endTime=max(job.end for job in jobs).isoformat(),
        )

    def _job(self, number: int, job: Job, steps: dict[str, Any]) -> Any:
        """The action of a job, within that of its step."""
        about = " ".join([job.rule, *job.run.values()])
        inputs = [path for path in job.inputs if (self.study.folder / path).is_file()]
        action = self._action(
            f"#job-{number}",
            "CreateAction",
            name=about,
            description=job.command,
            instrument=self._file(job.script or WORKFLOW),
            object=[self._file(path) for path in inputs],
            result=[self._file(path) for path in job.outputs],
            startTime=job.start.isoformat(),
            endTime=job.end.isoformat(),
        )
        if used := self._used(number, job):
            action["resourceUsage"] = used
        return self._action(
            f"#control-{number}",
            "ControlAction",
            name=f"step {about}",
            instrument=steps[job.rule],
            object=action,
        )

    def _used(self, number: int, job: Job) -> list[Any]:
        """What a job took, where it wrote a record of it (docs/metrics.md says what is counted)."""
        written = [path for path in job.flags.get("usage", []) if path in job.outputs]
        if not written:
            return []
        told = read_json(self.study.folder / written[0])
        return [
            self._entity(
                f"#job-{number}-{name}",
                "PropertyValue",
                name=name.replace("_", " "),
                propertyID=name,
                value=told[name],
                unitCode=unit,
            )
            for name, unit in USED.items()
        ]

    def _action(self, key: str, kind: str, **properties: Any) -> Any:
        action = self._entity(key, kind, actionStatus=COMPLETED, **properties)
        self.crate.root_dataset.append_to("mentions", action)
        return action

    def _entity(self, key: str, kind: str, **properties: Any) -> Any:
        from rocrate.model.contextentity import ContextEntity

        entity = self.crate.add(ContextEntity(self.crate, key, properties={"@type": kind}))
        for name, value in properties.items():
            entity[name] = value
        return entity

    def _file(self, path: str, **more: Any) -> Any:
        """The entity of a file, which is copied unless it is too large or may not be passed on.

        more: its properties, where this is the first time that it is spoken of.
        """
        if path not in self.files:
            place = self.study.folder / path
            size = place.stat().st_size
            facts = {"name": path, "contentSize": str(size), "sha256": sha256(place), **more}
            if kind := mimetypes.guess_type(path)[0]:
                facts["encodingFormat"] = kind
            if size > self.largest * MB or path in self.held_back:
                self.files[path] = self._entity(f"#{path}", "CreativeWork", **facts)
            else:
                self.files[path] = self.crate.add_file(place, path, properties=facts)
        return self.files[path]
