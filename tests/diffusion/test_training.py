"""Training: schedule, averages, minibatches, resuming bit for bit, and the script when killed."""

import copy
import csv
import json
import math
import multiprocessing
import os
import re
import resource
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from depthbias.data.pixels import to_float
from depthbias.diffusion import trainer
from depthbias.diffusion.checkpoints import load_model
from depthbias.diffusion.objectives import alpha_bars, ddpm_loss
from depthbias.diffusion.resume_points import load_point, point_path, remove_points, save_point
from depthbias.diffusion.trainer import Stopped, Trainer, TrainingOptions, learning_rate, train
from depthbias.system.compute import Precision, choose_precision
from depthbias.system.errors import UserError
from depthbias.system.files import read_json, write_json, write_npz

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
FP32 = Precision("fp32", "test")
OPTIONS = TrainingOptions(
    architecture="depth2",
    width=0.25,
    seed=3,
    objective="ddpm",
    budget=200,
    batch_size=16,
    learning_rate=2e-3,
    warmup=32,
    weight_decay=0.01,
    clip=1.0,
    ema_halflife=100,
    precision="fp32",
    log_every=48,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def images():
    """Twenty images 8x8: a bright square somewhere on a dark ground."""
    generator = np.random.default_rng(0)
    made = np.full((20, 8, 8, 1), 20, np.uint8)
    for image, (row, column) in zip(made, generator.integers(0, 5, (20, 2)), strict=True):
        image[row : row + 3, column : column + 3] = 230
    return torch.from_numpy(made)


def new(images, options=OPTIONS):
    trainer = Trainer(options, images, CPU, FP32)
    trainer.hold_out(to_float(images[:5]), range(5), torch.full((5,), 0.2))
    return trainer


def finish(trainer):
    for _ in train(trainer, lambda: None):
        pass
    return trainer


def same(a, b):
    return all(torch.equal(a.average[name], b.average[name]) for name in a.average)


def without_rates(rows):
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]


# The schedule and the options


def test_learning_rate_in_closed_form():
    options = replace(OPTIONS, budget=1000, warmup=200, learning_rate=2.0)
    assert learning_rate(options, 50) == pytest.approx(0.5)
    assert learning_rate(options, 200) == pytest.approx(2.0)
    assert learning_rate(options, 600) == pytest.approx(1.0)
    assert learning_rate(options, 400) == pytest.approx(1 + math.cos(math.pi / 4))
    assert learning_rate(options, 1000) == pytest.approx(0.0, abs=1e-12)
    assert learning_rate(replace(options, warmup=0), 0) == 2.0


@pytest.mark.parametrize(
    "change",
    [{"budget": 0}, {"batch_size": -1}, {"learning_rate": math.nan}, {"ema_halflife": -5}],
)
def test_options_out_of_range_are_refused(change):
    with pytest.raises(UserError, match=next(iter(change))):
        replace(OPTIONS, **change)


def test_auto_precision_on_a_cpu_is_fp32_and_says_why():
    precision = choose_precision("auto", CPU)
    assert precision.name == "fp32"
    assert "CPU" in precision.reason


def test_bf16_autocast_is_near_fp32(images):
    """Eight bits of mantissa: a step's loss agrees to about a percent, but is not the same."""
    exact, rounded = new(images), Trainer(OPTIONS, images, CPU, Precision("bf16", "test"))
    exact.step()
    rounded.step()
    assert exact.losses[0] != rounded.losses[0]
    assert rounded.losses[0].item() == pytest.approx(exact.losses[0].item(), rel=0.02)
    assert all(p.dtype == torch.float32 for p in rounded.parameters.values())


# One step


