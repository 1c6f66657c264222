"""What a job took: device, driver, precision, time and memory, over all parts of one interrupted.

It depends on the machine and the moment, so it stands in a file of its own, never in a model's.
"""

import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch

from depthbias.system.compute import describe_device
from depthbias.system.gpu_lease import driver_version

SUMS = ("wall_seconds", "device_seconds", "parts")


class Meter:
    """Measures from its making on; make it when the device has been chosen.

    wall_seconds: by the clock. device_seconds: of a GPU from the first to the last work on it, as
    it counts itself; of the CPU the seconds that all threads computed. peak_memory_bytes: of a GPU
    the most that tensors took at a time; of the CPU the most main memory the process had. parts:
    processes that did the job, 1 unless it was interrupted.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._earlier: dict[str, float] = {}
        self._wall, self._cpu = time.monotonic(), time.process_time()
        self._first = self._mark() if device.type == "cuda" else None

    def _mark(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def add(self, earlier: dict[str, float]) -> None:
        """Count in what an interrupted part of the same job had spent."""
        self._earlier = dict(earlier)

    def spent(self) -> dict[str, float]:
        """What was spent until now, by name (see the class); waits for a GPU."""
        if self._first is None:
            seconds = time.process_time() - self._cpu
            unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        else:
            last = self._mark()
            last.synchronize()
            seconds = self._first.elapsed_time(last) / 1000
            memory = torch.cuda.max_memory_allocated(self.device)
        now = {
            "wall_seconds": time.monotonic() - self._wall,
            "device_seconds": seconds,
            "peak_memory_bytes": memory,
            "parts": 1,
        }
        summed = {name: now[name] + self._earlier.get(name, 0) for name in SUMS}
        most = max(memory, self._earlier.get("peak_memory_bytes", 0))
        return now | summed | {"peak_memory_bytes": most}

    def record(self, precision: str) -> dict[str, Any]:
        """The whole record: the machine, the precision (fp32, tf32, bf16) and what was spent."""
        gpu = self.device.type == "cuda"
        return {
            "device": describe_device(self.device) if gpu else processor_name(),
            "driver": driver_version() if gpu else "",
            "precision": precision,
            **{k: round(v, 3) for k, v in self.spent().items()},
        }


def processor_name(file: Path = Path("/proc/cpuinfo")) -> str:
    """The processor as Linux calls it, elsewhere its architecture."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else f"CPU ({platform.machine()})"
