"""Random histories of a toy study: after the next run its files are those of a fresh run.

And no job ran whose inputs did not change. The workflow's rules are the real ones (toy_study.py).
"""

import copy
import json
import os
import re
import shlex
import shutil
import time

import toy_job
import yaml
from conftest import ROOT
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)
from toy_study import MADE, OPTIONS, TARGETS, Server, commit, git, make_code, toy_params

from depthbias.config import reading
from depthbias.system.errors import UserError

VALUES = [
    ("data.size", [4]),
    ("data.heldout", [50]),
    ("data.seed", [1]),
    ("classes", [{"six": {"any": ["6"]}, "nine": {"any": ["9", "8"]}}]),
    ("ratios", [["90-10", "60-40"]]),
    ("subset_size", [30]),
    ("architectures", [["depth3"], ["depth2", "depth3", "depth4"]]),
    ("width", [1.0]),
    ("seeds", [[1], [0, 1]]),
    ("disjoint", [True]),
    ("training.objective", ["edm"]),
    ("training.batch_size", [16]),
    ("training.learning_rate", [0.001]),
    ("training.warmup", [32]),
    ("training.weight_decay", [0.02]),
    ("training.clip", [2.0]),
    ("training.ema_halflife", [50]),
    ("training.precision", ["fp32"]),
    ("training.log_every", [320]),
    ("overrides", [{"depth3": {"learning_rate": 0.003}}]),
    ("sampling.samplers", [["ddim-2"], ["ddim-4", "heun-2"], ["heun-2", "ddim-4"]]),
    ("sampling.images", [20]),
    ("sampling.batch_size", [20]),
    ("sampling.noise_seeds", [[1], [0, 1]]),
    ("classifier.budget", [4000]),
    ("classifier.learning_rate", [0.001]),
    ("classifier.threshold", [0.8]),
    ("bias.bootstrap", [100]),
    ("bias.decidable", [0.8]),
    ("diversity.backbone", ["lpips-alex"]),
    ("neighbors.embeddings", [["classifier", "pixels"]]),
    ("neighbors.k", [[1, 3]]),
    ("neighbors.copies", [{}]),
    ("quality.k", [[3, 4, 5]]),
    ("quality.manifold_k", [3]),
    ("structure.levels", [6]),
    ("structure.pairs", [8]),
    ("structure.noisy_images", [10]),
    ("structure.samples", [70]),
    ("structure.trajectories", [3]),
    ("structure.seed", [1]),
    ("denoising.noise_seed", [1]),
    ("denoising.heldout_images", [8]),
]
CHANGES = [(key, value) for key, values in VALUES for value in values]
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("depthbias", "scripts")
    for path in (ROOT / folder).rglob("*.py")
)
TOUCHED = ["params.yaml", "raw/labels.csv", *MODULES]
MOMENTS = ["before", "half", "between", "after"]
DAMAGES = {"cut short": lambda text: text[:-9], "emptied": lambda text: "", "changed": "x".__add__}


def one_of(paths):
    """One of the paths that a function of the toys gives."""
    return st.runner().flatmap(lambda machine: st.sampled_from(paths(machine.toys)))


def files(folder):
    """{path: content} of all that was made."""
    paths = [path for name in MADE for path in (folder / name).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in paths}


def is_target(path):
    return bool(re.search(r"/(figures|tables|sweeps)/|^metrics/|/summary\.csv$", path))


class Toys:
    """The server, a finished study that histories begin with, and what fresh runs make."""

    def __init__(self, folder, plant=None):
        self.folder, self.server, self.fresh_runs, self.count = folder, Server(folder), {}, 0
        self.began, self.calls = time.time(), 0
        self.template = folder / "template"
        make_code(self.template)
        if plant:
            plant(self.template)
        code, output = self.server(self.template, *OPTIONS, *TARGETS)
        assert code == 0, output
        commit(self.template, "A finished study")
        self.made = sorted(files(self.template))
        self.inputs = sorted(
            {path for job in jobs(self.template) for path in job["in"]} & set(self.made)
        )

    def copy(self, source=None):
        """A copy of a study with its dates, by default of the template."""
        self.count += 1
        folder = self.folder / f"study{self.count}"
        shutil.copytree(source or self.template, folder, symlinks=True)
        return folder

    def empty(self, study):
        """The code, parameters and raw data of a study in a new folder."""
        self.count += 1
        folder = self.folder / f"fresh{self.count}"
        folder.mkdir()
        for name in ("Snakefile", "depthbias", "scripts", "workflow", "toy-reach.json", "raw"):
            copied = shutil.copytree if (study / name).is_dir() else shutil.copy2
            copied(study / name, folder / name)
        for name in ("environment.yml", "params.yaml"):
            shutil.copy2(study / name, folder / name)
        (folder / "profiles").symlink_to("workflow/profiles")
        return folder

    def fresh(self, study):
        """{path: content} of what a run in an empty folder makes: its plan, worked out by hand."""
        state = json.dumps(
            [[str(p), (study / p).read_text()] for p in ("params.yaml", "raw/labels.csv")]
        )
        key = state + json.dumps([toy_job.statements.__wrapped__(study / name) for name in MODULES])
        if key not in self.fresh_runs:
            folder = self.empty(study)
            code, plan = self.server(folder, "-n", "-p", *TARGETS)
            assert code == 0, plan
            self.fresh_runs[key] = carry_out(plan, folder)
            shutil.rmtree(folder)
        return self.fresh_runs[key]


