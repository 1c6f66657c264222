"""Where torch computes, in which precision and memory layout: decided here only."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

# From Ampere on bf16 has tensor cores; it has the range of fp32, so the loss needs no scaling.
BF16_CAPABILITY = (8, 0)
# Where float32 may be rounded to TF32.
TF32: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)


@dataclass(frozen=True)
class Precision:
    """fp32, or bf16 autocast (weights and sums stay fp32), and why."""

    name: str
    reason: str

    def autocast(self, device: torch.device) -> AbstractContextManager[None]:
        """The context for forward passes on `device`."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.name == "bf16")


def choose_device(*, exact: bool = False) -> torch.device:
    """CUDA if there is any, else the CPU.

    On CUDA float32 is rounded to TF32, and convolutions are chosen by trial. With `exact`, for
    measurements, neither is done: TF32 is off by 1e-3, and trials may end in another choice.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    for place in TF32:
        place.allow_tf32 = not exact
    torch.backends.cudnn.benchmark = not exact
    return torch.device("cuda")


@contextmanager
def without_tf32() -> Iterator[None]:
    """In the block float32 products and convolutions on a GPU are not rounded to TF32."""
    before = [place.allow_tf32 for place in TF32]
    for place in TF32:
        place.allow_tf32 = False
    try:
        yield
    finally:
        for place, value in zip(TF32, before, strict=True):
            place.allow_tf32 = value


def choose_precision(requested: str, device: torch.device) -> Precision:
    """requested: auto, fp32 or bf16; auto is bf16 on GPUs of compute capability 8.0 and up."""
    if requested != "auto":
        return Precision(requested, "as asked")
    if device.type != "cuda":
        return Precision("fp32", "bf16 is slower on a CPU (0.65 to 0.9 of the speed, measured)")
    capability = torch.cuda.get_device_capability(device)
    version = ".".join(map(str, capability))
    found = f"{torch.cuda.get_device_name(device)} has compute capability {version}"
    if capability >= BF16_CAPABILITY:
        return Precision("bf16", f"{found}: fast and as wide in range as fp32")
    return Precision("fp32", f"{found}: bf16 is fast from 8.0 on")


def matmul_precision(device: torch.device) -> str:
    """What matrix products without autocast are made in: tf32 or fp32."""
    return "tf32" if device.type == "cuda" and torch.backends.cuda.matmul.allow_tf32 else "fp32"


def idle_gpu() -> str:
    """Why a GPU that torch could use is not used; "" if there is none."""
    apple = torch.backends.mps.is_available()
    return "the Apple GPU is not used, as it has no float64" if apple else ""


def why_no_gpu() -> str:
    """Why torch finds no CUDA, in a few words."""
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is a build for the CPU"
    return (
        f"torch {torch.__version__} (CUDA {torch.version.cuda}) finds no device: the driver is too "
        "old or does not run, or there is no device of that number"
    )


def describe_device(device: torch.device) -> str:
    """The name of the GPU, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def fast_layout(size: int, device: torch.device) -> torch.memory_format:
    """The memory format of the weights in which sampling images of this side is faster.

    Channels last took 0.76 to 0.97 of the time at 32x32 on a CPU, but 1.04 to 1.12 at 8x8 and
    16x16 (medians of 8 turns, one thread); tensor cores want channels last.
    """
    last = device.type == "cuda" or size >= 32
    return torch.channels_last if last else torch.contiguous_format
