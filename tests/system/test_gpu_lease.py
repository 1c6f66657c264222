"""Device leases with stand-in devices: never shared, freed by the kernel, other claims kept."""

import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from conftest import ROOT, rules

from depthbias.system.cuda_sight import look
from depthbias.system.errors import UserError
from depthbias.system.gpu_lease import (
    ALLOCATIONS,
    ON_NODE,
    computing,
    driver_version,
    lease,
    parse_listing,
)

# Takes a lease, says so in a shared file (appends are atomic), holds it until a file "go" is there
# and a moment longer, says that it ends.
HOLDER = """
import os, sys, time
from depthbias.system.cuda_sight import look
from depthbias.system.errors import UserError
from depthbias.system.gpu_lease import (
    ALLOCATIONS,
    ON_NODE,
    computing,
    driver_version,
    lease,
    parse_listing,
)
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
with lease():
    device = os.environ["CUDA_VISIBLE_DEVICES"]
    os.write(log, f"+{device}\\n".encode())
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.01)
    time.sleep(0.05)
    os.write(log, f"-{device}\\n".encode())
assert "torch" not in sys.modules
"""


@pytest.fixture
def clean(monkeypatch, tmp_path):
    """No device claimed by anyone, no nvidia-smi, locks in a folder of this test."""
    own = ("CUDA_VISIBLE_DEVICES", "DEPTHBIAS_DEVICES", "DEPTHBIAS_SLOTS")
    for name in (*ALLOCATIONS, ON_NODE, "SLURM_JOB_ID", *own):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def hold(folder, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder / "events", folder / "go"],
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def events(folder):
    """What the holders have written, in order: "+0" for device 0 taken, "-0" for device 0 freed."""
    file = folder / "events"
    return file.read_text().split() if file.exists() else []


def wait_for_events(folder, number):
    deadline = time.monotonic() + 60
    while len(events(folder)) < number:
        assert time.monotonic() < deadline, "no lease was given"
        time.sleep(0.01)


def most_at_once(events):
    """For each device the largest number of holders at a time."""
    now, most = Counter(), Counter()
    for event in events:
        now[event[1:]] += 1 if event[0] == "+" else -1
        most[event[1:]] = max(most[event[1:]], now[event[1:]])
    return most


@pytest.mark.parametrize(("processes", "slots"), [(12, 1), (9, 2)])
def test_devices_are_shared_by_no_more_than_their_slots(clean, processes, slots):
    environment = {"DEPTHBIAS_DEVICES": "3", "DEPTHBIAS_SLOTS": str(slots)}
    children = [hold(clean, **environment) for _ in range(processes)]
    wait_for_events(clean, 3 * slots)
    assert Counter(events(clean)) == dict.fromkeys(["+0", "+1", "+2"], slots)
    (clean / "go").touch()
    for child in children:
        child.communicate(timeout=60)
    assert [child.returncode for child in children] == [0] * processes
    happened = events(clean)
    assert len(happened) == 2 * processes
    assert dict(most_at_once(happened)) == dict.fromkeys("012", slots)


def test_a_killed_holder_frees_its_device(clean):
    first = hold(clean, DEPTHBIAS_DEVICES="1")
    wait_for_events(clean, 1)
    second = hold(clean, DEPTHBIAS_DEVICES="1")
    assert second.stderr.readline().startswith("waiting for a GPU: all 1 slots of 1 are taken")
    assert events(clean) == ["+0"]
    first.kill()
    first.communicate()
    (clean / "go").touch()
    second.communicate(timeout=30)
    assert second.returncode == 0
    assert events(clean) == ["+0", "+0", "-0"]


