"""Take one of the averaged weights that a training run kept on its way, as a model of its own."""

import argparse
from pathlib import Path

from depthbias.system.errors import UserError, command
from depthbias.system.files import read_json, write_json


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--kept-snapshots", type=Path, required=True, help="weights of the snapshots (.safetensors)"
    )
    add("--whole", type=Path, required=True, help="description of the whole run (.json)")
    add("--seen", type=int, required=True, help="images seen at the snapshot")
    add("--model", type=Path, required=True, help="weights to write (.safetensors)")
    add("--meta", type=Path, required=True, help="their description to write (.json)")
    return parser.parse_args()


def main() -> None:
    args = parse()

    from depthbias.system.tensors import read_tensors, write_tensors

    tensors, _, _ = read_tensors(args.kept_snapshots)
    mark = f"{args.seen}."
    chosen = {name.removeprefix(mark): t for name, t in tensors.items() if name.startswith(mark)}
    if not chosen:
        raise UserError(
            f"{args.kept_snapshots}: has no snapshot at {args.seen} images: train again with it"
        )
    weights = write_tensors(args.model, chosen)
    meta = read_json(args.whole) | {"budget": args.seen, "snapshots": [], "weights": weights}
    write_json(args.meta, meta)


if __name__ == "__main__":
    command(main)
