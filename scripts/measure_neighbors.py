"""Measure how near generated, held-out and training images are to the training images."""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from depthbias.estimates.tidy import write_rows
from depthbias.system.errors import command
from depthbias.system.files import check_writable, replacing, write_json
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

PAIRS = 8  # nearest pairs of every run that are kept for the figure


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--images", type=Path, required=True, help="prepared images (.npz)")
    add("--real", type=Path, required=True, help="embedded real images (.npz)")
    add("--subsets", type=Path, nargs="+", required=True, help="training subsets (.json)")
    add("--samples", type=Path, nargs="+", required=True, help="generated images (.npz)")
    add("--embedded", type=Path, nargs="+", required=True, help="the same, embedded (.npz)")
    add("--embeddings", nargs="+", required=True, help="names, like: pixels classifier")
    add("--k", type=int, nargs="+", required=True, help="neighbours to report, like: 1 5 10 50")
    add(
        "--copies",
        type=json.loads,
        required=True,
        help='cosine above which images are copies, by embedding, JSON: {"sscd": 0.6}',
    )
    add("--study", required=True, help="name of the study, for the table")
    add("--threads", type=int, default=1, help="CPU threads")
    add("--output", type=Path, required=True, help="table to write (.csv)")
    add("--pairs", type=Path, required=True, help="nearest pairs to write (.csv)")
    add("--about", type=Path, required=True, help="what the embeddings are, to write (.json)")
    args = parser.parse_args()
    if len(args.samples) != len(args.embedded):
        parser.error("--samples and --embedded must name the same runs in the same order")
    if min(args.k) < 1:
        parser.error("--k must be 1 or more")
    if not set(args.copies) <= set(args.embeddings):
        parser.error("--copies: give only names that --embeddings has")
    return args


def main() -> None:
    args = parse()
    check_writable(args.output, args.pairs, args.about)
    with computing(args.threads, exact=True) as device:
        from depthbias.estimates.measurements import Measured, rows_of
        from depthbias.measures.neighbor_rows import TRENDS, NeighborSettings, closeness, closest
        from depthbias.measures.neighbor_sets import NeighborData

        files = args.subsets, args.samples, args.embedded
        study = NeighborData(args.study, args.images, args.real, *files, args.embeddings)
        options = NeighborSettings(sorted(args.k), args.copies, device)
        measured: list[Measured] = []
        pairs: list[dict[str, Any]] = []
        with Progress(len(study), "neighbours", "sets of images") as progress:
            for done, (queries, in_each, training) in enumerate(study.compare(options)):
                for neighbours in in_each:
                    measured += closeness(queries, neighbours, study.real.classes, options)
                    if queries.run.sampler:
                        pairs += closest(queries, neighbours, training, PAIRS)
                progress.update(done + 1)
    trends = [f"{metric}:{name}" for metric in TRENDS for name in args.embeddings]
    write_rows(args.output, rows_of(measured, trends))
    with replacing(args.pairs) as temporary:
        pd.DataFrame(pairs).to_csv(temporary, index=False, float_format="%.10g")
    write_json(args.about, {name: study.real.about[name] for name in args.embeddings})


if __name__ == "__main__":
    command(main)