# One of many jobs: writes when it takes and frees its device. It holds it until "go" is there and
# `length` seconds longer.
JOB = """
import os, sys, time
from depthbias.system.cuda_sight import look
from depthbias.system.errors import UserError
from depthbias.system.gpu_lease import (
    ALLOCATIONS,
    ON_NODE,
    computing,
    driver_version,
    lease,
    parse_listing,
)
folder, length = sys.argv[1:]
log = os.open(folder + "/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def note(what):
    text = f"{what} {os.environ['CUDA_VISIBLE_DEVICES']} {os.getpid()} {time.monotonic()}\\n"
    os.write(log, text.encode())
with lease():
    note("+")
    while not os.path.exists(folder + "/go"):
        time.sleep(0.01)
    time.sleep(float(length))
    note("-")
"""


def workflow(folder, lengths, at_once):
    """Run the jobs, `at_once` at a time, as `--resources gpu=N` does; None: kill -9 as holder.

    Returns when each killed one was killed: {process id: time}.
    """
    waiting, running, killed = list(lengths), {}, {}
    while waiting or running:
        while waiting and len(running) < at_once:
            length = waiting.pop()
            command = [sys.executable, "-c", JOB, folder, str(60 if length is None else length)]
            child = subprocess.Popen(command, env=os.environ | {"DEPTHBIAS_DEVICES": "3"})
            running[child] = length is None
        holders = {int(pid) for what, _, pid, _ in notes(folder) if what == "+"}
        for child in [c for c, doomed in running.items() if doomed and c.pid in holders]:
            if (folder / "go").exists() and child.pid not in killed:
                killed[child.pid] = time.monotonic()
                child.kill()
        for child in [c for c in running if c.poll() is not None]:
            assert child.returncode == (-9 if running.pop(child) else 0)
        time.sleep(0.02)
    return killed


def notes(folder):
    log = folder / "log"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def holdings(folder, killed):
    """{device: [(from, to) of each holder in order]}; a killed holder's end is its kill."""
    ends = {int(pid): float(when) for what, _, pid, when in notes(folder) if what == "-"} | killed
    found = {}
    for what, device, pid, when in notes(folder):
        if what == "+":
            found.setdefault(device, []).append((float(when), ends[int(pid)]))
    return {device: sorted(spans) for device, spans in found.items()}


def test_forty_jobs_of_two_workflows_with_holders_killed(clean):
    """40 jobs, 8 of them killed: never two on one of three devices, all three used."""
    dice = random.Random(0)
    lengths = [dice.uniform(0, 0.1) for _ in range(32)] + [None] * 8
    dice.shuffle(lengths)
    with ThreadPoolExecutor() as two:  # workflows that know nothing of each other, each for 3 GPUs
        halves = [two.submit(workflow, clean, lengths[i::2], 3) for i in range(2)]
        while len(notes(clean)) < 3 and not any(half.done() for half in halves):
            time.sleep(0.02)
        first = {device for _, device, _, _ in notes(clean)}
        (clean / "go").touch()
        killed = halves[0].result() | halves[1].result()
    assert first == {"0", "1", "2"}
    spans = holdings(clean, killed)
    assert set(spans) == {"0", "1", "2"} and sum(map(len, spans.values())) == 40
    assert len(killed) == 8
    for device, held in spans.items():
        for (_, end), (start, _) in pairwise(held):
            assert start >= end, f"device {device} was shared"


def test_rules_that_lease_are_those_that_count_as_gpu_jobs():
    leasing = {
        p.stem for p in (ROOT / "scripts").glob("*.py") if "with computing(" in p.read_text()
    }
    several = (ROOT / "scripts/measure_model.py").read_text()
    parts = set(re.findall(r"^import (measure_\w+)$", several, re.MULTILINE))
    assert len(parts) == 3 and parts < leasing  # they share a process and a job
    leasing.remove("bypass_pipeline")  # a person calls it, no rule
    found = rules("theory", "digits", "sweeps_mnist-sweep")
    counted = {name for name, text in found.items() if "gpu=1" in text}
    assert leasing - parts | {"measure_model"} == counted and {"train", "sample"} <= counted


