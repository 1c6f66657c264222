"""Random histories, those that once failed, and faults that the histories must find."""

import os
import re
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import ROOT
from histories import Histories, Toys, files, is_target, jobs
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from toy_job import JOBS
from toy_study import OPTIONS, TARGETS

HISTORIES = int(os.environ.get("HISTORIES", "150"))


@contextmanager
def toys_with(plant=None):
    """Toy studies in a folder of their own, in memory where there is such a place."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="histories-", dir=memory) as folder:
        made = Toys(Path(folder), plant)
        yield made
        made.server.close()


@pytest.fixture(scope="module")
def toys():
    with toys_with() as made:
        yield made


def machine_of(toys):
    return type("Machine", (Histories,), {"toys": toys})


def explore(toys, count, phases=tuple(Phase)):
    """Run random histories, the same ones every time."""
    began, before = time.time(), toys.calls
    chosen = settings(
        max_examples=count,
        stateful_step_count=8,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine_of(toys), settings=chosen)
    finally:
        print(f"{toys.calls - before} histories in {time.time() - began:.0f} s")


def replay(toys, history):
    machine = machine_of(toys)()
    machine.begin()
    for name, arguments in history:
        getattr(machine, name)(**arguments)
    machine.teardown()


# Histories that once failed, as they were shrunk, and what failed.
KEPT = {
    "the other format of a deleted figure was not made again": [
        ("delete", {"name": "results/tiny/figures/copied-training.svg"}),
    ],
    "a changed job that failed was not run again": [
        ("change_a_constant", {"module": "scripts/split.py", "place": "TOY = "}),
        ("kill", {"job": 1, "moment": "before", "who": "job"}),
    ],
    "a label table of an older date was not seen": [
        ("edit_the_labels", {"row": "2.png,9"}),
        ("touch", {"name": "raw/labels.csv", "old": True}),
    ],
    "the same, of a damaged input that was deleted": [
        ("damage", {"name": "data/tiny/images.npz", "how": "emptied"}),
        ("change_a_constant", {"module": "scripts/split.py", "place": "value + "}),
    ],
}


def test_the_plan_worked_out_by_hand_is_what_a_fresh_run_makes(toys):
    assert toys.fresh(toys.template) == files(toys.template)


@pytest.mark.parametrize("fault", KEPT)
def test_histories_that_once_failed(toys, fault):
    replay(toys, KEPT[fault])


REMADE = [
    "data/tiny/images.npz",
    "data/tiny/split.json",
    "results/tiny/90-10/depth2/seed0/model.safetensors",
    "results/tiny/90-10/depth3/seed0/samples-ddim-4.npz",
    "results/tiny/bias.csv",
    "results/tiny/summary.csv",
    "results/tiny/figures/kappa.svg",
    "results/tiny/tables/proportions.csv",
]


@pytest.mark.parametrize("how", ["deleted", "changed"])
def test_the_documented_line_makes_a_file_again_and_nothing_else(toys, how):
    """docs/troubleshooting.md; the files after it are those before, so that no other job runs."""
    text = (ROOT / "docs/troubleshooting.md").read_text()
    [line] = re.findall(rf"^\| a file .* {how}.*\| `snakemake (.*? FILE)`", text, re.MULTILINE)
    folder = toys.copy()
    before = files(folder)
    for name in REMADE:
        if how == "deleted":
            (folder / name).unlink()
        else:
            (folder / name).write_text("x" + before[name])
        words = line.replace("--cores all", "").replace("FILE", name).split()
        code, output = toys.server(folder, *OPTIONS, *words)
        assert code == 0, output
        assert files(folder) == before, name
    (folder / JOBS).unlink()
    assert toys.server(folder, *OPTIONS, *TARGETS)[0] == 0
    assert not jobs(folder)


def test_deleted_figures_and_tables_are_made_again_without_being_named(toys):
    folder = toys.copy()
    before = files(folder)
    deleted = [name for name in REMADE if is_target(name)]
    for name in deleted:
        (folder / name).unlink()
    assert toys.server(folder, *OPTIONS, *TARGETS)[0] == 0
    assert len(deleted) == 3 and files(folder) == before


@pytest.mark.slow
def test_random_histories(toys):
    explore(toys, HISTORIES)


# Faults to plant: (file, text, text instead, what histories then say, the shortest that does).
STALE, NEEDLESS = "not as a fresh run makes them", "ran, and nothing had changed"
FAULTS = {
    "the digest leaves out constants": (
        "workflow/code_digest.py",
        "        write(ascii(part))\n",
        "        write('' if isinstance(part, int) else ascii(part))\n",
        STALE,
        [("change_a_constant", {"module": "scripts/sample.py", "place": "TOY = "})],
    ),
    "the digest follows only imports at the top of a file": (
        "workflow/code_digest.py",
        "_statements(_tree(path).body)",
        "_tree(path).body",
        STALE,
        [("change_a_constant", {"module": "depthbias/diffusion/trainer.py", "place": "TOY = "})],
    ),
    "the digest takes in docstrings": (
        "workflow/code_digest.py",
        "    return isinstance(value, ast.Constant) and isinstance(value.value, str)\n",
        "    return False\n",
        NEEDLESS,
        [("reword", {"module": "scripts/sample.py", "what": "docstring"})],
    ),
    "options are hidden from Snakemake": (
        "workflow/rules/common.smk",
        '"options": options}',
        '"options": lambda w, input: options(w) if callable(options) else options}',
        STALE,
        [("edit_a_value", {"change": ("training.clip", 2.0)})],
    ),
    "dates are compared instead of contents": (
        "workflow/records.py",
        "LARGEST)\n",
        "0)\n",
        NEEDLESS,
        [("touch", {"name": "data/tiny/images.npz", "old": False})],
    ),
}


def plant_in(folder, file, text, instead):
    path = folder / file
    assert path.read_text().count(text) == 1
    path.write_text(path.read_text().replace(text, instead))


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_seen(fault):
    *change, said, history = FAULTS[fault]
    planted = toys_with(lambda folder: plant_in(folder, *change))
    with planted as toys, pytest.raises(AssertionError, match=said):
        replay(toys, history)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [next(iter(FAULTS)), list(FAULTS)[-1]])
def test_random_histories_find_planted_faults(fault):
    *change, said, _ = FAULTS[fault]
    planted = toys_with(lambda folder: plant_in(folder, *change))
    with planted as toys, pytest.raises(AssertionError, match=said):
        explore(toys, HISTORIES, phases=[Phase.generate])


@pytest.mark.slow
def test_a_history_that_once_failed_fails_without_the_repair():
    change = ("workflow/rules/common.smk", "remember_failures()\n", "\n")
    with toys_with(lambda folder: plant_in(folder, *change)) as toys:
        for fault in [name for name in KEPT if "job that failed" in name]:
            with pytest.raises(AssertionError, match=STALE):
                replay(toys, KEPT[fault])
