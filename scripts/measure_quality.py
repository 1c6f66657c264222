"""Measure how like held-out real images the images of every model are."""

import argparse
import sys
from pathlib import Path

from depthbias.estimates.tidy import write_rows
from depthbias.system.errors import command
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import lease
from depthbias.system.progress import Progress


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--images", type=Path, required=True, help="prepared images (.npz)")
    add("--real", type=Path, required=True, help="embedded real images (.npz)")
    add("--subsets", type=Path, nargs="+", required=True, help="training subsets (.json)")
    add("--samples", type=Path, nargs="+", required=True, help="generated images (.npz)")
    add("--embedded", type=Path, nargs="+", required=True, help="the same, embedded (.npz)")
    add("--embeddings", nargs="+", required=True, help="names, like: pixels classifier")
    add("--k", type=int, nargs="+", required=True, help="neighbours balls reach to, like: 3 5 10")
    add("--study", required=True, help="name of the study, for the table")
    add("--threads", type=int, default=1, help="CPU threads")
    add("--output", type=Path, required=True, help="table to write (.csv)")
    args = parser.parse_args()
    if len(args.samples) != len(args.embedded):
        parser.error("--samples and --embedded must name the same runs in the same order")
    if min(args.k) < 1:
        parser.error("--k must be 1 or more")
    return args


def main() -> None:
    args = parse()
    check_writable(args.output)
    with lease() as leased:
        import torch

        from depthbias.estimates.measurements import Measured, rows_of
        from depthbias.measures.neighbor_sets import NeighborData
        from depthbias.measures.quality_rows import TRENDS, QualitySettings, measure

        print(f"device: {leased}", file=sys.stderr)
        torch.set_num_threads(args.threads)
        files = args.subsets, args.samples, args.embedded
        study = NeighborData(args.study, args.images, args.real, *files, args.embeddings)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        measured: list[Measured] = []
        with Progress(1 + len(study.runs), "quality", "sets of images") as progress:
            for done, found in enumerate(measure(study, QualitySettings(sorted(args.k), device))):
                measured += found
                progress.update(done + 1)
    trends = [f"{metric}:{name}" for metric in TRENDS for name in args.embeddings]
    write_rows(args.output, rows_of(measured, trends))


if __name__ == "__main__":
    command(main)
