"""Train one U-Net on one subset: EMA weights, their description and the log."""

import argparse
import os
import signal
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthbias.diffusion.architectures import get_architecture
from depthbias.system.errors import UserError, command
from depthbias.system.files import check_writable, map_npz, read_json, write_json, write_text
from depthbias.system.gpu_lease import lease
from depthbias.system.progress import Progress

if TYPE_CHECKING:
    from depthbias.diffusion.trainer import Trainer
    from depthbias.system.usage import Meter


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--images", type=Path, required=True, help="prepared images (.npz)")
    add("--subset", type=Path, required=True, help="the rows to train on (.json)")
    add(
        "--architecture",
        required=True,
        help="a named architecture: depth2 ... depth6, depth4-const, ...",
    )
    add("--width", type=float, default=1.0, help="factor on the channels of every stage")
    add("--seed", type=int, required=True)
    add("--threads", type=int, default=1, help="CPU threads")
    add("--objective", choices=["ddpm", "edm"], default="ddpm")
    add("--budget", type=int, required=True, help="images seen in training")
    add("--batch-size", type=int, required=True)
    add("--learning-rate", type=float, required=True, help="the highest, after the warm-up")
    add("--warmup", type=int, required=True, help="images seen while the rate rises")
    add("--weight-decay", type=float, required=True)
    add("--clip", type=float, required=True, help="largest norm of the gradient")
    add("--ema-halflife", type=int, required=True, help="images seen; of the moving average")
    add("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    add("--log-every", type=int, required=True, help="images seen from row to row of the log")
    add("--snapshots", type=int, nargs="*", default=[], help="images seen at which to keep weights")
    add("--kept-snapshots", type=Path, help="weights of the snapshots to write (.safetensors)")
    add("--model", type=Path, required=True, help="weights to write (.safetensors)")
    add("--meta", type=Path, required=True, help="their description to write (.json)")
    add("--log", type=Path, required=True, help="log to write (.csv)")
    add("--usage", type=Path, required=True, help="what it took, to write (.json)")
    args = parser.parse_args()
    if args.snapshots and not args.kept_snapshots:
        parser.error("--snapshots needs --kept-snapshots, the file to keep them in")
    return args


def load_subset(images_path: Path, subset_path: Path) -> tuple[Any, dict[str, Any]]:
    """(uint8 array [n, S, S, C] of the subset's images, the subset)."""
    images, subset = map_npz(images_path, "images"), read_json(subset_path)
    try:
        return images[subset["indices"]], subset
    except (KeyError, IndexError, TypeError) as error:
        raise UserError(
            f"{subset_path}: not a subset of {images_path} ({error}): draw it again"
        ) from error


def describe(trainer: "Trainer", subset: dict[str, Any], configuration: str) -> dict[str, Any]:
    """The entries of the model's description; none depends on the time."""
    import diffusers
    import torch

    from depthbias.system.compute import describe_device

    return {
        **asdict(trainer.options),
        "channels": trainer.images.shape[3],
        "size": trainer.images.shape[1],
        "sigma_data": trainer.sigma_data,
        "images": len(trainer.images),
        "ratio": subset.get("ratio"),
        "device": describe_device(trainer.device),
        "precision": trainer.precision.name,
        "git": revision(),
        "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__},
        "configuration": configuration,
    }


def revision() -> str:
    """The short commit of the checkout this script is in, marked when files differ from it."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty=+dirty"]
    try:
        return subprocess.check_output(
            command, cwd=Path(__file__).parent, text=True, stderr=subprocess.DEVNULL
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def resume(trainer: "Trainer", meter: "Meter", point: Path) -> None:
    """Continue from the point if there is one that is whole."""
    from depthbias.diffusion.resume_points import load_point

    if not point.exists():
        return
    try:
        tensors, record = load_point(point)
        trainer.restore(tensors, record)
        meter.add(record["spent"])
        print(f"going on from {trainer.seen:,} images", file=sys.stderr, flush=True)
    except UserError as error:
        print(f"starting over: {error}", file=sys.stderr, flush=True)


def train_to_the_end(trainer: "Trainer", meter: "Meter", point: Path, caught: list[int]) -> None:
    """Train, saving resume points; a signal in `caught` saves one and ends the process."""
    from depthbias.diffusion.resume_points import save_point
    from depthbias.diffusion.trainer import Stopped, train

    def save() -> None:
        tensors, record = trainer.state()
        try:
            save_point(point, tensors, record | {"spent": meter.spent()})
        except UserError as error:  # no reason to lose the run
            print(f"no resume point saved: {error}", file=sys.stderr, flush=True)

    seconds = save_seconds()
    options = trainer.options
    try:
        with Progress(
            options.budget, f"training {options.architecture}, seed {options.seed}"
        ) as progress:
            for _ in train(trainer, save, save_seconds=seconds, stopping=lambda: bool(caught)):
                note = f"loss {trainer.rows[-1]['loss']:.4f}" if trainer.rows else ""
                progress.update(trainer.seen, note)
    except Stopped:
        print(f"stopped at {trainer.seen:,} images: run again to go on", file=sys.stderr)
        sys.exit(128 + caught[0])


def save_seconds() -> float:
    """Seconds between resume points: DEPTHBIAS_SAVE_SECONDS, 30 unless set."""
    text = os.environ.get("DEPTHBIAS_SAVE_SECONDS", "30")
    try:
        return max(0.0, float(text))
    except ValueError as error:
        raise UserError(f"DEPTHBIAS_SAVE_SECONDS={text}: must be a number of seconds") from error


def catch_signals() -> list[int]:
    """The list the first SIGTERM or SIGINT is put in; a second one ends the process at once."""
    caught: list[int] = []

    def note(number: int, _: object) -> None:
        caught.append(number)
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, note)
    return caught


def write_log(path: Path, rows: list[dict[str, float]]) -> None:
    lines = [",".join(rows[0])]
    lines += [",".join(f"{value:.8g}" for value in row.values()) for row in rows]
    write_text(path, "\n".join(lines) + "\n")


def main() -> None:
    args = parse()
    images, subset = load_subset(args.images, args.subset)
    get_architecture(args.architecture).check(images.shape[1], args.width)
    check_writable(
        args.model,
        args.meta,
        args.log,
        args.usage,
        *([args.kept_snapshots] if args.kept_snapshots else []),
    )
    with lease() as leased:
        import torch

        from depthbias.diffusion.checkpoints import save_model
        from depthbias.diffusion.resume_points import identify, point_path, remove_points
        from depthbias.diffusion.trainer import Trainer, TrainingOptions
        from depthbias.system.compute import choose_device, choose_precision
        from depthbias.system.tensors import write_tensors
        from depthbias.system.usage import Meter

        caught = catch_signals()
        torch.set_num_threads(args.threads)
        device = choose_device()
        precision = choose_precision(args.precision, device)
        print(f"{leased}; {precision.name}: {precision.reason}", file=sys.stderr, flush=True)
        options = TrainingOptions(
            **{f.name: getattr(args, f.name) for f in fields(TrainingOptions)}
        )
        meter = Meter(device)
        trainer = Trainer(options, torch.from_numpy(images), device, precision)
        configuration = identify(repr(options), images.tobytes(), device.type, precision.name)
        point = point_path(args.model, configuration)
        resume(trainer, meter, point)
        train_to_the_end(trainer, meter, point, caught)
        meta = describe(trainer, subset, configuration)
        kept = {f"{due}.{name}": t for due, w in trainer.kept.items() for name, t in w.items()}
        if args.kept_snapshots:
            write_tensors(args.kept_snapshots, kept)
        save_model(trainer.averaged(), meta, args.model, args.meta)
        write_log(args.log, trainer.rows)
        write_json(args.usage, meter.record(precision.name))
        remove_points(args.model)


if __name__ == "__main__":
    command(main)
