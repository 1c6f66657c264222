"""The benchmarks compare equal work: shown on a tiny model, without looking at the times."""

import numpy as np
import pytest
import torch

from benchmarks import __main__ as program
from benchmarks import sampling, training
from benchmarks.turns import HEADINGS, in_turns, row, table
from depthbias.system.compute import Precision
from depthbias.system.errors import UserError

CPU = torch.device("cpu")
FP32 = Precision("fp32", "a test")
TINY = {"size": 8, "channels": 1, "width": 0.5, "batch": 4, "steps": 2, "turns": 2, "device": CPU}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_rows_of_a_tiny_model():
    trained = training.measure("depth2", **TINY, precision=FP32)
    sampled = sampling.measure("depth2", **TINY)
    for found in (trained, sampled):
        assert len(found.ratios) == 2
        assert len(found.cells()) == len(HEADINGS)
    assert trained.checked == "losses of 3 steps, rel. 0.0001"
    assert sampled.checked.startswith("images, ")


def test_training_that_differs_is_noticed(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1), np.uint8)
    step = training.Example.step
    monkeypatch.setattr(
        training.Example, "step", lambda self, clean, noise, t: step(self, clean, 0.99 * noise, t)
    )
    with pytest.raises(AssertionError):
        training.check(training.options_for("depth2", 0.5, 4), images, CPU, FP32)


def test_sampling_that_differs_is_noticed(monkeypatch):
    levels = sampling.noise_levels("ddpm", 2)
    monkeypatch.setattr(sampling, "noise_levels", lambda *_: levels * 0.9)
    with pytest.raises(AssertionError):
        sampling.measure("depth2", **TINY)


def test_turns_alternate_and_the_first_is_not_counted():
    calls = []
    ours, theirs = in_turns(lambda: calls.append("ours"), lambda: calls.append("theirs"), 3)
    assert len(ours) == len(theirs) == 3
    pairs = ["".join(word[0] for word in calls[k : k + 2]) for k in range(0, 8, 2)]
    assert pairs == ["to", "ot", "to", "ot"]


def test_table():
    made = row("training", "depth2", "theirs", 100, ([1.0, 2.0, 4.0], [4.0, 4.0, 4.0]), "yes")
    assert made.ratios == [4.0, 2.0, 1.0]
    lines = table([made]).splitlines()
    assert lines[2] == "| training | depth2 | 50 | 25 (theirs) | 2.00 | 1.00 to 4.00 | yes |"


def test_write_replaces_only_the_table(tmp_path, monkeypatch, capsys):
    page = tmp_path / "benchmarks.md"
    page.write_text(f"before\n{program.MARKS[0]}old\n{program.MARKS[1]}after\n")
    made = row("training", "depth2", "theirs", 1, ([1.0], [2.0]), "yes")
    monkeypatch.setattr(program, "PAGE", page)
    monkeypatch.setattr(program, "measurements", lambda device: [Measured(made)])
    monkeypatch.setattr("sys.argv", ["benchmarks"])
    program.main()
    assert "old" in page.read_text()
    monkeypatch.setattr("sys.argv", ["benchmarks", "--write"])
    program.main()
    text = page.read_text()
    assert text.startswith(f"before\n{program.MARKS[0]}| work |")
    assert text.endswith(f"{program.MARKS[1]}after\n")
    assert "old" not in text
    assert f"torch {torch.__version__}" in text
    assert text.count("2.00 to 2.00") == 1
    page.write_text("no marks")
    with pytest.raises(UserError, match="has no lines"):
        program.main()


class Measured:
    """Stands for a partial of a measurement that was made."""

    func, args = training.measure, ("depth2",)

    def __init__(self, made):
        self.made = made

    def __call__(self):
        return self.made


def test_the_measured_models_are_named():
    rows = [(m.func.__module__, m.args[0]) for m in program.measurements(CPU)]
    assert rows[:4] == [
        ("benchmarks.training", "depth2"),
        ("benchmarks.training", "depth4"),
        ("benchmarks.sampling", "depth2"),
        ("benchmarks.sampling", "depth4"),
    ]
