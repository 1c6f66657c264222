"""Print the slope on depth that a design detects with 80 % power."""

import argparse

import numpy as np

from depthbias.estimates.endpoints import detectable_slope
from depthbias.system.errors import UserError, command


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m depthbias.estimates.power", description=__doc__
    )
    parser.add_argument("--depths", type=float, nargs="+", required=True, help="like 2 3 4")
    parser.add_argument("--seeds", type=int, required=True, help="models of each depth")
    parser.add_argument("--spread", type=float, required=True, help="SD between these models")
    args = parser.parse_args()
    depths = np.repeat(args.depths, max(args.seeds, 0))
    if len(set(depths)) < 2 or len(depths) < 3 or not args.spread > 0:
        raise UserError(
            "--depths, --seeds, --spread: give two depths, three models, a spread above 0"
        )
    slope = detectable_slope(depths, args.spread)
    print(f"{len(depths)} models detect a slope of {slope:.3g} a stage with 80 % power.")


if __name__ == "__main__":
    command(main)