def test_a_script_that_may_use_a_gpu_leases_it():
    """Whatever looks for CUDA, in a script or in what it imports first, runs under a lease."""
    for path in (ROOT / "scripts").glob("*.py"):
        text = path.read_text()
        if re.search(r"device|cuda", text):
            assert "with computing(" in text, path.name


@pytest.mark.parametrize("given", ["", "2", "GPU-2"])
def test_given_devices_are_left_alone(clean, monkeypatch, given):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    monkeypatch.setenv("DEPTHBIAS_DEVICES", "3")
    with lease() as description:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == given
        assert given in description
    assert os.environ["CUDA_VISIBLE_DEVICES"] == given
    assert not list(clean.glob("depthbias-*"))


def test_of_several_given_devices_one_is_leased(clean, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    monkeypatch.setenv("DEPTHBIAS_DEVICES", "3")
    with lease():
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "2"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
        with lease():
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,0"


def test_a_number_and_a_uuid_are_one_device(clean, monkeypatch):
    fake_nvidia_smi(clean, TWO_GPUS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    with lease():
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-bbbb-2"
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        with lease():
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-aaaa-1"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bbbb-2")


def test_a_slurm_job_without_a_gpu_takes_nobody_elses(clean, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("DEPTHBIAS_DEVICES", "3")
    with lease() as description:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
        assert description == "CPU, SLURM gave this job no GPU"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv(ON_NODE, "1")
    with lease() as description:
        assert description == "GPU 0"


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_a_schedulers_allocation_is_left_alone(clean, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv("DEPTHBIAS_DEVICES", "3")
    with lease() as description:
        assert "CUDA_VISIBLE_DEVICES" not in os.environ
        assert name in description


def test_without_a_gpu_the_cpu_is_used_and_nothing_locked(clean):
    with lease() as description:
        assert "CPU" in description
        assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert not list(clean.glob("depthbias-*"))


def fake_nvidia_smi(folder, text, status=0):
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {status}\n".replace("cat", "/bin/cat")
    )
    program.chmod(0o755)


TWO_GPUS = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2)"""


def test_gpus_are_named_by_uuid(clean):
    fake_nvidia_smi(clean, TWO_GPUS)
    with lease() as description:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-aaaa-1"
        assert "GPU-aaaa-1" in description
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_driver_that_fails_means_no_gpu(clean):
    fake_nvidia_smi(clean, "NVIDIA-SMI has failed", status=9)
    with lease() as description:
        assert "CPU" in description


def test_the_driver_is_what_nvidia_smi_says(clean):
    assert driver_version() == "unknown"
    fake_nvidia_smi(clean, "550.54.15\n550.54.15")
    assert driver_version() == "550.54.15"


def test_a_divided_gpu_stands_for_its_instances():
    listing = """\
GPU 0: NVIDIA A100 (UUID: GPU-aaaa)
  MIG 3g.20gb     Device  0: (UUID: MIG-1111)
  MIG 3g.20gb     Device  1: (UUID: MIG-2222)
GPU 1: NVIDIA A100 (UUID: GPU-bbbb)"""
    assert parse_listing(listing) == ["MIG-1111", "MIG-2222", "GPU-bbbb"]
    assert parse_listing("No devices found.") == []


@pytest.mark.parametrize("name", ["DEPTHBIAS_DEVICES", "DEPTHBIAS_SLOTS"])
@pytest.mark.parametrize("value", ["0", "-1", "two"])
def test_numbers_that_are_none(clean, monkeypatch, name, value):
    monkeypatch.setenv("DEPTHBIAS_DEVICES", "1")
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=name), lease():
        pass


def test_the_lock_folder_is_private(clean, monkeypatch):
    monkeypatch.setenv("DEPTHBIAS_DEVICES", "1")
    with lease():
        pass
    [folder] = clean.glob("depthbias-*")
    assert folder.stat().st_mode & 0o077 == 0


def test_an_emptier_device_comes_first(clean, monkeypatch):
    monkeypatch.setenv("DEPTHBIAS_DEVICES", "2")
    monkeypatch.setenv("DEPTHBIAS_SLOTS", "2")
    with lease():
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        with lease():
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")


# ---- a GPU that torch cannot use, divided GPUs, other systems -----------------------------------

MIG = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1)
  MIG 3g.20gb     Device  0: (UUID: MIG-11111111-1111-1111-1111-111111111111)
  MIG 3g.20gb     Device  1: (UUID: MIG-22222222-2222-2222-2222-222222222222)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2)
  MIG 3g.20gb     Device  0: (UUID: MIG-33333333-3333-3333-3333-333333333333)"""
INSTANCES = parse_listing(MIG)

UNUSABLE = [
    ({"CUDA_VISIBLE_DEVICES": "7"}, "CUDA_VISIBLE_DEVICES=7 as given was to be used"),
    ({"CUDA_VISIBLE_DEVICES": "GPU-x"}, "CUDA_VISIBLE_DEVICES=GPU-x as given was to be used"),
    ({"CUDA_VISIBLE_DEVICES": "1,0"}, "GPU GPU-bbbb-2 was to be used"),
    ({}, "GPU GPU-aaaa-1 was to be used"),
]
TORCHES = [
    (None, "2.6.0+cpu", "torch 2.6.0+cpu is a build for the CPU"),
    ("12.4", "2.6.0", "torch 2.6.0 (CUDA 12.4) finds no device: the driver is too old"),
]


@pytest.fixture
def unusable(clean, monkeypatch):
    """A machine whose nvidia-smi lists two GPUs, and a torch that finds none."""
    fake_nvidia_smi(clean, TWO_GPUS)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    return monkeypatch


@pytest.mark.parametrize(("given", "leased"), UNUSABLE, ids=[w for _, w in UNUSABLE])
@pytest.mark.parametrize(("cuda", "version", "why"), TORCHES, ids=["CPU build", "driver"])
def test_a_gpu_that_torch_cannot_use_is_told_in_one_line(
    unusable, capsys, given, leased, cuda, version, why
):
    unusable.setattr("torch.version.cuda", cuda)
    unusable.setattr("torch.__version__", version)
    for name, value in given.items():
        unusable.setenv(name, value)
    with computing(1) as device:
        assert device.type == "cpu"
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"device: CPU: {leased}, but ") and why in line