def carry_out(plan, root):
    """What the jobs of a dry run in an empty folder would make, in its order."""
    made = {}
    toy_job.statements.cache_clear()
    toy_job.reach.cache_clear()
    toy_job.code.cache_clear()
    for text in re.split(r"^(?:local)?rule ", plan, flags=re.MULTILINE)[1:]:
        command = re.search(r"scripts/(\w+)\.py\"? (.*) &> ", text)
        if command:
            outputs = re.search(r"^    output: (.+)$", text, re.MULTILINE)[1].replace(
                " (report)", ""
            )
            script, words = command[1], shlex.split(command[2])
            outputs = set(outputs.split(", "))
            read = {
                path: (root / path).read_text() for path in words if path.startswith("raw/")
            } | made
            made |= toy_job.products(script, words, root, outputs.__contains__, read.get)
    return made


def jobs(folder):
    log = folder / toy_job.JOBS
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


class Histories(RuleBasedStateMachine):
    """What may happen to a study between two runs."""

    toys = None

    @initialize()
    def begin(self):
        self.folder, self.branches, self.folders = self.toys.copy(), [], []
        self.halfway = False  # something ran, but not all that had to
        self.excused, self.damaged = set(), set()  # files whose jobs may run though nothing changed
        self.toys.calls += 1

    def read(self):
        return yaml.safe_load((self.folder / "params.yaml").read_text())

    @rule(change=st.sampled_from(CHANGES))
    def edit_a_value(self, change):
        params = self.read()
        keys = change[0].split(".")
        place = params["studies"]["tiny"]
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        if place.get(keys[-1]) == change[1]:  # back to what it was
            base = toy_params()["studies"]["tiny"]
            for key in keys:
                base = base.get(key) if isinstance(base, dict) else None
            place.pop(keys[-1])
            if base is not None:
                place[keys[-1]] = base
        else:
            place[keys[-1]] = copy.deepcopy(change[1])
        try:
            reading.parse(params, "params.yaml")
        except UserError:  # some values do not go together
            assume(False)
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    @rule(row=st.sampled_from(["2.png,9", "3.png,6"]))
    def edit_the_labels(self, row):
        path = self.folder / "raw/labels.csv"
        lines = path.read_text().splitlines()
        lines = [line for line in lines if line != row] if row in lines else [*lines, row]
        path.write_text("\n".join(lines) + "\n")

    @precondition(lambda self: not self.damaged and not self.halfway)  # docs/reliability.md: limits
    @rule(name=one_of(lambda toys: ["everything", *TOUCHED, *toys.made]), old=st.booleans())
    def touch(self, name, old):
        paths = [path for path in self.folder.rglob("*") if ".git" not in path.parts]
        paths = [path for path in paths if ".snakemake" not in path.parts and path.is_file()]
        for path in paths if name == "everything" else [self.folder / name]:
            if path.exists():
                os.utime(path, (0, 0) if old else None)

    @rule(module=st.sampled_from(MODULES), what=st.sampled_from(["comment", "docstring", "layout"]))
    def reword(self, module, what):
        path = self.folder / module
        text = path.read_text()
        if what == "comment":
            text = text.replace("# why", "# why not") + "\n# the end\n"
        elif what == "docstring":
            text = text.replace("what the module does", "what it does, said better")
        else:
            text = text.replace("\n\nTOY =", "\n\n\nTOY =")
        path.write_text(text)

    @rule(module=st.sampled_from(MODULES), place=st.sampled_from(["TOY = ", "value + ", "value="]))
    def change_a_constant(self, module, place):
        path = self.folder / module
        before, _, after = path.read_text().rpartition(place)
        digit = re.match(r"\d+", after)[0]
        path.write_text(f"{before}{place}{int(digit) % 3 + 1}{after[len(digit) :]}")

    @rule(name=one_of(lambda toys: toys.made))
    def delete(self, name):
        (self.folder / name).unlink(missing_ok=True)
        self.damaged.discard(name)

    @rule(name=one_of(lambda toys: toys.inputs), how=st.sampled_from(list(DAMAGES)))
    def damage(self, name, how):
        path = self.folder / name
        assume(path.exists())
        path.write_text(DAMAGES[how](path.read_text()))
        self.damaged.add(name)
        self.excused.add(name)

    @rule()
    def run(self):
        self.run_to_the_end(TARGETS)

    @rule(phase=st.sampled_from(["data", "train", "sample", "evaluate", "figures"]))
    def run_a_phase(self, phase):
        self.snakemake(f"{phase}_tiny")

    @rule(
        job=st.integers(1, 40), moment=st.sampled_from(MOMENTS), who=st.sampled_from(["all", "job"])
    )
    def kill(self, job, moment, who):
        code, _, ran = self.snakemake(*TARGETS, TOY_FAULT=f"{job} {moment} {who}")
        if len(ran) >= job:
            self.excused |= set(ran[job - 1]["out"])
        if code < 0:
            assert self.toys.server(self.folder, "--unlock")[0] == 0

    @rule()
    def check_out_a_branch(self):
        commit(self.folder, "Before the branch")
        self.branches.append(git(self.folder, "rev-parse", "--abbrev-ref", "HEAD").strip())
        git(self.folder, "checkout", "-q", "-b", f"branch{len(self.branches)}-{time.time_ns()}")

    @precondition(lambda self: self.branches)
    @rule()
    def come_back(self):
        commit(self.folder, "On the branch")
        git(self.folder, "checkout", "-q", self.branches.pop())

    @rule()
    def clone_and_pull(self):
        self.run_to_the_end(TARGETS)
        self.toys.server.dvc(self.folder, "commit", "-f")
        self.toys.server.dvc(self.folder, "push")
        commit(self.folder, "Before the clone")
        self.toys.count += 1
        clone = self.toys.folder / f"clone{self.toys.count}"
        git(self.folder.parent, "clone", "-q", str(self.folder), str(clone))
        self.toys.server.dvc(clone, "pull")
        shutil.rmtree(self.folder)
        self.folder, self.branches = clone, []

    def snakemake(self, *arguments, **environment):
        """Run Snakemake, and see that no job ran without need."""
        before = files(self.folder)
        (self.folder / toy_job.JOBS).unlink(missing_ok=True)
        code, output = self.toys.server(self.folder, *OPTIONS, *arguments, **environment)
        ran, after = jobs(self.folder), files(self.folder)
        self.halfway |= bool(ran)
        rewritten = set()
        for job in ran:
            outputs = job["out"]
            same = all(before.get(path) == after.get(path, "") for path in outputs)
            excused = self.excused & set(outputs) or rewritten & set(job["in"])
            assert not same or excused, f"{job} ran, and nothing had changed\n{output}"
            rewritten |= set(outputs)
        for path in rewritten:
            if toy_job.is_whole(after.get(path, "")):
                self.excused.discard(path)
                self.damaged.discard(path)
        return code, output, ran

    def run_to_the_end(self, targets):
        """As its user would: what a message names as damaged is deleted."""
        while True:
            code, output, _ = self.snakemake(*targets)
            named = set(re.findall(r"error: (\S+): damaged: delete it", output))
            if not code or not named:
                break
            for name in named:
                (self.folder / name).unlink()
                self.damaged.discard(name)
        assert code == 0, output
        self.halfway = False
        found, fresh = files(self.folder), self.toys.fresh(self.folder)
        wanted = {path: fresh[path] for path in fresh if path in found or is_target(path)}
        wrong = sorted(path for path in wanted if found.get(path) != wanted[path])
        assert not wrong, f"not as a fresh run makes them: {wrong}"

    def teardown(self):
        if not hasattr(self, "folder"):
            return
        try:
            self.run_to_the_end(TARGETS)
        finally:
            shutil.rmtree(self.folder)
