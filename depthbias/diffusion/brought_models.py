"""Models of others: an unconditional UNet2DModel with its scheduler, read by diffusers itself."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch

from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.checkpoints import UNET
from depthbias.diffusion.objectives import Prediction, alpha_bars
from depthbias.system.errors import UserError, reading
from depthbias.system.files import read_json
from depthbias.system.revision import revision

SUPPORTED = "supported are unconditional pixel models: a UNet2DModel and a scheduler with betas"
# What diffusers and torch raise on files that are no model.
UNREAD = (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError, EOFError)
CONFIG, SCHEDULER, INDEX = "config.json", "scheduler_config.json", "model_index.json"
SUFFIXES = (".safetensors", ".bin")


class Source(NamedTuple):
    """Where a model lies: the folder of its U-Net, or loose weights with their configuration."""

    unet: Path
    scheduler: Path
    weights: Path | None = None


class BroughtModel(NamedTuple):
    """A network in eval mode, what it predicts, abar_t [T] of its training; None for DDPM's own."""

    network: Any
    prediction: str
    bars: list[float] | None
    scheduler: str


def find_source(folder: Path) -> Source:
    """The model in a folder of diffusers; UserError for a pipeline of another kind."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder: give one that diffusers saved")
    index = folder / INDEX
    if index.is_file():
        parts = read_json(index)
        named = {name: kind for name, kind in parts.items() if isinstance(kind, list)}
        kind = str(parts.get("_class_name", "a pipeline of no known kind"))
        if extra := sorted(name for name in set(named) - {"unet", "scheduler"} if named[name][1]):
            raise UserError(f"{folder}: {kind} with {', '.join(extra)}: {SUPPORTED}")
    if not (folder / "unet" / CONFIG).is_file():
        raise UserError(f"{folder}: has no unet/{CONFIG}: {SUPPORTED}")
    places = [folder / "scheduler" / SCHEDULER, folder / SCHEDULER]
    if not (found := next((place for place in places if place.is_file()), None)):
        raise UserError(f"{folder}: has no scheduler/{SCHEDULER}: put the scheduler's there")
    return Source(folder / "unet", found)


def read_model(source: Source, size: Sequence[int], channels: int) -> BroughtModel:
    """The model, for images of this size (height, width) and channels; else a UserError.

    Weights in .bin are read by torch's weights-only reader, which runs no code.
    """
    config = read_json(source.unet if source.weights else source.unet / CONFIG)
    place = source.weights or source.unet
    _check_network(place, config, size, channels)
    prediction, bars, scheduler = read_schedule(source.scheduler)
    network = _read_network(place, source)
    network.register_to_config(sample_size=list(size))
    with reading(
        place, f"does not run on images of {size[0]}x{size[1]}", "change data.size", UNREAD
    ):
        with torch.inference_mode():
            blank = torch.zeros(1, channels, *size)
            found = network(blank, torch.ones(1), return_dict=False)[0]
        if found.shape != blank.shape or not bool(found.isfinite().all()):
            raise ValueError("what it returns is no image of numbers")
    return BroughtModel(network, prediction, bars, scheduler)


def _check_network(
    path: Path, config: Mapping[str, Any], size: Sequence[int], channels: int
) -> None:
    """UserError for a network that is conditioned, latent, or for other images."""
    if not isinstance(config, dict) or config.get("_class_name", "UNet2DModel") != "UNet2DModel":
        kind = config.get("_class_name") if isinstance(config, dict) else "no configuration"
        raise UserError(f"{path}: a {kind}: {SUPPORTED}")
    if config.get("class_embed_type") or config.get("num_class_embeds"):
        raise UserError(f"{path}: a class-conditional model: {SUPPORTED}")
    if config.get("time_embedding_type", "positional") != "positional":
        kind = config["time_embedding_type"]
        raise UserError(f"{path}: time_embedding_type {kind}, not positional: {SUPPORTED}")
    read, made = config.get("in_channels", 3), config.get("out_channels", 3)
    if read != made:
        raise UserError(
            f"{path}: {read} channels in and {made} out, as of a learned variance: {SUPPORTED}"
        )
    if read not in (1, 3):
        raise UserError(f"{path}: {read} channels, as of a latent model: {SUPPORTED}")
    if read != channels:
        raise UserError(f"{path}: a model of {read} channels: set data.channels: {read}")
    own = config.get("sample_size")
    own = [own, own] if isinstance(own, int) else own
    if own and list(own) != list(size):
        wanted = own[0] if own[0] == own[1] else list(own)
        raise UserError(f"{path}: a model of {own[0]}x{own[1]} images: set data.size: {wanted}")


def read_schedule(path: Path) -> tuple[str, list[float] | None, str]:
    """(what the network predicts, abar_t of training, the class) of a scheduler_config.json.

    abar_t are diffusers' own. Where they are DDPM's (linear, 1e-4 to 0.02, 1000 steps) within
    their float32 rounding, None stands for the exact ones.
    """
    config = read_json(path)
    import diffusers

    with reading(path, "not a scheduler's configuration", "give scheduler_config.json", UNREAD):
        name = config["_class_name"]
        kind = getattr(diffusers, name)
        if not issubclass(kind, diffusers.SchedulerMixin):
            raise ValueError(f"{name} is no scheduler")
        scheduler: Any = kind.from_config(config)
    bars = getattr(scheduler, "alphas_cumprod", None)
    prediction = scheduler.config.get("prediction_type", "epsilon")
    if bars is None or prediction not in get_args(Prediction):
        told = f"prediction_type {prediction}" if bars is not None else "no betas"
        raise UserError(
            f"{path}: {name} with {told}: {SUPPORTED}; predicting {', '.join(get_args(Prediction))}"
        )
    bars = bars.double()
    if not (bool((bars.diff() < 0).all()) and 0 < float(bars[-1]) < float(bars[0]) < 1):
        raise UserError(f"{path}: a schedule without signal at its end (zero SNR): {SUPPORTED}")
    ours = alpha_bars()
    same = bars.shape == ours.shape and torch.allclose(bars, ours, rtol=1e-4, atol=1e-9)
    return prediction, None if same else bars.tolist(), name


def _read_network(path: Path, source: Source) -> Any:
    """The network with its weights, all of them, float32 on the CPU."""
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.utils import logging

    logging.set_verbosity_error()
    remedy = "give the folder or files that save_pretrained wrote"
    with tempfile.TemporaryDirectory() as folder:
        place = source.unet
        if source.weights:
            if source.weights.suffix not in SUFFIXES or not source.weights.is_file():
                raise UserError(f"{path}: no file of weights: give {' or '.join(SUFFIXES)}")
            place = Path(folder)
            (place / CONFIG).symlink_to(source.unet.resolve())
            name = f"diffusion_pytorch_model{source.weights.suffix}"
            (place / name).symlink_to(source.weights.resolve())
        with reading(path, "not read by diffusers", remedy, UNREAD):
            network, told = UNet2DModel.from_pretrained(
                place, local_files_only=True, output_loading_info=True, torch_dtype=torch.float32
            )
            wrong = {name: rows for name, rows in told.items() if rows and name != "error_msgs"}
            if wrong:
                raise ValueError("; ".join(f"{n} {list(r)[:3]}" for n, r in wrong.items()))
    return network.eval()


def describe_brought(
    model: BroughtModel, run: Mapping[str, str], sigma_data: float, images: int, path: Path
) -> dict[str, Any]:
    """The description of a brought model, for `save_model`; path: where it was brought from.

    UserError for a model under an architecture's name that has another number of stages.
    """
    import diffusers

    config = {key: value for key, value in model.network.config.items() if key[0] != "_"}
    stages = get_architecture(run["architecture"]).stages
    if stages and stages != len(config["block_out_channels"]):
        raise UserError(
            f"subjects.{run['architecture']}: {path} has {len(config['block_out_channels'])} "
            f"stages, not {stages}: give it another name"
        )
    height, width = _pair(config["sample_size"])
    described = {
        "run": dict(run),
        "objective": "ddpm",
        "prediction": model.prediction,
        "channels": config["in_channels"],
        "size": height if height == width else [height, width],
        "width": 1.0,
        "architecture": run["architecture"],
        "sigma_data": sigma_data,
        "images": images,
        "brought": path.as_posix(),
        "scheduler": model.scheduler,
        UNET: config,
        "device": "brought",
        "git": revision(),
        "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__},
    }
    return described | ({"bars": model.bars} if model.bars else {})


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)
