"""Train one model on one subset: EMA weights, their description and the log."""

import sys

from depthbias.data.splits import read_split
from depthbias.data.subsets import read_subset
from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import RUN, keys_of
from depthbias.system.arguments import IMAGES, MADE_MODEL, THREADS, Arguments, file, flag, script
from depthbias.system.errors import UserError
from depthbias.system.files import check_writable, write_json
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

HELDOUT_IMAGES = 128  # behind the held-out loss of the log


@script(
    IMAGES,
    file("--subset", "the rows to train on (.json)"),
    file("--split", "rows that are held out (.json)"),
    flag("--width", "factor on the channels of every stage", float, default=1.0),
    RUN,
    THREADS,
    flag("--objective", choices=["ddpm", "edm"], default="ddpm"),
    flag("--budget", "images seen in training", int),
    flag("--batch-size", kind=int),
    flag("--learning-rate", "the highest, after the warm-up", float),
    flag("--warmup", "images seen while the rate rises", int),
    flag("--optimizer", choices=["adamw", "muon"], default="adamw"),
    flag("--weight-decay", kind=float),
    flag("--clip", "largest norm of the gradient", float),
    flag("--ema-halflife", "images seen; of the moving average", int),
    flag("--precision", choices=["auto", "fp32", "bf16"], default="auto"),
    flag("--log-every", "images seen from row to row of the log", int),
    flag("--snapshots", "images seen at which to keep weights", int, nargs="*", default=[]),
    file("--kept-snapshots", "weights of the snapshots to write (.safetensors)"),
    *MADE_MODEL,
    file("--log", "log to write (.csv)"),
    file("--usage", "what it took, to write (.json)"),
)
def main(args: Arguments) -> None:
    subset = read_subset(args.subset)
    if (subset.ratio, subset.seed) != (args.run.ratio, args.run.seed):
        told = f"{subset.ratio} of seed {subset.seed}"
        raise UserError(f"{args.subset}: the subset {told}, not that of --run: give the run's own")
    images, split = subset.images(args.images), read_split(args.split)
    get_architecture(args.run.architecture).check(images.shape[1], args.width)
    check_writable(args.model, args.meta, args.kept_snapshots, args.log, args.usage)
    with computing(args.threads) as device:
        import torch

        from depthbias.diffusion.checkpoints import describe, save_model
        from depthbias.diffusion.interruptions import catch_signals, train_to_the_end
        from depthbias.diffusion.resume_points import identify, point_path, remove_points
        from depthbias.diffusion.trainer import Trainer, TrainingOptions, write_log
        from depthbias.estimates.stratified import stratified
        from depthbias.measures.chosen_images import choose_heldout
        from depthbias.system.compute import choose_precision
        from depthbias.system.tensors import write_tensors
        from depthbias.system.usage import Meter

        caught = catch_signals()
        precision = choose_precision(args.precision, device)
        print(f"{precision.name}: {precision.reason}", file=sys.stderr, flush=True)
        chosen = vars(args) | {"architecture": args.run.architecture, "seed": int(args.run.seed)}
        options = TrainingOptions.chosen(chosen)
        meter = Meter(device)
        trainer = Trainer(options, torch.from_numpy(images), device, precision)
        heldout = choose_heldout(args.images, split, HELDOUT_IMAGES, device)
        weights = stratified(heldout.labels, subset.proportions)
        trainer.hold_out(heldout.images, heldout.rows.tolist(), torch.from_numpy(weights))
        configuration = identify(
            repr(options), images.tobytes(), str(heldout.rows), device.type, precision.name
        )
        title = f"training {options.architecture}, seed {options.seed}"
        with Progress(options.budget, title) as progress:
            point = point_path(args.model, configuration)
            train_to_the_end(trainer, meter, point, caught, progress.update)
        run = keys_of(args.run)
        meta = describe(trainer, run, configuration)
        save_model(trainer.averaged(), meta, args.model, args.meta)
        write_tensors(args.kept_snapshots, trainer.snapshots())
        write_log(args.log, run, trainer.rows)
        write_json(args.usage, {"run": run, **meter.record(precision.name)})
        remove_points(args.model)
