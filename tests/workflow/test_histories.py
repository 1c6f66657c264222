"""Random histories, those that once failed, and faults that the histories must find."""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from histories import Histories, Toys, files
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

HISTORIES = int(os.environ.get("HISTORIES", "100"))


@pytest.fixture(scope="module")
def toys():
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="histories-", dir=memory))
    try:
        made = Toys(folder)
        yield made
        made.server.close()
    finally:
        shutil.rmtree(folder)


def explore(toys, count):
    machine = type("Machine", (Histories,), {"toys": toys})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=count,
            stateful_step_count=8,
            derandomize=True,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{toys.calls} histories in {time.time() - toys.began:.0f} s")


# Histories that once failed, as they were shrunk, and what failed.
KEPT = {
    "the other format of a deleted figure was not made again": [
        ("delete", {"name": "results/tiny/figures/copied-training.svg"}),
    ],
    "a changed job that failed was not run again": [
        ("edit_a_value", {"change": ("overrides", {"depth3": {"learning_rate": 0.003}})}),
        ("kill", {"job": 1, "moment": "before", "who": "job"}),
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
    machine = type("Machine", (Histories,), {"toys": toys})()
    machine.begin()
    for name, arguments in KEPT[fault]:
        getattr(machine, name)(**arguments)
    machine.teardown()


@pytest.mark.slow
def test_random_histories(toys):
    explore(toys, HISTORIES)
