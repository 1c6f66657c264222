"""GPU leases: one job per device slot on this machine, without a scheduler.

Torch is imported only once a lease is held.

A lease is a file lock in a per-user folder; the kernel releases it when the process ends, however
it ends.
"""

import getpass
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from filelock import FileLock, Timeout

from depthbias.system.cuda_sight import seen_by_cuda
from depthbias.system.errors import UserError, explain

if TYPE_CHECKING:
    import torch

# Set by SLURM, LSF and PBS for a job that was given GPUs.
ALLOCATIONS = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "LSB_CUDA_VISIBLE_DEVICES", "PBS_GPUFILE")
# Set where a scheduler started the job.
SCHEDULERS = ("SLURM_JOB_ID", "LSB_JOBID", "PBS_JOBID", *ALLOCATIONS)
ON_NODE = "SLURM_GPUS_ON_NODE"  # the only variable where SLURM counts GPUs without naming them
POLL_SECONDS = 0.3
NONE_FOUND = "CPU, no GPU found"


@contextmanager
def lease() -> Iterator[str]:
    """Hold a GPU for the block, alone; yields a description of what is used, for the log.

    Call it before torch is imported: it sets CUDA_VISIBLE_DEVICES. An existing value that names one
    device or none (empty: the CPU) and a scheduler's allocation are left alone; of several devices
    one is leased; a SLURM job that was given no GPU uses the CPU; without a GPU nothing is locked.
    Waits while all slots are taken. DEPTHBIAS_SLOTS: jobs a device may have at a time (1 unless
    set); DEPTHBIAS_DEVICES: number of stand-in devices to lease instead of those that nvidia-smi
    lists (for tests). Of divided GPUs (MIG) only instances that CUDA sees are leased.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    allocation = next((name for name in ALLOCATIONS if name in os.environ), None)
    if given == "":
        yield "CPU, as CUDA_VISIBLE_DEVICES says"
    elif given is not None and "," not in given:
        yield f"CUDA_VISIBLE_DEVICES={given} as given"
    elif given is None and allocation:
        yield f"the scheduler's devices ({allocation}={os.environ[allocation]})"
    elif given is None and "SLURM_JOB_ID" in os.environ and not os.environ.get(ON_NODE):
        with _visible(""):
            yield "CPU, SLURM gave this job no GPU"
    else:
        devices = _devices()
        divided = any(device.startswith("MIG") for device in devices)
        if given is not None:
            devices = [_uuid(entry.strip(), devices) for entry in given.split(",")]
        if divided:
            devices = _in_sight(devices)
        if devices:
            device, lock = _wait_for_one(devices, _positive("DEPTHBIAS_SLOTS", 1))
            try:
                with _visible(device):
                    yield f"GPU {device}"
            finally:
                lock.release()
        elif given is not None:
            yield f"CUDA_VISIBLE_DEVICES={given} as given"
        elif os.environ.get(ON_NODE):
            yield f"the scheduler's devices ({ON_NODE}={os.environ[ON_NODE]})"
        else:
            yield NONE_FOUND


@contextmanager
def computing(threads: int, *, exact: bool = False) -> "Iterator[torch.device]":
    """Hold a GPU as `lease` does, name it in the log, and yield the device on which torch computes.

    threads: of the CPU; exact: see `compute.choose_device`.
    """
    with lease() as leased:
        import torch

        from depthbias.system.compute import choose_device

        torch.set_num_threads(threads)
        device = choose_device(exact=exact)
        told = _on_cpu(leased) if device.type == "cpu" else leased
        print(f"device: {told}", file=sys.stderr, flush=True)
        yield device


def _on_cpu(leased: str) -> str:
    """What a log says where torch computes on the CPU; UserError where a scheduler gave a GPU."""
    from depthbias.system.compute import idle_gpu, why_no_gpu

    if leased == NONE_FOUND and idle_gpu():
        return f"{leased}; {idle_gpu()}"
    if leased.startswith("CPU") or _stand_ins():
        return leased
    told = f"CPU: {leased} was to be used, but {why_no_gpu()}"
    if scheduler := next((name for name in SCHEDULERS if os.environ.get(name)), None):
        raise UserError(
            f"{told}; {scheduler} is set, so a scheduler gave it to this job: repair torch or the "
            "driver, or ask for no GPU"
        )
    return told


@contextmanager
def _visible(devices: str) -> Iterator[None]:
    """CUDA_VISIBLE_DEVICES is `devices` in the block, afterwards what it was."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = devices
    try:
        yield
    finally:
        if before is None:
            del os.environ["CUDA_VISIBLE_DEVICES"]
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


