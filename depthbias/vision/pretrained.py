"""Pretrained weights: found in a folder or downloaded once; opened once their hash is checked.

Torch is imported only where weights are opened.

The folder is the one that the environment variable DEPTHBIAS_WEIGHTS names, else data/weights.
"""

import hashlib
import io
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthbias.system.downloads import Failed, fetch
from depthbias.system.errors import UserError, reading

if TYPE_CHECKING:
    import torch

FOLDER = "data/weights"
VARIABLE = "DEPTHBIAS_WEIGHTS"


@dataclass(frozen=True)
class Weights:
    """A weights file and where it is from; sha256 is "" where none is known: see read_weights."""

    file: str
    sha256: str
    url: str


def _torchvision(file: str, sha256: str) -> Weights:
    return Weights(file, sha256, f"https://download.pytorch.org/models/{file}")


# torchvision publishes the first eight digits of each hash, in the file name; the others are those
# that several public projects, independent of each other, record for these files.
TORCHVISION = {
    "alexnet": _torchvision(
        "alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
    "vgg16": _torchvision(
        "vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    ),
    "squeezenet1_1": _torchvision(
        "squeezenet1_1-b8a52dc0.pth",
        "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
    ),
    "inception_v3": _torchvision(
        "inception_v3_google-0cc3c7bd.pth",
        "0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef",
    ),
}
SSCD = Weights(
    "sscd_disc_large.torchscript.pt",
    "",
    "https://dl.fbaipublicfiles.com/sscd-copy-detection/sscd_disc_large.torchscript.pt",
)


def weights_folder() -> Path:
    """Where weights are looked for and downloaded to."""
    return Path(os.environ.get(VARIABLE) or FOLDER)


def load_state(weights: Weights) -> "dict[str, torch.Tensor]":
    """The tensors of a torchvision checkpoint, on the CPU.

    These files are pickles, which nothing else here reads: only after the hash was checked, and by
    torch's weights_only reader, which makes tensors and containers and runs no code of the file.
    """
    import torch

    file, path = io.BytesIO(read_weights(weights)), weights_folder() / weights.file
    damage = (RuntimeError, pickle.UnpicklingError, EOFError)
    with reading(path, "not a checkpoint", f"fetch {weights.url} again", damage):
        return torch.load(file, map_location="cpu", weights_only=True)


def load_script(weights: Weights) -> Any:
    """A TorchScript module, in eval mode on the CPU. It is code: run after its hash was checked."""
    import torch

    file, path = io.BytesIO(read_weights(weights)), weights_folder() / weights.file
    with reading(path, "not TorchScript", f"fetch {weights.url} again", (RuntimeError,)):
        return torch.jit.load(file, map_location="cpu").eval()


def read_weights(weights: Weights) -> bytes:
    """The content of a weights file, with the hash that was published for it.

    A missing file is downloaded, with progress, if its hash is known. Where none is published, the
    user says which file to trust: its SHA-256 in FILE.sha256 beside it, as sha256sum writes it.
    UserError names file, hash and folder.
    """
    path = weights_folder() / weights.file
    sha256 = weights_hash(weights)
    if not path.exists():
        _download(path, weights.url, sha256)
    with reading(path):
        content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise UserError(
            f"{path}: SHA-256 is {found}, not {sha256}: the file is damaged, incomplete or another "
            f"one; delete it and run again, or put the file from {weights.url} there"
        )
    return content


def weights_hash(weights: Weights) -> str:
    """The SHA-256 that the file must have: the published one, or the one the user vouched for."""
    return weights.sha256 or _vouched(weights_folder() / weights.file, weights.url)


def _vouched(path: Path, url: str) -> str:
    """The hash in FILE.sha256, written by the user."""
    note = path.with_name(path.name + ".sha256")
    if not path.exists() or not note.exists():
        raise UserError(
            f"{path}: put the file from {url} there (or set {VARIABLE} to the folder that has it); "
            "no hash of it is published, so say that you trust yours, in the same folder: "
            f"sha256sum {path.name} > {note.name}"
        )
    words = note.read_text(encoding="utf-8").split()
    if not words or len(words[0]) != 64:
        raise UserError(f"{note}: no SHA-256: write it with sha256sum {path.name} > {note.name}")
    return words[0].lower()


def _download(path: Path, url: str, sha256: str) -> None:
    try:
        fetch(path, url, "sha256", sha256)
    except Failed as error:
        raise UserError(
            f"{path.name} (SHA-256 {sha256}) is not in {path.parent}, and the download failed "
            f"({error}): put the file from {url} there yourself, or set {VARIABLE} to the folder "
            "that has it"
        ) from error
