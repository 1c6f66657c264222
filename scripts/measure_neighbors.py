"""Measure how near generated, held-out and training images are to the training images."""

from typing import Any

import pandas as pd

from depthbias.estimates.tidy import write_rows
from depthbias.measures.copy_thresholds import given_thresholds
from depthbias.system.arguments import (
    IMAGES,
    STUDY,
    SUBSETS,
    TABLE,
    THREADS,
    Arguments,
    WrongUsage,
    file,
    files,
    flag,
    script,
)
from depthbias.system.files import check_writable, write_csv, write_json
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

PAIRS = 8  # nearest pairs of every run that are kept for the figure
COPIES = (
    'cosine above which images are copies, by embedding, JSON: {"sscd": 0.6}; or "calibrated" on '
    "held-out images"
)


@script(
    IMAGES,
    file("--real", "embedded real images (.npz)"),
    SUBSETS,
    files("--samples", "generated images (.npz)"),
    files("--embedded", "the same, embedded (.npz)"),
    flag("--embeddings", "names, like: pixels classifier", nargs="+"),
    flag("--k", "neighbours to report, like: 1 5 10 50", int, nargs="+"),
    flag("--copies", COPIES, given_thresholds),
    STUDY,
    THREADS,
    TABLE,
    file("--pairs", "nearest pairs to write (.csv)"),
    file("--about", "what the embeddings are, to write (.json)"),
)
def main(args: Arguments) -> None:
    if len(args.samples) != len(args.embedded):
        raise WrongUsage("--samples and --embedded must name the same runs in the same order")
    if min(args.k) < 1:
        raise WrongUsage("--k must be 1 or more")
    if not set(args.copies) <= set(args.embeddings):
        raise WrongUsage("--copies: give only names that --embeddings has")
    check_writable(args.output, args.pairs, args.about)
    with computing(args.threads, exact=True) as device:
        from depthbias.estimates.measurements import Measured, rows_of
        from depthbias.measures.copy_thresholds import CALIBRATED, told
        from depthbias.measures.neighbor_rows import TRENDS, NeighborSettings, closest, measures_of
        from depthbias.measures.neighbor_sets import NeighborData

        files = args.subsets, args.samples, args.embedded
        study = NeighborData(args.study, args.images, args.real, *files, args.embeddings)
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
                    labels = subset.labels
                    measured += measures_of(queries, neighbours, labels, classes, options)
                    if queries.run.sampler:
                        pairs += closest(queries, neighbours, subset.rows, PAIRS)
                progress.update(done + 1)
    trends = [f"{metric}:{name}" for metric in TRENDS for name in args.embeddings]
    write_rows(args.output, rows_of(measured, trends))
    write_csv(args.pairs, pd.DataFrame(pairs))
    about = {name: dict(study.real.about[name]) for name in args.embeddings}
    for name, found in copies.items():
        about[name]["copies"] = told(found)
    write_json(args.about, about)
