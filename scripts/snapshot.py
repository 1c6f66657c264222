"""Take one of the averaged weights that a training run kept on its way, as a model of its own."""

from depthbias.estimates.runs import RUN, keys_of
from depthbias.system.arguments import MADE_MODEL, Arguments, file, flag, script
from depthbias.system.files import read_json, write_json


@script(
    file("--kept-snapshots", "weights of the snapshots (.safetensors)"),
    file("--whole", "description of the whole run (.json)"),
    RUN,
    flag("--seen", "images seen at the snapshot", int),
    *MADE_MODEL,
)
def main(args: Arguments) -> None:
    from depthbias.diffusion.checkpoints import snapshot_weights
    from depthbias.system.tensors import write_tensors

    weights = write_tensors(args.model, snapshot_weights(args.kept_snapshots, args.seen))
    changed = {"run": keys_of(args.run), "budget": args.seen, "snapshots": [], "weights": weights}
    write_json(args.meta, read_json(args.whole) | changed)
