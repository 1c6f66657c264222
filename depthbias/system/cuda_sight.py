"""What CUDA sees, asked in a process of its own, as CUDA looks at its variables only once."""

import ctypes
import os
import subprocess
import sys
import uuid

LIBRARIES = ("libcuda.so.1", "nvcuda.dll")
UNKNOWN = 3  # exit status: there is no CUDA to ask


def seen_by_cuda(visible: str) -> list[str] | None:
    """UUIDs (32 hex digits) of what CUDA sees, in its order; None if it cannot be asked.

    visible: the value of CUDA_VISIBLE_DEVICES. Of a divided GPU (MIG) they are its instances'.
    """
    command = [sys.executable, "-m", "depthbias.system.cuda_sight"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": visible}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split() if done.returncode == 0 else None


def look() -> list[str]:
    """The UUIDs of the devices of this process; OSError or AttributeError without a driver."""
    cuda = next(library for library in map(_load, LIBRARIES) if library is not None)
    if cuda.cuInit(0):
        return []  # such as 100: no device
    count = ctypes.c_int()
    cuda.cuDeviceGetCount(ctypes.byref(count))
    ask = getattr(cuda, "cuDeviceGetUuid_v2", None) or cuda.cuDeviceGetUuid
    found = []
    for ordinal in range(count.value):
        device, told = ctypes.c_int(), (ctypes.c_ubyte * 16)()
        cuda.cuDeviceGet(ctypes.byref(device), ordinal)
        ask(told, device)
        found.append(uuid.UUID(bytes=bytes(told)).hex)
    return found


def _load(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


if __name__ == "__main__":
    try:
        print(*look(), sep="\n")
    except (OSError, AttributeError, StopIteration):
        sys.exit(UNKNOWN)
