"""Measure the mean perceptual distance over all pairs of images of every model."""

import argparse
from pathlib import Path

from depthbias.data.subsets import read_subset
from depthbias.estimates.measurements import rows_of
from depthbias.estimates.tidy import write_rows
from depthbias.measures.diversity import diversity
from depthbias.measures.embedding_files import read_all
from depthbias.system.errors import command
from depthbias.system.files import write_json


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--real", type=Path, required=True, help="embedded real images (.npz)")
    add("--embedded", type=Path, nargs="+", required=True, help="embedded samples (.npz)")
    add("--subsets", type=Path, nargs="+", required=True, help="training subsets (.json)")
    add("--study", required=True, help="name of the study, for the table")
    add("--output", type=Path, required=True, help="table to write (.csv)")
    add("--about", type=Path, required=True, help="what the distance is, to write (.json)")
    return parser.parse_args()


def main() -> None:
    args = parse()
    real, runs = read_all(args.real, args.embedded, args.study)
    subsets = [read_subset(path, real.classes) for path in args.subsets]
    proportions = {subset.ratio: subset.proportions for subset in subsets}
    measured = list(diversity(real, runs, proportions))
    write_rows(args.output, rows_of(measured, [measured[0].metric]))
    write_json(args.about, {"diversity": real.about["diversity"]})


if __name__ == "__main__":
    command(main)
