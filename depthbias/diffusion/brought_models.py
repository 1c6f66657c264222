"""Models of others: an unconditional UNet2DModel with its scheduler, read by diffusers itself."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch

from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.brought_files import CONFIG, SUPPORTED, Source, check_source
from depthbias.diffusion.checkpoints import UNET
from depthbias.diffusion.objectives import Prediction, alpha_bars
from depthbias.system.errors import UserError, reading
from depthbias.system.files import read_json
from depthbias.system.revision import revision

# What diffusers and torch raise on files that are no model.
UNREAD = (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError, EOFError)


class BroughtModel(NamedTuple):
    """A network in eval mode, what it predicts, abar_t [T] of its training; None for DDPM's own."""

    network: Any
    prediction: str
    bars: list[float] | None
    scheduler: str


def read_model(source: Source, size: Sequence[int], channels: int) -> BroughtModel:
    """The model, for images of this size (height, width) and channels; else a UserError.

    Weights in .bin are read by torch's weights-only reader, which runs no code.
    """
    check_source(source, size, channels)
    place = source.place
    prediction, bars, scheduler = read_schedule(source.scheduler)
    network = _read_network(source)
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


def _read_network(source: Source) -> Any:
    """The network with its weights, all of them, float32 on the CPU."""
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.utils import logging

    logging.set_verbosity_error()
    remedy = "give the folder or files that save_pretrained wrote"
    with tempfile.TemporaryDirectory() as folder:
        place = source.unet
        if source.weights:
            place = Path(folder)
            (place / CONFIG).symlink_to(source.unet.resolve())
            name = f"diffusion_pytorch_model{source.weights.suffix}"
            (place / name).symlink_to(source.weights.resolve())
        with reading(source.place, "not read by diffusers", remedy, UNREAD):
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
