"""The device that torch computes on, and in which precision: decided here only, with the reason."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

# From Ampere on bf16 has tensor cores; it has the range of fp32, so the loss needs no scaling.
BF16_CAPABILITY = (8, 0)


@dataclass(frozen=True)
class Precision:
    """fp32, or bf16 autocast (weights and sums stay fp32), and why."""

    name: str
    reason: str

    def autocast(self, device: torch.device) -> AbstractContextManager[None]:
        """The context for forward passes on `device`."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.name == "bf16")


def choose_device() -> torch.device:
    """CUDA if there is any, with TF32 and convolutions chosen by trial; else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    return torch.device("cuda")


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


def describe_device(device: torch.device) -> str:
    """The name of the GPU, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
