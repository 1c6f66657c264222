"""A trained model and its training images, as measurements of the denoiser itself need them."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from depthbias.data.pixels import to_float
from depthbias.data.subsets import read_subset
from depthbias.diffusion.checkpoints import image_shape, load_model
from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.system.compute import fast_layout
from depthbias.system.errors import UserError, reading
from depthbias.system.files import map_npz


def load_denoiser(
    model_path: Path, meta_path: Path, device: torch.device, clip: bool = False
) -> tuple[NetworkDenoiser, dict[str, Any]]:
    """(the model on the device as a denoiser, clipped or not, its description)."""
    model: Any
    model, meta = load_model(model_path, meta_path)
    model.to(device=device, memory_format=fast_layout(min(image_shape(meta)[1:]), device))
    with reading(meta_path, "not usable as a denoiser", "train it again"):
        brought = {key: meta[key] for key in ("prediction", "bars") if key in meta}
        return NetworkDenoiser(model, meta["objective"], meta["sigma_data"], clip, **brought), meta


def load_training_images(
    images_path: Path, subset_path: Path, meta: dict[str, Any], device: torch.device
) -> Tensor:
    """The images of a subset on the device, float32 [N, C, S, S] in [-1, 1]; UserError unless they
    are of the size and channels that the model of this description was trained on."""
    images, subset = map_npz(images_path, "images"), read_subset(subset_path)
    channels, *size = image_shape(meta)
    wanted = (*size, channels)
    if images.shape[1:] != wanted:
        raise UserError(
            f"{images_path}: images of shape {images.shape[1:]} where the model has {wanted}: "
            "give the images it was trained on"
        )
    return to_float(torch.from_numpy(subset.images(images_path)).to(device))