def test_the_loop_equals_a_plain_one(images):
    """Against the definitions: Adam, decay, clipping and average by hand, in float64."""
    trainer = new(images)
    twin = copy.deepcopy(trainer.net)
    parameters = list(twin.parameters())
    average = [p.detach().double() for p in parameters]
    first, second = ([torch.zeros_like(p).double() for p in parameters] for _ in range(2))
    generator = torch.Generator().set_state(trainer.generator.get_state())
    queue, seen = [], 0
    for step in range(1, 6):
        if len(queue) < 16:
            queue += torch.randperm(20, generator=generator).tolist()
        chosen, queue = queue[:16], queue[16:]
        loss = ddpm_loss(
            lambda x, t: twin(x, t).sample, to_float(images[chosen]), alpha_bars(), generator
        )
        gradients = [g.double() for g in torch.autograd.grad(loss, parameters)]
        norm = math.sqrt(sum(g.square().sum().item() for g in gradients))
        rate = learning_rate(OPTIONS, seen + 8)
        seen += 16
        for i, p in enumerate(parameters):
            g = gradients[i] * min(1.0, OPTIONS.clip / (norm + 1e-6))
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g * g
            move = first[i] / (1 - 0.9**step) / ((second[i] / (1 - 0.999**step)).sqrt() + 1e-8)
            p.data = (p.double() * (1 - rate * OPTIONS.weight_decay) - rate * move).float()
            kept = 0.5 ** (16 / min(OPTIONS.ema_halflife, 0.05 * seen))
            average[i] = kept * average[i] + (1 - kept) * p.detach().double()
        trainer.step()
        assert trainer.losses[-1].item() == pytest.approx(loss.item(), rel=1e-4)
    for mine, by_hand in zip(trainer.average.values(), average, strict=True):
        torch.testing.assert_close(mine, by_hand.float(), rtol=1e-3, atol=2e-5)


def test_every_image_is_seen_once_in_a_pass(images):
    trainer = new(images)
    seen = torch.cat([trainer._minibatch(n) for n in (16, 3, 45, 36)])
    assert len(seen) == 100
    flat = to_float(images).flatten(1)
    for start in range(0, 100, 20):
        batch = seen[start : start + 20].flatten(1)
        assert sorted(map(tuple, batch.tolist())) == sorted(map(tuple, flat.tolist()))


def test_same_seed_same_data_for_every_unet(images):
    a, b = new(images), new(images, replace(OPTIONS, architecture="depth3"))
    assert torch.equal(a.generator.get_state(), b.generator.get_state())
    other = new(images, replace(OPTIONS, seed=4))
    assert not torch.equal(a.generator.get_state(), other.generator.get_state())


def test_the_budget_is_met_exactly_and_logged(images):
    trainer = finish(new(images))
    assert trainer.seen == 200
    assert [row["images"] for row in trainer.rows] == [48, 96, 144, 192, 200]
    assert all(row["images_per_second"] > 0 for row in trainer.rows)


@pytest.mark.parametrize(
    ("objective", "optimizer", "rate"),
    [("ddpm", "adamw", 2e-3), ("edm", "adamw", 2e-3), ("edm", "muon", 6e-3)],
)
def test_it_learns(images, objective, optimizer, rate):
    options = replace(OPTIONS, objective=objective, optimizer=optimizer, learning_rate=rate)
    options = replace(options, budget=2560, batch_size=64, log_every=640)
    rows = finish(new(images, options)).rows
    assert rows[-1]["loss"] < 0.75 * rows[0]["loss"]


# Resuming


