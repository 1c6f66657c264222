"""Full disks, read-only folders, broken downloads: one line, nothing lost, then it goes on."""

import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, TINY

from depthbias.system.downloads import download
from depthbias.system.errors import UserError
from depthbias.system.files import check_writable, replacing, write_json, write_npz

TRAINING = TINY["studies"]["tiny"]["training"] | {"budget": 96, "log_every": 48}


def script(name, *words, **flags):
    """Run scripts/<name>.py as a job would be run; (exit status, standard error)."""
    for key, value in flags.items():
        values = value if isinstance(value, list) else [value]
        words = (*words, f"--{key.replace('_', '-')}", *map(str, values))
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / f"{name}.py", *words],
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "DEPTHBIAS_SAVE_SECONDS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"needs root to mount a small disk: {done.stderr.decode().strip()}")


@pytest.fixture
def disk(tmp_path):
    """A disk of 3 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder, spare):
    """Use up the disk but for `spare` bytes; the file to delete to make room again."""
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(max(0, file.tell() // 4096 * 4096 - spare))
    return folder / "filler"


def assert_one_error(text, *words):
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and text.splitlines()[-1] == lines[0], text
    assert all(word in lines[0] for word in words), lines[0]
    assert "Traceback" not in text


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Images, a subset, a trained model, and samples of it made where there is room."""
    folder = tmp_path_factory.mktemp("inputs")
    images = np.random.default_rng(0).integers(0, 255, (20, 8, 8, 1), np.uint8)
    write_npz(folder / "images.npz", {"images": images}, compress=False)
    subset = {"ratio": "90-10", "seed": 0, "classes": ["six", "nine"]}
    subset |= {"indices": list(range(20)), "labels": [0] * 18 + [1] * 2}
    write_json(folder / "subset.json", subset)
    rows = {"six": [0, 1], "nine": [18]}
    split = {"classes": ["six", "nine"], "population": [9, 9], "images": "0f"}
    split |= dict.fromkeys(["pool", "calibration", "control"], rows)
    write_json(folder / "split.json", split)
    code, text = train(folder, folder)
    assert code == 0, text
    code, text = sample(folder, folder)
    assert code == 0, text
    return folder


