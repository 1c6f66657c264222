"""Measure how often two models of a study make the same image of the same noise."""

import argparse
from pathlib import Path

from depthbias.estimates.measurements import rows_of
from depthbias.estimates.tidy import write_rows
from depthbias.measures.copy_thresholds import read_thresholds
from depthbias.measures.embedding_files import check_alike, read_embedded
from depthbias.measures.reproducibility import reproducibility
from depthbias.system.errors import command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--embedded", type=Path, nargs="+", required=True, help="embedded samples (.npz)")
    add("--about", type=Path, required=True, help="thresholds of copies, by embedding (.json)")
    add("--study", required=True, help="name of the study, for the table")
    add("--output", type=Path, required=True, help="table to write (.csv)")
    return parser.parse_args()


def main() -> None:
    args = parse()
    runs = [read_embedded(path, args.study) for path in args.embedded]
    check_alike(runs[0], runs)
    measured = [
        score
        for name, threshold in read_thresholds(args.about).items()
        for score in reproducibility(runs, name, threshold)
    ]
    write_rows(args.output, rows_of(measured, []))


if __name__ == "__main__":
    command(main)