@pytest.mark.parametrize(
    ("objective", "optimizer"), [("ddpm", "adamw"), ("edm", "adamw"), ("edm", "muon")]
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_resuming_at_any_step_changes_no_bit(
    images, tmp_path, monkeypatch, objective, optimizer, layout
):
    monkeypatch.setitem(trainer.LAYOUTS, "cpu", layout)
    options = replace(OPTIONS, objective=objective, optimizer=optimizer)
    points = []
    whole = new(images, options)

    def save():
        points.append(tmp_path / f"{len(points)}.safetensors")
        save_point(points[-1], *whole.state())

    for _ in train(whole, save, save_seconds=0):
        pass
    assert len(points) == 12
    for point in points[::5]:
        resumed = new(images, options)
        resumed.restore(*load_point(point))
        finish(resumed)
        assert same(resumed, whole)
        assert without_rates(resumed.rows) == without_rates(whole.rows)


def test_stopping_saves_first(images):
    saved, trainer = [], new(images)
    with pytest.raises(Stopped):
        for _ in train(
            trainer, lambda: saved.append(trainer.seen), stopping=lambda: trainer.seen >= 64
        ):
            pass
    assert saved == [64]


def test_a_loss_that_is_not_finite_names_its_step_and_is_never_saved(images):
    """The third step's minibatch breaks; it is found at the log point, or sooner when saving."""
    for save_seconds, step_found in ((1e9, 48), (0, 48)):
        trainer, saved = new(images), []
        plain = trainer._loss
        trainer._loss = lambda batch, t=trainer, f=plain: (
            f(batch) * (math.nan if t.seen == 32 else 1.0)
        )

        def save(trainer=trainer, saved=saved):
            saved.append(trainer.state()[1]["seen"])

        with pytest.raises(UserError, match=r"not finite at step 3 \(48 images\)"):
            for _ in train(trainer, save, save_seconds=save_seconds):
                pass
        assert trainer.seen == step_found
        assert saved == ([] if save_seconds else [16, 32])


def test_a_gradient_that_is_not_finite_is_found_too(images):
    trainer = new(images)
    name = next(iter(trainer.parameters))
    trainer.parameters[name].register_hook(lambda gradient: gradient * math.inf)
    trainer.step()
    with pytest.raises(UserError, match="step 1 "):
        trainer.check()


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "foreign"])
def test_a_damaged_point_is_refused(images, tmp_path, damage):
    trainer = new(images)
    trainer.step()
    path = point_path(tmp_path / "model.safetensors", "0" * 16)
    save_point(path, *trainer.state())
    content = bytearray(path.read_bytes())
    assert load_point(path)[1]["seen"] == 16
    if damage == "truncate":
        content = content[: len(content) // 2]
    elif damage == "flip":
        content[-1000] ^= 1
    elif damage == "empty":
        content = bytearray()
    else:
        content = bytearray(b"images,loss\n1,2\n" * 9)
    path.write_bytes(content)
    with pytest.raises(UserError, match="whole"):
        load_point(path)


def test_removing_points_spares_those_of_other_models(tmp_path):
    mine = [point_path(tmp_path / "a.safetensors", c * 16) for c in "01"]
    left_by_a_kill = mine[0].with_name(f".{mine[0].name}.123.tmp")
    others = [point_path(tmp_path / "a-b.safetensors", "0" * 16), tmp_path / "a.safetensors"]
    for path in [*mine, left_by_a_kill, *others]:
        path.touch()
    remove_points(tmp_path / "a.safetensors")
    assert sorted(tmp_path.iterdir()) == sorted(others)


# The real script. Children are forked from a server that has imported the libraries: 5 s less each.

FORKED = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def preload():
    FORKED.set_forkserver_preload(["depthbias", "diffusers.models.unets.unet_2d"])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, images):
    folder = tmp_path_factory.mktemp("inputs")
    write_npz(folder / "images.npz", {"images": images.numpy()}, compress=False)
    subset = {"ratio": "90-10", "seed": 0, "classes": ["six", "nine"]}
    own = {"indices": list(range(4, 20)), "labels": [0] * 14 + [1] * 2}
    write_json(folder / "subset.json", subset | own)
    write_json(folder / "foreign.json", subset | {"indices": [5, 2000], "labels": [0, 1]})
    write_json(folder / "other.json", subset | own | {"seed": 1})
    rows = {"six": [0, 1], "nine": [2, 3]}
    split = {"classes": ["six", "nine"], "population": [9, 9], "images": "0f"}
    write_json(
        folder / "split.json", split | dict.fromkeys(["pool", "calibration", "control"], rows)
    )
    return folder