@pytest.mark.parametrize("scheduler", ["SLURM_JOB_GPUS", "LSB_JOBID", "PBS_JOBID", "SLURM_JOB_ID"])
def test_under_a_scheduler_it_stops_the_job(unusable, capsys, scheduler):
    unusable.setenv("CUDA_VISIBLE_DEVICES", "0")
    unusable.setenv(scheduler, "3")
    told = rf"^CPU: .*=0 as given .*; {scheduler} is set"
    with pytest.raises(UserError, match=told), computing(1):
        pass


@pytest.mark.parametrize(
    "environment", [{ON_NODE: "1"}, {"CUDA_VISIBLE_DEVICES": "0,1"}], ids=["counted", "numbers"]
)
def test_a_scheduler_whose_gpus_nobody_sees_stops_the_job(clean, monkeypatch, environment):
    fake_nvidia_smi(clean, MIG)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("depthbias.system.gpu_lease.seen_by_cuda", lambda visible: [])
    monkeypatch.setenv("SLURM_JOB_ID", "3")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    told = "^CPU: .* was to be used, .*; SLURM_JOB_ID is set"
    with pytest.raises(UserError, match=told), computing(1):
        pass


@pytest.mark.parametrize(
    "environment",
    [{"CUDA_VISIBLE_DEVICES": "", "SLURM_JOB_ID": "3"}, {"SLURM_JOB_ID": "3"}],
    ids=["told so", "no GPU given"],
)
def test_a_job_without_a_gpu_computes_on_the_cpu(unusable, capsys, environment):
    for name, value in environment.items():
        unusable.setenv(name, value)
    with computing(1) as device:
        assert device.type == "cpu"
    assert re.match(r"device: CPU, .* (says|no GPU)\n$", capsys.readouterr().err)


