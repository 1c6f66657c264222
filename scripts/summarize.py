"""Unite the tables of a study's measurements into one, in a fixed order."""

import argparse
from pathlib import Path

import pandas as pd

from depthbias.estimates.tidy import KEYS, read_rows, write_rows
from depthbias.system.errors import UserError, command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--parts", type=Path, nargs="+", required=True, help="tables to unite (.csv)")
    add("--output", type=Path, required=True, help="table to write (.csv)")
    return parser.parse_args()


def unite(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """All rows, those with the same study together, in it the same ratio, and so on.

    The values of a column come in the order in which the parts first have them: classes and ratios
    as configured, the main sampler first. UserError for two rows with the same keys.
    """
    table = pd.concat(parts, ignore_index=True)
    twice = table[table.duplicated(KEYS)]
    if len(twice):
        first = ", ".join(str(v) for v in twice.iloc[0][KEYS] if v != "" and not pd.isna(v))
        raise UserError(f"two rows of the same measurement ({first}): give every part once")
    places = table[KEYS].apply(lambda column: pd.factorize(column)[0])
    return table.loc[places.sort_values(KEYS, kind="stable").index]


def main() -> None:
    args = parse()
    write_rows(args.output, unite([read_rows(path) for path in args.parts]))


if __name__ == "__main__":
    command(main)