def _wait_for_one(devices: list[str], slots: int) -> tuple[str, FileLock]:
    """The first device with a free slot, emptier devices first, and the lock that holds it."""
    folder = _folder()
    waiting = False
    while True:
        for slot in range(slots):
            for device in devices:
                lock = FileLock(folder / f"{re.sub(r'[^A-Za-z0-9-]', '_', device)}.{slot}.lock")
                try:
                    lock.acquire(timeout=0)
                    return device, lock
                except Timeout:
                    continue
        if not waiting:
            print(
                f"waiting for a GPU: all {len(devices) * slots} slots of {len(devices)} are taken",
                file=sys.stderr,
                flush=True,
            )
            waiting = True
        time.sleep(POLL_SECONDS)


def _folder() -> Path:
    """The folder of the locks; not in XDG_RUNTIME_DIR, which is removed at logout."""
    owner = os.getuid() if hasattr(os, "getuid") else getpass.getuser()  # of Windows
    folder = Path(tempfile.gettempdir()) / f"depthbias-{owner}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise explain(error, folder) from error
    if folder.stat().st_uid != owner and isinstance(owner, int):
        raise UserError(f"{folder}: belongs to another user: set TMPDIR to a folder of your own")
    return folder


def _devices() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may name, one entry a device: UUIDs, for numbers change.

    A GPU that is divided (MIG) stands for its instances.
    """
    if _stand_ins():
        return [str(number) for number in range(_positive("DEPTHBIAS_DEVICES", 1))]
    return parse_listing(_nvidia_smi("-L"))


def _stand_ins() -> bool:
    return bool(os.environ.get("DEPTHBIAS_DEVICES"))


def _in_sight(devices: list[str]) -> list[str]:
    """Those of the devices that CUDA sees, under one name each; all where it cannot be asked.

    nvidia-smi may list instances of other jobs, and a scheduler's numbers are none of its own.
    """
    found: dict[str, None] = {}
    for device in devices:
        seen = seen_by_cuda(device)
        if seen is None:
            found[device] = None
        elif seen:
            # By its own name, or what nvidia-smi calls the device of that number.
            found[device if "-" in device else f"MIG-{UUID(seen[0])}"] = None
    return list(found)


def _nvidia_smi(*words: str) -> str:
    """What nvidia-smi says; nothing where it is not there or fails."""
    command = ["nvidia-smi", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _uuid(entry: str, devices: list[str]) -> str:
    """What nvidia-smi calls the device that is number `entry`, so that all jobs lock one name.

    Numbers of divided GPUs are none of its numbers; they stay as they are.
    """
    numbers = entry.isdecimal() and not any(device.startswith("MIG") for device in devices)
    return devices[int(entry)] if numbers and int(entry) < len(devices) else entry


def driver_version() -> str:
    """The version of the NVIDIA driver, as nvidia-smi says; "unknown" where it says none."""
    told = _nvidia_smi("--query-gpu=driver_version", "--format=csv,noheader")
    return next(iter(told.split()), "unknown")


def parse_listing(listing: str) -> list[str]:
    """UUIDs in the output of `nvidia-smi -L`; a GPU with MIG instances is replaced by them."""
    found: list[str] = []
    for uuid in re.findall(r"\(UUID: ((?:GPU|MIG)-[^)]+)\)", listing):
        if uuid.startswith("MIG") and found and found[-1].startswith("GPU"):
            found.pop()
        found.append(uuid)
    return found


def _positive(name: str, default: int) -> int:
    text = os.environ.get(name, "") or str(default)
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise UserError(f"{name}={text}: must be a positive whole number")
