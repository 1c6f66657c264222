"""Resume points: the whole state of an interrupted training run, in one file beside its output.

The file is not a declared output (Snakemake deletes those before a retry), so its name carries a
fingerprint of everything that determines the run: a point of any other run is never picked up.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch

from depthbias.system.errors import UserError
from depthbias.system.files import fingerprint
from depthbias.system.tensors import read_tensors, write_tensors


def identify(*parts: str | bytes) -> str:
    """A fingerprint of a run: of the parts given, the modules loaded here, torch and diffusers."""
    loaded = {n: m for n, m in sys.modules.items() if n.split(".")[0] == "depthbias"}
    sources = [Path(str(loaded[name].__file__)) for name in sorted(loaded)]
    return fingerprint(*parts, torch.__version__, diffusers.__version__, *sources)


def point_path(model_path: str | Path, configuration: str) -> Path:
    """Where the run with this fingerprint keeps its point: beside the model it trains."""
    model_path = Path(model_path)
    return model_path.with_name(f"resume-{model_path.stem}-{configuration}.safetensors")


def save_point(path: Path, tensors: Mapping[str, torch.Tensor], record: Mapping[str, Any]) -> None:
    """Write a point atomically; record is JSON. A UserError leaves an earlier point as it was."""
    content = json.dumps({**record, "digest": _digest(tensors)})
    write_tensors(path, tensors, {"record": content})


def load_point(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """(tensors, record) of a point; a UserError if it is cut short or changed by even one bit."""
    tensors, metadata, _ = read_tensors(path)
    try:
        record = json.loads(metadata["record"])
        intact = record.pop("digest") == _digest(tensors)
    except (KeyError, ValueError, AttributeError, TypeError):
        intact = False
    if not intact:
        raise UserError(f"{path}: not a whole resume point")
    return tensors, record


def remove_points(model_path: str | Path) -> None:
    """Delete all points of this model, of any run, and what a kill left of one being written."""
    folder, stem = Path(model_path).parent, Path(model_path).stem
    name = f"resume-{stem}-{'[0-9a-f]' * 16}.safetensors"
    for path in [*folder.glob(name), *folder.glob(f".{name}.*.tmp")]:
        path.unlink(missing_ok=True)


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
