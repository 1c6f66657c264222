"""Tensors in safetensors files: atomic, byte-deterministic, never a pickle."""

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from depthbias.system.errors import UserError, reading
from depthbias.system.files import replacing


def write_tensors(
    path: str | Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> str:
    """Write tensors from any device and in any memory format; returns the SHA-256 of the file.

    Equal tensors give equal bytes if metadata has at most one key (the library's order of keys is
    random).
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = safetensors.torch.save(plain, metadata)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def read_tensors(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, str], str]:
    """(tensors on the CPU, metadata, SHA-256 of the file); UserError unless the file is whole."""
    with reading(path):
        content = Path(path).read_bytes()
    try:
        tensors = safetensors.torch.load(content)
        (length,) = struct.unpack("<Q", content[:8])
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    except (safetensors.SafetensorError, ValueError, struct.error) as error:
        # Asked only now: the length that a safetensors file begins with may have these bytes too.
        if content.startswith((b"PK\x03\x04", b"\x80")):
            raise UserError(
                f"{path}: a pickled checkpoint, which could run code when read: "
                "give a safetensors file"
            ) from error
        raise UserError(
            f"{path}: not a whole safetensors file ({error}): it was cut short or damaged; "
            "delete it and run again"
        ) from error
    return tensors, metadata, hashlib.sha256(content).hexdigest()
