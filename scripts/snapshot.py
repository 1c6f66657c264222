"""Take one of the averaged weights that a training run kept on its way, as a model of its own."""

import argparse
from pathlib import Path

from depthbias.estimates.runs import keys_of, read_run
from depthbias.system.errors import command
from depthbias.system.files import read_json, write_json


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--kept-snapshots", type=Path, required=True, help="weights of the snapshots (.safetensors)"
    )
    add("--whole", type=Path, required=True, help="description of the whole run (.json)")
    add("--run", required=True, help='JSON {"study", "ratio", "architecture", "seed"}')
    add("--seen", type=int, required=True, help="images seen at the snapshot")
    add("--model", type=Path, required=True, help="weights to write (.safetensors)")
    add("--meta", type=Path, required=True, help="their description to write (.json)")
    args = parser.parse_args()
    args.run = read_run("--run", args.run)
    return args


def main() -> None:
    args = parse()

    from depthbias.diffusion.checkpoints import snapshot_weights
    from depthbias.system.tensors import write_tensors

    weights = write_tensors(args.model, snapshot_weights(args.kept_snapshots, args.seen))
    changed = {"run": keys_of(args.run), "budget": args.seen, "snapshots": [], "weights": weights}
    write_json(args.meta, read_json(args.whole) | changed)


if __name__ == "__main__":
    command(main)
