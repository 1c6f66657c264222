"""GPU leases: one job per device slot on this machine, without a scheduler. Imports no torch.

A lease is a file lock in a per-user folder; the kernel releases it when the process ends, however
it ends.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from depthbias.errors import UserError, explain

# Set by SLURM, LSF and PBS for a job that was given GPUs.
ALLOCATIONS = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "LSB_CUDA_VISIBLE_DEVICES", "PBS_GPUFILE")
POLL_SECONDS = 0.3


@contextmanager
def lease() -> Iterator[str]:
    """Hold a GPU for the block, alone; yields a description of what is used, for the log.

    Call it before torch is imported: it sets CUDA_VISIBLE_DEVICES. An existing value (also an empty
    one: the CPU) and a scheduler's allocation are left alone; without a GPU nothing is locked.
    Waits while all slots are taken. DEPTHBIAS_SLOTS: jobs a device may have at a time (1 unless
    set); DEPTHBIAS_DEVICES: number of stand-in devices to lease instead of those that nvidia-smi
    lists (for tests).
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        yield (
            f"CUDA_VISIBLE_DEVICES={given} as given"
            if given
            else "CPU, as CUDA_VISIBLE_DEVICES says"
        )
        return
    allocation = next((name for name in ALLOCATIONS if name in os.environ), None)
    if allocation:
        yield f"the scheduler's devices ({allocation}={os.environ[allocation]})"
        return
    devices = _devices()
    if not devices:
        yield "CPU, no GPU found"
        return
    device, lock = _wait_for_one(devices, _positive("DEPTHBIAS_SLOTS", 1))
    os.environ["CUDA_VISIBLE_DEVICES"] = device
    try:
        yield f"GPU {device}"
    finally:
        del os.environ["CUDA_VISIBLE_DEVICES"]
        lock.release()


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
    folder = Path(tempfile.gettempdir()) / f"depthbias-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise explain(error, folder) from error
    if folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder}: belongs to another user: set TMPDIR to a folder of your own")
    return folder


def _devices() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may name, one entry a device: UUIDs, for numbers change.

    A GPU that is divided (MIG) stands for its instances.
    """
    if os.environ.get("DEPTHBIAS_DEVICES"):
        return [str(number) for number in range(_positive("DEPTHBIAS_DEVICES", 1))]
    try:
        listing = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_listing(listing)


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
