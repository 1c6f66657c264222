"""Measure how near generated, held-out and training images are to the training images."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from depthbias.estimates.tidy import write_rows
from depthbias.system.errors import command
from depthbias.system.files import check_writable, replacing, write_json
from depthbias.system.gpu_lease import lease
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
        help='cosine above which images are copies, by embedding, JSON: {"sscd": 0.6}; '
        'or "calibrated" on held-out images',
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
    with lease() as leased:
        import torch

        from depthbias.estimates.measurements import Measured, rows_of
        from depthbias.measures.copied_training import copied_shares
        from depthbias.measures.copy_thresholds import CALIBRATED, told
        from depthbias.measures.neighbor_rows import TRENDS, NeighborSettings, closeness, closest
        from depthbias.measures.neighbor_sets import NeighborData

        print(f"device: {leased}", file=sys.stderr)
        torch.set_num_threads(args.threads)
        files = args.subsets, args.samples, args.embedded
        study = NeighborData(args.study, args.images, args.real, *files, args.embeddings)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        copies = {
            name: study.threshold(name, device) if given == CALIBRATED else given
            for name, given in args.copies.items()
        }
        cosines = {name: told(found)["threshold"] for name, found in copies.items()}
        options = NeighborSettings(sorted(args.k), cosines, device)
        classes = study.real.classes
        measured: list[Measured] = []
        pairs: list[dict[str, Any]] = []
        with Progress(len(study), "neighbours", "sets of images") as progress:
            for done, (queries, in_each, subset) in enumerate(study.compare(options)):
                for neighbours in in_each:
                    measured += closeness(queries, neighbours, classes, options)
                    if neighbours.first_copy is not None:
                        measured += copied_shares(
                            queries.run,
                            neighbours.embedding,
                            neighbours.first_copy,
                            len(queries.overall_rows),
                            subset.labels,
                            classes,
                        )
                    if queries.run.sampler:
                        pairs += closest(queries, neighbours, subset.rows, PAIRS)
                progress.update(done + 1)
    trends = [f"{metric}:{name}" for metric in TRENDS for name in args.embeddings]
    write_rows(args.output, rows_of(measured, trends))
    with replacing(args.pairs) as temporary:
        pd.DataFrame(pairs).to_csv(temporary, index=False, float_format="%.10g")
    about = {name: dict(study.real.about[name]) for name in args.embeddings}
    for name, found in copies.items():
        about[name]["copies"] = told(found)
    write_json(args.about, about)


if __name__ == "__main__":
    command(main)
