"""Trained models: safetensors with the EMA weights, JSON with everything needed to use them."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from depthbias.diffusion.architectures import get_architecture
from depthbias.system.compute import describe_device
from depthbias.system.errors import UserError, reading
from depthbias.system.files import read_json, write_json
from depthbias.system.revision import revision
from depthbias.system.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from depthbias.diffusion.trainer import Trainer

FORMAT = 1
ARCHITECTURE_KEYS = {
    "architecture": str,
    "channels": int,
    "size": int | list,
    "width": int | float,
}
UNET = "unet"  # the key of a model of others: the configuration of its UNet2DModel


def save_model(
    module: torch.nn.Module, meta: Mapping[str, Any], model_path: str | Path, meta_path: str | Path
) -> dict[str, Any]:
    """Write the weights of `module` and its description; returns the description as written.

    meta needs architecture, channels, size, width and objective (sigma_data too for EDM); `format`,
    `parameters` and `weights` (SHA-256 of the safetensors file) are added. Equal weights and meta
    give equal bytes.
    """
    weights = write_tensors(model_path, module.state_dict())
    parameters = sum(p.numel() for p in module.parameters())
    written = {"format": FORMAT, **meta, "parameters": parameters, "weights": weights}
    write_json(meta_path, written)
    return written


def describe(trainer: "Trainer", run: Mapping[str, str], configuration: str) -> dict[str, Any]:
    """The description of a trained model, for `save_model`; nothing in it depends on the time.

    configuration: the fingerprint of all that determines the weights (`resume_points.identify`).
    """
    import diffusers

    return {
        "run": run,
        **asdict(trainer.options),
        "channels": trainer.images.shape[3],
        "size": trainer.images.shape[1],
        "sigma_data": trainer.sigma_data,
        "images": len(trainer.images),
        "device": describe_device(trainer.device),
        "precision": trainer.precision.name,
        "git": revision(),
        "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__},
        "configuration": configuration,
    }


def snapshot_weights(path: Path, seen: int) -> dict[str, torch.Tensor]:
    """The averaged weights kept when so many images had been seen; UserError if there are none."""
    tensors, _, _ = read_tensors(path)
    mark = f"{seen}."
    chosen = {name.removeprefix(mark): t for name, t in tensors.items() if name.startswith(mark)}
    if not chosen:
        raise UserError(f"{path}: has no snapshot at {seen} images: train again with it")
    return chosen


def load_model(
    model_path: str | Path, meta_path: str | Path
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """(network on the CPU in eval mode, its description).

    UserError if a file is missing, cut short, damaged or a pickle, or if the weights are not those
    the description was written for.
    """
    meta = _read_meta(meta_path)
    tensors, _, weights = read_tensors(model_path)
    with torch.device("meta"):  # the initial weights would be thrown away
        network = _network(meta_path, meta)
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if wanted != {name: tensor.shape for name, tensor in tensors.items()}:
        raise UserError(
            f"{model_path}: the weights do not fit the {meta['architecture']} of width "
            f"{meta['width']:g} for images of {meta['channels']} channels that {meta_path} "
            "describes: give the JSON that was written with them"
        )
    if weights != meta.get("weights"):
        raise UserError(
            f"{model_path}: the weights are not those that {meta_path} was written for "
            "(their SHA-256 differs): restore both files from one source, or train again"
        )
    network.load_state_dict(tensors, assign=True)
    return network.eval(), meta


def image_shape(meta: Mapping[str, Any]) -> tuple[int, int, int]:
    """(channels, height, width) of the images of a model."""
    size = meta["size"]
    height, width = size if isinstance(size, list) else (size, size)
    return meta["channels"], height, width


def _network(path: str | Path, meta: Mapping[str, Any]) -> torch.nn.Module:
    """The network of a description, its weights not set."""
    if UNET not in meta:
        found = get_architecture(meta["architecture"])
        return found.build(meta["channels"], meta["size"], meta["width"])
    from diffusers.models.unets.unet_2d import UNet2DModel

    with reading(path, "not the description of a UNet2DModel", "bring the model again"):
        network: torch.nn.Module = UNet2DModel.from_config(dict(meta[UNET]))
    return network


def _read_meta(path: str | Path) -> dict[str, Any]:
    meta = read_json(path)
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise UserError(f"{path}: not the description of a model (format {FORMAT}): train it again")
    for key, kind in ARCHITECTURE_KEYS.items():
        if not isinstance(meta.get(key), kind):
            raise UserError(f"{path}: {key} is missing or wrong: train the model again")
    return meta