RUN = {"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "0"}


def flags(inputs, output, **changes):
    named = {
        "images": inputs / "images.npz",
        "subset": inputs / "subset.json",
        "split": inputs / "split.json",
        "run": json.dumps(RUN | changes.pop("run", {})),
        "width": 0.25,
        "threads": 1,
        "objective": "ddpm",
        "budget": 400,
        "batch_size": 16,
        "learning_rate": 2e-3,
        "warmup": 64,
        "weight_decay": 0.01,
        "clip": 1.0,
        "ema_halflife": 200,
        "precision": "auto",
        "log_every": 100,
        "model": output / "model.safetensors",
        "meta": output / "model.json",
        "kept_snapshots": output / "snapshots.safetensors",
        "log": output / "train.csv",
        "usage": output / "train-usage.json",
    } | changes
    return [w for k, v in named.items() for w in ("--" + k.replace("_", "-"), str(v))]


def _child(arguments, error_path, save_seconds, file_limit):
    os.environ |= {"DEPTHBIAS_SAVE_SECONDS": str(save_seconds), "CUDA_VISIBLE_DEVICES": ""}
    os.dup2(os.open(error_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    if file_limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))
    sys.argv = ["train.py", *arguments]
    runpy.run_path(str(ROOT / "scripts" / "train.py"), run_name="__main__")


def start(arguments, error_path, save_seconds=1000.0, file_limit=0):
    child = FORKED.Process(target=_child, args=(arguments, error_path, save_seconds, file_limit))
    child.start()
    return child


def run(arguments, error_path, **how):
    """(exit status, standard error) of the script."""
    child = start(arguments, error_path, **how)
    child.join(300)
    return child.exitcode, error_path.read_text()


def wait_for(condition, child):
    while not condition() and child.is_alive():
        time.sleep(0.01)
    assert condition(), "the script ended early"


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    """An uninterrupted run, in a process of its own as a user would start it."""
    output = tmp_path_factory.mktemp("whole")
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "train.py", *flags(inputs, output)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        check=True,
        capture_output=True,
    )
    return output


def read_log(path):
    with path.open() as file:
        return without_rates(csv.DictReader(file))


def assert_equal_output(folder, whole):
    for name in ("model.safetensors", "model.json"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    assert read_log(folder / "train.csv") == read_log(whole / "train.csv")
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in whole.iterdir())


def test_outputs_of_the_script(whole):
    assert sorted(p.name for p in whole.iterdir()) == [
        "model.json",
        "model.safetensors",
        "snapshots.safetensors",
        "train-usage.json",
        "train.csv",
    ]
    assert read_json(whole / "train-usage.json")["parts"] == 1
    architecture, meta = load_model(whole / "model.safetensors", whole / "model.json")
    assert meta["parameters"] == sum(p.numel() for p in architecture.parameters())
    assert (meta["images"], meta["precision"]) == (16, "fp32")
    log = (whole / "train.csv").read_text().splitlines()
    keys = "study,ratio,architecture,seed"
    assert log[0] == f"{keys},images,loss,heldout_loss,learning_rate,images_per_second"
    assert [row.split(",")[4] for row in log[1:]] == [str(n) for n in (112, 208, 304, 400)]


def test_every_output_tells_its_run(whole):
    assert read_json(whole / "model.json")["run"] == RUN
    assert read_json(whole / "train-usage.json")["run"] == RUN
    with (whole / "train.csv").open() as file:
        assert all({key: row[key] for key in RUN} == RUN for row in csv.DictReader(file))