def test_an_apple_gpu_is_said_not_to_be_used(clean, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    with computing(1) as device:
        assert device.type == "cpu"
    told = "device: CPU, no GPU found; the Apple GPU is not used, as it has no float64\n"
    assert capsys.readouterr().err == told


@pytest.fixture
def divided(clean, monkeypatch):
    """SLURM gave instances 2 and 3 of three, as CUDA's numbers 0 and 1; nvidia-smi lists all."""
    fake_nvidia_smi(clean, MIG)
    monkeypatch.setenv("SLURM_JOB_ID", "3")

    def seen(visible):
        mine = {"0": INSTANCES[1], "1": INSTANCES[2]} | {name: name for name in INSTANCES[1:]}
        return [mine[visible].removeprefix("MIG-").replace("-", "")] if visible in mine else []

    monkeypatch.setattr("depthbias.system.gpu_lease.seen_by_cuda", seen)
    return monkeypatch


@pytest.mark.parametrize(
    "environment",
    [
        {"CUDA_VISIBLE_DEVICES": "0,1"},  # the scheduler's numbers
        {"CUDA_VISIBLE_DEVICES": ",".join(INSTANCES[1:])},
        {"CUDA_VISIBLE_DEVICES": "1,0", "SLURM_JOB_GPUS": "4,5"},
        {ON_NODE: "2"},  # counted, not named
    ],
    ids=["numbers", "UUIDs", "other numbers", "counted"],
)
def test_of_divided_gpus_those_are_leased_that_cuda_sees(divided, environment):
    for name, value in environment.items():
        divided.setenv(name, value)
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    with lease():
        first = os.environ["CUDA_VISIBLE_DEVICES"]
        divided.delenv("CUDA_VISIBLE_DEVICES")
        if given:
            divided.setenv("CUDA_VISIBLE_DEVICES", given)
        with lease():
            second = os.environ["CUDA_VISIBLE_DEVICES"]
        divided.setenv("CUDA_VISIBLE_DEVICES", first)
    assert {first, second} == set(INSTANCES[1:])


def test_where_cuda_cannot_be_asked_all_instances_are_taken_for_real(divided):
    divided.setattr("depthbias.system.gpu_lease.seen_by_cuda", lambda visible: None)
    divided.setenv(ON_NODE, "3")
    with lease() as description:
        assert description == f"GPU {INSTANCES[0]}"


def test_without_a_driver_cuda_cannot_be_asked(monkeypatch):
    monkeypatch.setattr("depthbias.system.cuda_sight.LIBRARIES", ("libnothing.so.1",))
    with pytest.raises(StopIteration):
        look()


class FakeCuda:
    """Stands for the library of the driver: two devices, or none."""

    def __init__(self, count):
        self.count = count

    def cuInit(self, flags):
        return 0 if self.count else 100

    def cuDeviceGetCount(self, count):
        count._obj.value = self.count

    def cuDeviceGet(self, device, ordinal):
        device._obj.value = ordinal

    def cuDeviceGetUuid_v2(self, told, device):
        told[:] = bytes([device.value + 1] * 16)


@pytest.mark.parametrize("count", [0, 2])
def test_the_driver_tells_what_cuda_sees(monkeypatch, count):
    monkeypatch.setattr("depthbias.system.cuda_sight._load", lambda name: FakeCuda(count))
    assert look() == ["01" * 16, "02" * 16][:count]


def test_locks_need_no_user_number(clean, monkeypatch):
    """Windows has no os.getuid."""
    monkeypatch.delattr("os.getuid")
    monkeypatch.setattr("getpass.getuser", lambda: "somebody")
    monkeypatch.setenv("DEPTHBIAS_DEVICES", "1")
    with lease() as description:
        assert description == "GPU 0"
    assert [folder.name for folder in clean.glob("depthbias-*")] == ["depthbias-somebody"]
