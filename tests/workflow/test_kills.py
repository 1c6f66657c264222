"""kill -9 at random moments: the rerun ends with the bytes of an undisturbed run."""

import copy
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import SNAKEMAKE, TINY, contents, copy_checkout, run_once, snakemake

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for jobs in /proc"),
]

MOMENTS = 10


def smallest():
    """The tiny study with one ratio, one seed and the least work that every rule accepts."""
    params = copy.deepcopy(TINY)
    study = params["studies"]["tiny"]
    study.update(ratios=["90-10"], seeds=[0], subset_size=20)
    study["classifier"].update(budget=6000)
    study["sampling"].update(images=20, batch_size=20)
    study["structure"].update(samples=70, pairs=5, noisy_images=10)
    study["flips"] = {"levels": [5], "images": 4, "sampler": "ddim-2"}
    study["denoising"] = {"sigmas": [0.5, 5], "heldout_images": 8, "training_images": 8}
    return params


@pytest.fixture(scope="module")
def whole(tmp_path_factory, worker_id):
    """The results of an undisturbed run."""

    def make(folder):
        done = snakemake(copy_checkout(folder, smallest()), "--cores", "2")
        assert done.returncode == 0, done.stdout[-4000:]

    return contents(run_once(tmp_path_factory, worker_id, "undisturbed", make))


def jobs(folder):
    """{process: script} of the jobs that run in `folder`."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = (process / "cwd").readlink() == folder
        except OSError:  # it has ended
            continue
        if here and len(words) > 1 and b"/scripts/" in words[1]:
            found[int(process.name)] = Path(words[1].decode()).stem
    return found


class Run:
    """Snakemake, or what starts it, in a process group of its own, its output in a file."""

    def __init__(self, folder, command=(*SNAKEMAKE, "--nocolor", "--cores", "2")):
        self.folder, self.log, self.seen = folder, folder / "output.txt", set(jobs(folder))
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def next_jobs(self, count):
        """Wait until `count` more jobs have started; the last one, None if the run ends before."""
        while True:
            over = self.process.poll() is not None
            for pid, script in jobs(self.folder).items():
                if pid not in self.seen:
                    self.seen.add(pid)
                    count -= 1
                    if count <= 0:
                        return pid, script
            if over:
                return None
            time.sleep(0.02)

    def finished(self):
        """{output: time of change} of the jobs whose end Snakemake has reported."""
        text = self.log.read_text()
        outputs = dict(re.findall(r"output: (.+)\n(?:.+\n)*?    jobid: (\d+)\n", text))
        ended = set(re.findall(r"^Finished jobid: (\d+) ", text, flags=re.MULTILINE))
        names = [n for made, job in outputs.items() if job in ended for n in made.split(", ")]
        names = [name.removesuffix(" (report)") for name in names]
        return {name: (self.folder / name).stat().st_mtime_ns for name in names}


def finish(folder, whole, kept):
    """Run to the end: the results are those of the undisturbed run, finished ones not made anew."""
    done = snakemake(folder, "--cores", "2")
    assert done.returncode == 0, done.stdout[-4000:]
    found = contents(folder)
    assert sorted(found) == sorted(whole)
    assert [name for name in found if found[name] != whole[name]] == []
    assert kept, "nothing was finished before the last kill"
    again = {name: (folder / name).stat().st_mtime_ns for name in kept}
    assert {name for name in kept if again[name] != kept[name]} == set()
    assert "Nothing to be done" in snakemake(folder, "-n", "--cores", "1").stdout


def test_killed_jobs_are_made_again(whole, tmp_path):
    """Any job, up to three seconds after its start; the others go on, the same command goes on."""
    moments, killed = random.Random(1), []
    while len(killed) < MOMENTS:  # where a study ends before that, the next one goes on
        folder = copy_checkout(tmp_path / f"study{len(killed)}", smallest())
        kept, code = {}, 1
        while len(killed) < MOMENTS and code:
            run, before = Run(folder), len(killed)
            while len(killed) < MOMENTS and (started := run.next_jobs(moments.randint(1, 5))):
                time.sleep(moments.uniform(0, 3))
                pid, script = started
                if pid in jobs(folder):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(script)
            code = run.process.wait(300)
            assert code == int(len(killed) > before), run.log.read_text()[-4000:]
            kept |= run.finished()
        finish(folder, whole, kept)
    print("killed:", *killed)
    assert len(set(killed)) >= 5


def test_killed_snakemake_goes_on_after_unlock(whole, tmp_path):
    """Snakemake alone, whose jobs then live on, and in turn the whole process group."""
    folder, moments = copy_checkout(tmp_path / "study", smallest()), random.Random(2)
    running, kept = [], {}
    for moment in range(MOMENTS):
        run = Run(folder)
        assert run.next_jobs(moments.randint(1, 5)), run.log.read_text()[-4000:]
        time.sleep(moments.uniform(0, 2))
        running.append("+".join(sorted(jobs(folder).values())) or "none")
        kill = os.kill if moment % 2 == 0 else os.killpg
        kill(run.process.pid, signal.SIGKILL)
        assert run.process.wait(60) == -signal.SIGKILL
        kept |= run.finished()
        if moment == 0:
            assert "cannot be locked" in snakemake(folder, "--cores", "2").stdout
        assert snakemake(folder, "--unlock").returncode == 0
    print("running when killed:", *running)
    finish(folder, whole, kept)
