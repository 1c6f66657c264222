"""Print the table of paired speed measurements; --write also puts it into docs/benchmarks.md."""

import argparse
import os
import platform
import sys
from functools import partial
from pathlib import Path

import diffusers
import numpy as np
import torch

from benchmarks import sampling, training
from benchmarks.turns import table
from depthbias.system.compute import choose_device, choose_precision, describe_device
from depthbias.system.errors import UserError, command
from depthbias.system.files import write_text

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
MARKS = ("<!-- table -->\n", "<!-- end of table -->\n")


def machine(device: torch.device) -> str:
    """What the table was measured on, and with what."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), cpu)
    gpu = f"{describe_device(device)}, " if device.type == "cuda" else ""
    return (
        f"Measured on {gpu}{cpu}, threads: {torch.get_num_threads()}; "
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"diffusers {diffusers.__version__}, numpy {np.__version__}; "
        f"load when it started: {os.getloadavg()[0]:.1f}."
    )


def measurements(device: torch.device) -> list[partial]:
    """The rows of the table; batches and turns that suit the device."""
    fast = device.type == "cuda"
    precision = choose_precision("auto", device)
    images = {"size": 32, "channels": 3, "width": 1.0, "turns": 7, "device": device}
    batches = {"batch": 512, "steps": 10} if fast else {"batch": 16, "steps": 4}
    drawn = {"batch": 512, "steps": 50} if fast else {"batch": 16, "steps": 10}
    small = images | drawn | {"size": 8, "channels": 1, "width": 0.5, "batch": 250}
    return [
        *(
            partial(training.measure, unet, **images, **batches, precision=precision)
            for unet in ("depth2", "depth4")
        ),
        *(partial(sampling.measure, unet, **images, **drawn) for unet in ("depth2", "depth4")),
        partial(sampling.measure, "depth2", **small),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    args = parser.parse_args()
    device = choose_device()
    if device.type == "cpu":
        torch.set_num_threads(1)  # as the workflow's jobs, of which every core runs one
    where, rows = machine(device), []
    for measure in measurements(device):
        print(f"{measure.func.__module__} {measure.args[0]} ...", file=sys.stderr, flush=True)
        rows.append(measure())
        print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    text = f"{table(rows)}\n\n{where}\n"
    print(text)
    if args.write:
        before, mark, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
        _, end, after = rest.partition(MARKS[1])
        if not (mark and end):
            raise UserError(f"{PAGE}: has no lines {MARKS[0].strip()} and {MARKS[1].strip()}")
        write_text(PAGE, before + mark + text + end + after)


if __name__ == "__main__":
    command(main)
