"""Write the headline numbers of a study for `dvc metrics` (JSON) and `dvc plots` (CSV)."""

import argparse
from pathlib import Path

from depthbias.estimates.headline import headline, nested, shares
from depthbias.estimates.tidy import read_rows
from depthbias.system.errors import UserError, command
from depthbias.system.files import replacing, write_json


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--summary", type=Path, required=True, help="tidy results of one study (.csv)")
    add("--metrics", type=Path, required=True, help="metric > ratio > U-Net > class (.json)")
    add("--plot", type=Path, required=True, help="corrected shares, one a row (.csv)")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    rows = headline(read_rows(arguments.summary))
    if "share_corrected" not in set(rows.metric):
        raise UserError(f"{arguments.summary}: no class proportions: delete it and run again")
    write_json(arguments.metrics, nested(rows))
    with replacing(arguments.plot) as temporary:
        shares(rows).to_csv(temporary, index=False, float_format="%.10g")


if __name__ == "__main__":
    command(main)
