"""Measure class proportions, amplification, trends, transitions and controls of a study."""

import argparse
from pathlib import Path

import numpy as np

from depthbias.data.subsets import read_subset
from depthbias.estimates.tidy import write_rows
from depthbias.measures.bias_rows import bias_rows
from depthbias.measures.class_shares import Instrument
from depthbias.measures.real_mixes import control_rows
from depthbias.measures.samples import read_classified
from depthbias.system.errors import UserError, command
from depthbias.system.files import read_json, read_npz


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--meta", type=Path, required=True, help="description of the classifier (.json)")
    add("--control", type=Path, required=True, help="classified real images (.npz)")
    add("--subsets", type=Path, nargs="+", required=True, help="training subsets (.json)")
    add("--classes", type=Path, nargs="+", required=True, help="classified samples (.npz)")
    add("--study", required=True, help="name of the study, for the table")
    add("--decidable", type=float, required=True, help="least top probability of a decided image")
    add("--bootstrap", type=int, required=True, help="resamples behind an interval")
    add("--output", type=Path, required=True, help="table to write (.csv)")
    return parser.parse_args()


def main() -> None:
    args = parse()
    meta = read_json(args.meta)
    try:
        classes, confusion = meta["classes"], np.array(meta["confusion"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{args.meta}: not a classifier ({error}): train it again") from error
    instrument = Instrument(classes, confusion, args.bootstrap)
    subsets = [read_subset(path, classes) for path in args.subsets]
    runs = read_classified(args.classes, args.study, classes, subsets, args.decidable)
    probabilities, truth = read_npz(args.control, "probabilities", "labels")
    rows = [
        *bias_rows(runs, instrument),
        *control_rows(args.study, truth, probabilities.argmax(axis=1), subsets, instrument),
    ]
    write_rows(args.output, rows)


if __name__ == "__main__":
    command(main)
