"""Train one model on one subset: EMA weights, their description and the log."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from depthbias.data.subsets import read_subset
from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import keys_of, read_run
from depthbias.system.errors import UserError, command
from depthbias.system.files import check_writable, write_json
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--images", type=Path, required=True, help="prepared images (.npz)")
    add("--subset", type=Path, required=True, help="the rows to train on (.json)")
    add("--width", type=float, default=1.0, help="factor on the channels of every stage")
    add("--run", required=True, help='JSON {"study", "ratio", "architecture", "seed"}')
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
    args.run = read_run("--run", args.run)
    return args


def main() -> None:
    args = parse()
    subset = read_subset(args.subset)
    if (subset.ratio, subset.seed) != (args.run.ratio, args.run.seed):
        told = f"{subset.ratio} of seed {subset.seed}"
        raise UserError(f"{args.subset}: the subset {told}, not that of --run: give the run's own")
    images = subset.images(args.images)
    get_architecture(args.run.architecture).check(images.shape[1], args.width)
    kept = [args.kept_snapshots] if args.kept_snapshots else []
    check_writable(args.model, args.meta, args.log, args.usage, *kept)
    with computing(args.threads) as device:
        import torch

        from depthbias.diffusion.checkpoints import describe, save_model
        from depthbias.diffusion.interruptions import catch_signals, train_to_the_end
        from depthbias.diffusion.resume_points import identify, point_path, remove_points
        from depthbias.diffusion.trainer import Trainer, TrainingOptions, write_log
        from depthbias.system.compute import choose_precision
        from depthbias.system.tensors import write_tensors
        from depthbias.system.usage import Meter

        caught = catch_signals()
        precision = choose_precision(args.precision, device)
        print(f"{precision.name}: {precision.reason}", file=sys.stderr, flush=True)
        chosen = vars(args) | {"architecture": args.run.architecture, "seed": int(args.run.seed)}
        options = TrainingOptions(**{f.name: chosen[f.name] for f in fields(TrainingOptions)})
        meter = Meter(device)
        trainer = Trainer(options, torch.from_numpy(images), device, precision)
        configuration = identify(repr(options), images.tobytes(), device.type, precision.name)
        title = f"training {options.architecture}, seed {options.seed}"
        with Progress(options.budget, title) as progress:
            point = point_path(args.model, configuration)
            train_to_the_end(trainer, meter, point, caught, progress.update)
        run = keys_of(args.run)
        for path in kept:
            write_tensors(path, trainer.snapshots())
        meta = describe(trainer, run, configuration)
        save_model(trainer.averaged(), meta, args.model, args.meta)
        write_log(args.log, run, trainer.rows)
        write_json(args.usage, {"run": run, **meter.record(precision.name)})
        remove_points(args.model)


if __name__ == "__main__":
    command(main)
