"""A tiny real study in a copy of the checkout, run once and shared by the workflow tests."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from forks import Forks

ROOT = Path(__file__).parent.parent
SNAKEMAKE = [sys.executable, "-m", "snakemake"]

TINY = {
    "active": ["tiny"],
    "studies": {
        "tiny": {
            "data": {
                "dataset": "digits",
                "size": 8,
                "channels": 1,
                "heldout": 54,
            },
            "classes": {"six": {"any": ["6"]}, "nine": {"any": ["9"]}},
            "ratios": ["90-10", "60-40"],
            "subset_size": 40,
            "architectures": ["depth2", "depth3"],
            "width": 0.5,
            "seeds": [0, 1],
            "training": {
                "objective": "ddpm",
                "budget": 640,
                "batch_size": 32,
                "learning_rate": 0.002,
                "warmup": 64,
                "weight_decay": 0.01,
                "clip": 1.0,
                "ema_halflife": 100,
                "precision": "auto",
                "log_every": 160,
            },
            "sampling": {
                "samplers": ["ddim-4"],
                "images": 40,
                "batch_size": 40,
            },
            "classifier": {
                "budget": 8000,
                "batch_size": 64,
                "learning_rate": 0.002,
                "threshold": 0.9,
            },
            "bias": {"bootstrap": 200},
            "diversity": {"backbone": "classifier"},
            "neighbors": {
                "embeddings": ["pixels", "classifier"],
                "k": [1, 5],
                "copies": {"classifier": "calibrated"},
            },
            "structure": {
                "levels": 5,
                "pairs": 10,
                "noisy_images": 20,
                "samples": 80,
                "trajectories": 2,
            },
            "flips": {"levels": [1, 20], "images": 12, "sampler": "ddim-3"},
        }
    },
}


@cache
def forks():
    return Forks()


def snakemake(folder, *arguments, timeout=900, **environment):
    """Run Snakemake in `folder`; returns the completed process with stdout and stderr together.

    It and its jobs are forks (forks.py), unless a PATH is given or the system is not Linux.
    """
    words = [*SNAKEMAKE, "--nocolor", *map(str, arguments)]
    if sys.platform == "linux" and "PATH" not in environment:
        path = {"PATH": f"{forks().bin}:{os.environ['PATH']}"}
        return forks().run(words[1:], folder, os.environ | path | environment, timeout)
    return subprocess.run(
        words,
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def program(monkeypatch, name, *words):
    """Run scripts/NAME.py with these words in this process."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
    runpy.run_path(str(ROOT / f"scripts/{name}.py"), run_name="__main__")


def rules(*targets):
    """{rule: what a dry run with these targets says of one of its jobs}."""
    done = snakemake(ROOT, "-n", "-p", "--forceall", "--", *targets)
    assert done.returncode == 0, done.stdout
    job = r"^(?:local)?(rule (\S+):\n(?:    .*\n|Shell command: .*\n|\n)*)"
    jobs = re.findall(job, done.stdout, re.MULTILINE)
    return {name: text for text, name in reversed(jobs)}


# They say what the machine took.
RECORDS = re.compile(r"(train|samples-.*)-usage\.json|usage\.(csv|md|html)|index\.html")


def contents(folder):
    """{path: bytes} of all that was made, temporary files included, less what is a matter of time.

    That is the records, and the images per second of trainings.
    """
    found = {}
    for path in [*(folder / "data").rglob("*"), *(folder / "results").rglob("*")]:
        if path.is_file() and not RECORDS.fullmatch(path.name):
            content = path.read_bytes()
            if path.name == "train.csv":
                content = b"\n".join(line.rpartition(b",")[0] for line in content.splitlines())
            found[str(path.relative_to(folder))] = content
    return found


def copy_checkout(folder, params=TINY):
    """The files of the project that a run needs, with other parameters, in a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("Snakefile", "environment.yml", "depthbias", "scripts", "workflow"):
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy2(source, folder / name)
    (folder / "profiles").symlink_to("workflow/profiles")
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def python_in(folder, *arguments):
    """What Python does in a copy of the project, with the package of that copy."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def run_once(tmp_path_factory, worker_id, name, make):
    """The folder that make(folder) fills, once for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    if worker_id != "master":  # the folder that the workers share
        base = base.parent
    folder, finished = base / name, base / f"{name}-finished"
    with FileLock(base / f"{name}.lock"):
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            finished.touch()
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, worker_id):
    """A finished tiny study, run once for all workers: treat as read-only, copy it to change it."""

    def make(folder):
        done = snakemake(copy_checkout(folder), "--cores", "2")
        assert done.returncode == 0, done.stdout[-4000:]

    return run_once(tmp_path_factory, worker_id, "tiny-study", make)


def pytest_configure(config):
    """Only `pytest -m gpu` may use a GPU: the other tests compare bytes, and fork."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
