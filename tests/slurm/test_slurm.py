"""The tiny study on a real SLURM of one node with three stand-in GPUs, jobs of it ended on the way.

Needs root, the Debian packages slurmctld, slurmd and munge, and no SLURM in use on the machine.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import cluster
import pytest
import torch
from conftest import SNAKEMAKE, contents, copy_checkout, snakemake
from filelock import FileLock, Timeout

from depthbias.system.files import read_json

pytestmark = pytest.mark.slow

# What differs from cluster to cluster and is not in the profile: here nothing is accounted, and no
# network file system is late.
SITE = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2"]
SITE += ["--latency-wait", "5"]


@pytest.fixture
def slurm():
    """A running cluster, one at a time on this machine."""
    reason = cluster.obstacle()
    if not reason and torch.cuda.is_available():
        reason = "the numbers of stand-in GPUs would be taken for those of the real ones"
    if reason:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # short: sockets have long names
    try:
        with FileLock("/tmp/depthbias-test-cluster.lock", timeout=600):
            reason = cluster.start(folder)
            if reason:
                pytest.skip(reason)
            try:
                yield folder
            finally:
                cluster.stop(folder)
    except Timeout:
        pytest.skip("another test cluster runs on this machine")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_and_disturb(folder):
    """Run the study, ending two trainings; (output of Snakemake, {how it was ended: run})."""
    output = folder / "snakemake.out"
    with output.open("w") as file:
        running = subprocess.Popen(
            [*SNAKEMAKE, "--nocolor", "--workflow-profile", "workflow/profiles/slurm", *SITE],
            cwd=folder,
            env=os.environ | {"DEPTHBIAS_SAVE_SECONDS": "0", "DEPTHBIAS_DEVICES": "3"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            ended = {"scancel": end_one(folder, running, set(), cancel)}
            ended["kill"] = end_one(folder, running, set(ended.values()), kill)
            running.wait(timeout=2400)
        finally:
            if running.poll() is None:
                running.kill()
    assert running.returncode == 0, output.read_text()[-4000:]
    return output.read_text(), ended


def end_one(folder, running, spared, end):
    """End one training that has saved a resume point; returns its run, "90-10/depth2/seed0"."""
    while running.poll() is None:
        for point in folder.glob("results/tiny/*/*/*/resume-*.safetensors"):
            run = "/".join(point.parts[-4:-1])
            if run not in spared and end(run):
                return run
        time.sleep(0.01)
    raise AssertionError(f"no training to {end.__name__}: {(folder / 'snakemake.out').read_text()}")


def cancel(run):
    """scancel the job of a training; whether there was one."""
    listed = subprocess.run(
        ["squeue", "--noheader", "--states=RUNNING", "--format=%i %k"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ratio, architecture, seed = run.split("/")
    wanted = f"rule_train_wildcards_tiny_{ratio}_{architecture}_{seed.removeprefix('seed')}"
    for line in listed.splitlines():
        job, _, comment = line.partition(" ")
        if comment.strip() == wanted:
            return subprocess.run(["scancel", job], check=False).returncode == 0
    return False


def kill(run):
    """kill -9 the process of a training; whether there was one."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:  # it has ended
            continue
        training = words[0].endswith("python") and any(
            word.endswith("/scripts/train.py") for word in words
        )
        if training and f"results/tiny/{run}/model.safetensors" in words:
            os.kill(int(path.parent.name), signal.SIGKILL)
            return True
    return False


def test_the_tiny_study_on_slurm(slurm, tiny, tmp_path):
    """One test, for the workers of pytest-xdist would each start a cluster of their own."""
    folder = copy_checkout(tmp_path / "checkout")
    output, ended = run_and_disturb(folder)
    check_bytes(tiny, folder)
    check_both_ended_trainings_were_sent_again_and_went_on(folder, output, ended)
    check_three_gpus_were_used_one_a_job(folder)
    check_light_jobs_ran_here_heavy_ones_on_the_node(output)
    done = snakemake(folder, "-n", "--cores", "1")
    assert "Nothing to be done" in done.stdout, done.stdout
    check_gres_only(folder)


def check_bytes(local, folder):
    here, there = contents(local), contents(folder)
    assert sorted(here) == sorted(there) and len(here) > 60
    assert [name for name in here if here[name] != there[name]] == []


def check_both_ended_trainings_were_sent_again_and_went_on(folder, output, ended):
    assert len(set(ended.values())) == 2
    assert output.count("Trying to restart job") >= 2
    for run in ended.values():
        log = (folder / f"logs/train/tiny/{run}.log").read_text()
        assert "going on from" in log, log
        assert read_json(folder / f"results/tiny/{run}/train-usage.json")["parts"] == 2
    others = set(folder.glob("results/tiny/*/*/*/train-usage.json"))
    others -= {folder / f"results/tiny/{run}/train-usage.json" for run in ended.values()}
    assert [read_json(path)["parts"] for path in others] == [1] * 6


def check_three_gpus_were_used_one_a_job(folder):
    logs = [*folder.glob("logs/train/**/*.log"), *folder.glob("logs/sample/**/*.log")]
    used = [re.search(r"CUDA_VISIBLE_DEVICES=(\S+) as given", log.read_text()) for log in logs]
    assert len(used) == 16 and {found.group(1) for found in used} == {"0", "1", "2"}


def check_light_jobs_ran_here_heavy_ones_on_the_node(output):
    """The logs of the two ended trainings are shown in between: there each is a `localrule`."""
    sent = set(re.findall(r"^rule (\w+):", output, flags=re.MULTILINE))
    here = set(re.findall(r"^localrule (\w+):", output, flags=re.MULTILINE))
    assert {"train", "sample", "classify", "measure_neighbors"} <= sent
    assert {"prepare", "split", "subset", "summarize", "plot_kappa"} <= here - sent
    assert sent & here <= {"train"}


def check_gres_only(folder):
    """The two lines of the profile taken out of their comment; chosen as `dvc repro` chooses it."""
    profile = folder / "workflow/profiles/slurm/profile.yaml"
    text, changes = re.subn(r"# (gres: '|gpu: 0)", r"\1", profile.read_text())
    assert changes == 2
    profile.write_text(text)
    sampled = "results/tiny/90-10/depth2/seed0/samples-ddim-4.npz"
    before = (folder / sampled).read_bytes()
    (folder / sampled).unlink()
    environment = {"SNAKEMAKE_PROFILE": "workflow/profiles/slurm", "DEPTHBIAS_DEVICES": "3"}
    done = snakemake(folder, *SITE, sampled, **environment)
    assert done.returncode == 0, done.stdout[-4000:]
    job = re.search(r"submitted with SLURM jobid (\d+)", done.stdout).group(1)
    shown = subprocess.run(
        ["scontrol", "show", "job", job], capture_output=True, text=True, check=True
    ).stdout
    assert "TresPerNode=gres:gpu:1" in shown and "TresPerJob" not in shown
    assert (folder / sampled).read_bytes() == before
