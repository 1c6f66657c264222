"""Measure the mean perceptual distance over all pairs of images of every model."""

import argparse
from pathlib import Path

import numpy as np

from depthbias.diversity import diversity
from depthbias.embedded import read_all
from depthbias.errors import UserError, run
from depthbias.files import read_json, write_json
from depthbias.measured import rows_of
from depthbias.tables import write_rows


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


def read_proportions(path: Path) -> tuple[str, np.ndarray]:
    """(ratio, share of each class) of a training subset."""
    subset = read_json(path)
    try:
        counts = np.array(subset["counts"], dtype=np.float64)
        return str(subset["ratio"]), counts / counts.sum()
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a training subset ({error}): draw it again") from error


def main() -> None:
    args = parse()
    real, runs = read_all(args.real, args.embedded, args.study)
    proportions = dict(map(read_proportions, args.subsets))
    measured = list(diversity(real, runs, proportions))
    rows = rows_of(measured, [measured[0].metric])
    write_rows(args.output, [{"study": args.study, **row} for row in rows])
    write_json(args.about, {"diversity": real.about["diversity"]})


if __name__ == "__main__":
    run(main)