def test_killed_anywhere_the_weights_are_the_same(inputs, whole, tmp_path):
    """kill -9 again and again while a point is saved after every step, each further on."""
    error, arguments = tmp_path / "stderr", flags(inputs, tmp_path / "out")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f"resume-model-{'f' * 16}.safetensors").write_bytes(b"of another run")
    reached = 0
    for delay in (0.0, 0.013, 0.1, 0.004):
        child = start(arguments, error, save_seconds=0)
        [foreign] = folder.glob("resume-model-ffff*")

        def progressed(reached=reached, foreign=foreign):
            points = set(folder.glob("resume-*")) - {foreign}
            return any(_seen(p) > reached for p in points)

        wait_for(progressed, child)
        time.sleep(delay)
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        [point] = set(folder.glob("resume-*")) - {foreign}
        reached = load_point(point)[1]["seen"]
    assert not (folder / "model.safetensors").exists()
    code, text = run(arguments, error)
    assert code == 0
    assert text.count("going on from") == 4
    assert_equal_output(folder, whole)
    assert read_json(folder / "train-usage.json")["parts"] == 5


def _seen(point):
    try:
        return load_point(point)[1]["seen"]
    except UserError:  # it was replaced or removed while being read
        return 0


def test_sigterm_saves_a_point_and_a_damaged_one_is_thrown_away(inputs, whole, tmp_path):
    error, folder = tmp_path / "stderr", tmp_path / "out"
    arguments = flags(inputs, folder)
    child = start(arguments, error)
    wait_for(lambda: error.exists() and "fp32" in error.read_text(), child)
    asked = time.time()
    child.terminate()
    child.join(300)
    assert child.exitcode == 143
    [point] = folder.iterdir()
    assert point.stat().st_mtime - asked < 10  # what a scheduler is promised
    print("saved after", point.stat().st_mtime - asked)
    assert load_point(point)[1]["seen"] < 400
    content = point.read_bytes()
    point.write_bytes(content[:-10_000])
    code, text = run(arguments, error)
    assert code == 0
    assert text.count("starting over") == 1
    assert_equal_output(folder, whole)


def test_other_options_do_not_pick_up_the_point(inputs, tmp_path):
    error, folder = tmp_path / "stderr", tmp_path / "out"
    child = start(flags(inputs, folder), error)
    wait_for(lambda: error.exists() and "fp32" in error.read_text(), child)
    child.terminate()
    child.join(300)
    code, text = run(flags(inputs, folder, learning_rate=1e-3, budget=64), error)
    assert code == 0
    assert "going on" not in text
    assert list(folder.glob("resume-*")) == []


def test_a_full_disk_ends_in_one_line_and_loses_nothing(inputs, tmp_path):
    """The size limit of a process stands in for the disk; the weights take 260 kB."""
    error, folder = tmp_path / "stderr", tmp_path / "out"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"an earlier model")
    arguments = flags(inputs, folder, budget=64)
    code, text = run(arguments, error, file_limit=100_000, save_seconds=0)
    assert code == 1
    *_, last = text.splitlines()
    assert last.startswith(f"error: {folder / 'model.safetensors'}: cannot write")
    assert "no resume point saved" in text
    assert "Traceback" not in text
    assert [p.name for p in folder.iterdir()] == ["model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == b"an earlier model"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "stderr/below-a-file/model.safetensors"}, "below-a-file.*cannot write"),
        ({"run": {"architecture": "depth9"}}, "--run: unknown architecture 'depth9'"),
        ({"run": {"architecture": "depth6"}}, "too deep for images of 8x8"),
        ({"subset": "foreign.json"}, "foreign.json: not a subset"),
        ({"subset": "other.json"}, "other.json: the subset 90-10 of seed 1, not that of --run"),
        ({"images": "missing.npz"}, "missing.npz: cannot read"),
        ({"learning_rate": 1e30, "clip": 1e30}, "not finite at step"),
    ],
)
def test_bad_input_ends_in_one_line(inputs, tmp_path, changes, message):
    folder = tmp_path / "out"
    if "model" in changes:
        changes = {"model": tmp_path / changes["model"]}
    for key in ("subset", "images"):
        if key in changes:
            changes = {key: inputs / changes[key]}
    code, text = run(flags(inputs, folder, **changes), tmp_path / "stderr")
    assert code == 1
    *_, last = text.splitlines()
    assert last.startswith("error: ")
    assert re.search(message, last)
    assert "Traceback" not in text
    assert not folder.exists() or list(folder.iterdir()) == []