RUN = json.dumps({"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "0"})


def train(inputs, output):
    return script(
        "train",
        images=inputs / "images.npz",
        subset=inputs / "subset.json",
        split=inputs / "split.json",
        run=RUN,
        width=0.25,
        model=output / "model.safetensors",
        meta=output / "model.json",
        kept_snapshots=output / "snapshots.safetensors",
        log=output / "train.csv",
        usage=output / "train-usage.json",
        **TRAINING,
    )


def sample(inputs, output):
    return script(
        "sample",
        model=inputs / "model.safetensors",
        meta=inputs / "model.json",
        sampler="ddim",
        steps=4,
        count=600,
        noise_seed=0,
        batch_size=300,
        run=RUN,
        output=output / "samples.npz",
        usage=output / "samples-usage.json",
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_training_on_a_full_disk_goes_on_when_there_is_room(inputs, disk):
    """Neither a resume point nor the weights (260 kB) fit; what was there stays."""
    (disk / "earlier").write_bytes(b"results")
    filler = fill(disk, 100_000)
    code, text = train(inputs, disk)
    assert code == 1
    assert "no resume point saved" in text
    assert_one_error(text, "model.safetensors: cannot write: the disk is full: free some space")
    assert names(disk) == ["earlier", "filler"]
    assert (disk / "earlier").read_bytes() == b"results"
    filler.unlink()
    assert train(inputs, disk)[0] == 0
    weights = [(folder / "model.safetensors").read_bytes() for folder in (disk, inputs)]
    assert weights[0] == weights[1]
    made = ["model.json", "model.safetensors", "snapshots.safetensors", "train-usage.json"]
    assert names(disk) == ["earlier", *made, "train.csv"]


def test_sampling_on_a_full_disk_leaves_the_earlier_samples(inputs, disk):
    (disk / "samples.npz").write_bytes(b"earlier samples")
    filler = fill(disk, 8192)
    code, text = sample(inputs, disk)
    assert code == 1
    assert_one_error(text, "samples.npz: cannot write: the disk is full")
    assert (disk / "samples.npz").read_bytes() == b"earlier samples"
    assert names(disk) == ["filler", "samples.npz"]
    filler.unlink()
    assert sample(inputs, disk)[0] == 0
    assert (disk / "samples.npz").read_bytes() == (inputs / "samples.npz").read_bytes()


def test_a_disk_without_a_byte_left_is_found_before_the_work(inputs, disk):
    fill(disk, 0)
    for made, work in ((train, "training"), (sample, "sampling")):
        code, text = made(inputs, disk)
        assert code == 1 and f"{work} depth2" not in text
        assert_one_error(text, "the disk is full")
    assert names(disk) == ["filler"]


def test_a_read_only_disk_is_found_before_the_work(inputs, disk):
    (disk / "samples.npz").write_bytes(b"earlier samples")
    mount("-o", "remount,ro", disk)
    for made, work in ((train, "training"), (sample, "sampling")):
        code, text = made(inputs, disk)
        assert code == 1 and f"{work} depth2" not in text
        assert_one_error(text, "the file system is read-only: choose a folder")
    assert names(disk) == ["samples.npz"]


def losses(inputs, folder):
    return script(
        "plot_losses",
        study="s",
        logs=inputs / "train.csv",
        output=[folder / "losses.svg", folder / "losses.png"],
    )


def test_a_figure_on_a_full_disk_leaves_the_earlier_one(inputs, disk):
    (disk / "losses.svg").write_bytes(b"an earlier figure")
    filler = fill(disk, 4096)
    code, text = losses(inputs, disk)
    assert code == 1
    assert_one_error(text, "losses.svg: cannot write: the disk is full")
    assert (disk / "losses.svg").read_bytes() == b"an earlier figure"
    filler.unlink()
    assert losses(inputs, disk)[0] == 0
    assert names(disk) == ["losses.png", "losses.svg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="permission denied"):
        check_writable(tmp_path / "new" / "model.safetensors")


# Killed while writing or downloading


def killed_when(condition, program, *arguments):
    """Run a Python program and kill -9 it as soon as `condition` holds."""
    child = subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], cwd=ROOT)
    while not condition():
        assert child.poll() is None, "it ended early"
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    return child.pid


WRITING = """
import sys, time
from depthbias.system.files import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("half of")
    time.sleep(600)
"""


def test_what_a_kill_leaves_of_a_file_is_removed_by_the_next_writer(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("the earlier one")
    alive = tmp_path / f".a.txt.{os.getppid()}.tmp"  # of a process that is still writing
    other = tmp_path / ".b-a.txt.1.tmp"
    alive.touch()
    other.touch()
    pid = killed_when(lambda: len(names(tmp_path)) == 4, WRITING, path)
    assert (tmp_path / f".a.txt.{pid}.tmp").exists()
    assert path.read_text() == "the earlier one"
    with replacing(path) as temporary:
        temporary.write_text("the new one")
    assert path.read_text() == "the new one"
    assert set(tmp_path.iterdir()) == {path, alive, other}


CONTENT = bytes(range(256)) * 4000


class Stalling(http.server.BaseHTTPRequestHandler):
    """Sends half of the file and stops, until `whole` is set."""

    whole = threading.Event()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2])
        self.whole.wait(60)
        self.wfile.write(CONTENT[len(CONTENT) // 2 :])

    def log_message(self, *_):
        pass


DOWNLOADING = """
import sys
from pathlib import Path
from depthbias.system.downloads import download
download(Path(sys.argv[1]), [sys.argv[2]], sys.argv[3])
"""


def test_a_killed_download_starts_over(tmp_path, monkeypatch):
    """kill -9 in the middle: no file of that name; the next run fetches the whole one."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    path, md5 = tmp_path / "raw" / "file.gz", hashlib.md5(CONTENT).hexdigest()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Stalling))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    mirror = f"http://127.0.0.1:{server.server_address[1]}/"

    def half():
        return any(p.stat().st_size > 400_000 for p in Path(tmp_path).rglob("*.tmp"))

    killed_when(half, DOWNLOADING, path, mirror, md5)
    assert not path.exists()
    Stalling.whole.set()
    download(path, [mirror], md5)
    server.shutdown()
    server.server_close()
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["file.gz"]
