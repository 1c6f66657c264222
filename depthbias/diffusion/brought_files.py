"""Where a model of others lies, and what its configuration says of it. No torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from depthbias.system.errors import UserError
from depthbias.system.files import read_json

SUPPORTED = "supported are unconditional pixel models: a UNet2DModel and a scheduler with betas"
CONFIG, SCHEDULER, INDEX = "config.json", "scheduler_config.json", "model_index.json"
SUFFIXES = (".safetensors", ".bin")


class Source(NamedTuple):
    """Where a model lies: the folder of its U-Net, or loose weights with their configuration."""

    unet: Path
    scheduler: Path
    weights: Path | None = None

    @property
    def place(self) -> Path:
        """What errors name."""
        return self.weights or self.unet


def find_source(folder: Path) -> Source:
    """The model in a folder of diffusers; UserError for a pipeline of another kind."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder: give one that diffusers saved")
    index = folder / INDEX
    if index.is_file():
        parts = read_json(index)
        if not isinstance(parts, dict):
            raise UserError(f"{index}: describes no pipeline: save it again")
        named = {name: kind for name, kind in parts.items() if isinstance(kind, list)}
        kind = str(parts.get("_class_name", "a pipeline of no known kind"))
        if extra := sorted(name for name in set(named) - {"unet", "scheduler"} if any(named[name])):
            raise UserError(f"{folder}: {kind} with {', '.join(extra)}: {SUPPORTED}")
    if not (folder / "unet" / CONFIG).is_file():
        raise UserError(f"{folder}: has no unet/{CONFIG}: {SUPPORTED}")
    places = [folder / "scheduler" / SCHEDULER, folder / SCHEDULER]
    if not (found := next((place for place in places if place.is_file()), None)):
        raise UserError(f"{folder}: has no scheduler/{SCHEDULER}: put the scheduler's there")
    return Source(folder / "unet", found)


def check_source(source: Source, size: Sequence[int], channels: int) -> None:
    """UserError for files that are missing, or of a model that is not supported or not for images
    of this size (height, width) and channels. Reads the configuration and no weights."""
    if source.weights:
        if source.weights.suffix not in SUFFIXES or not source.weights.is_file():
            wanted = " or ".join(SUFFIXES)
            raise UserError(f"{source.weights}: no file of weights: give {wanted}")
    elif not any(path.suffix in SUFFIXES for path in source.unet.iterdir()):
        raise UserError(f"{source.unet}: has no weights in {' or '.join(SUFFIXES)}: put them there")
    config = read_json(source.unet if source.weights else source.unet / CONFIG)
    _check_network(source.place, config, size, channels)
    schedule = read_json(source.scheduler)
    if not isinstance(schedule, dict) or not isinstance(schedule.get("_class_name"), str):
        raise UserError(
            f"{source.scheduler}: not a scheduler's configuration: give scheduler_config.json"
        )


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
