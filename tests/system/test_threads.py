"""No library takes more threads than a job was given."""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT, copy_checkout, snakemake
from data.pictures import own_folder

from depthbias.system.threads import VARIABLES, one_thread_each

# In a folder on PYTHONPATH: every program says at its end which pools of threads it had.
COUNTER = """
import atexit, json, os, sys


def count():
    if "threadpoolctl" in sys.modules or "numpy" in sys.modules:
        import threadpoolctl

        pools = {p["internal_api"]: p["num_threads"] for p in threadpoolctl.threadpool_info()}
        if "torch" in sys.modules:
            pools["torch"] = sys.modules["torch"].get_num_threads()
        line = json.dumps([os.path.basename(sys.argv[0] or "-"), pools]) + "\\n"
        log = os.open(os.environ["COUNTED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(log, line.encode())


atexit.register(count)
"""


@pytest.fixture
def counting(tmp_path, monkeypatch):
    """Programs count their threads; nothing else limits them."""
    (tmp_path / "sitecustomize.py").write_text(COUNTER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return lambda: [json.loads(line) for line in (tmp_path / "counted").read_text().splitlines()]


@pytest.mark.skipif(os.cpu_count() < 2, reason="one core has one thread in any case")
def test_without_a_limit_the_libraries_take_all_cores(counting):
    """Else the tests below could not fail."""
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    [[_, pools]] = counting()
    assert max(pools.values()) == min(os.cpu_count(), 64)


@pytest.mark.slow
def test_jobs_have_the_threads_of_their_rules(counting, tmp_path):
    folder = copy_checkout(tmp_path / "study")
    model = "results/tiny/90-10/depth2/seed0/model.safetensors"
    targets = (model, "results/tiny/parameters.csv")
    done = snakemake(folder, "--cores", "2", *targets, PATH=os.environ["PATH"])
    assert done.returncode == 0, done.stdout
    scripts = {path.name for path in (folder / "scripts").glob("*.py")}  # not Snakemake itself
    counted = {name: pools for name, pools in counting() if name in scripts}
    assert {"train.py", "split.py", "subset.py", "write_architectures.py"} <= counted.keys()
    assert counted["train.py"]["torch"] == 1
    for name, pools in counted.items():
        most = 2 if name == "prepare.py" else 1  # whose rule has four, or as many as there are
        assert max(pools.values()) <= most, (name, pools)


DECODER = """
import sys
from pathlib import Path

import depthbias.data.photos as photos
import sitecustomize

decode_block = photos._decode_block


def counted(*given):  # in a worker, whose words are those of its parent
    sys.argv[0] = "worker"
    sitecustomize.count()
    return decode_block(*given)


photos._decode_block, photos.BLOCK = counted, 1
if __name__ == "__main__":
    paths = [(str(path), path) for path in Path(sys.argv[1]).rglob("*.png")]
    assert len(list(photos.decode_stream(paths, 8, 1, 2))) == 3
"""


def test_decoders_have_one_thread_each(counting, tmp_path):
    (tmp_path / "decode.py").write_text(DECODER)
    subprocess.run([sys.executable, tmp_path / "decode.py", own_folder(tmp_path)], check=True)
    workers = [pools for name, pools in counting() if name == "worker"]
    assert len(workers) >= 3 and all(workers)  # three blocks, and the end of each worker
    assert {threads for pools in workers for threads in pools.values()} == {1}


@pytest.mark.parametrize("before", [None, "7"])
def test_the_limits_are_put_back(monkeypatch, before):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        if before:
            monkeypatch.setenv(name, before)
    with one_thread_each():
        assert {os.environ[name] for name in VARIABLES} == {"1"}
    assert {os.environ.get(name) for name in VARIABLES} == {before}
