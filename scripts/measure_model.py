"""Measure one trained denoiser in one process, as its imports take longer than its measurements.

measure_model.py measure_structure FLAGS then measure_denoising FLAGS then all FLAGS: calls such
scripts one after another. Words for one script may stand in several places; all: for each.
"""

import sys
from itertools import groupby

import measure_denoising
import measure_flips
import measure_structure

from depthbias.system.errors import UserError, command

SCRIPTS = {part.__name__: part for part in (measure_structure, measure_denoising, measure_flips)}


def main() -> None:
    if {"-h", "--help"} & {*sys.argv[1:2]}:
        print(f"{__doc__}\nscripts: {', '.join(SCRIPTS)}; each explains its FLAGS with --help")
        return
    words: dict[str, list[str]] = {name: [] for name in (*SCRIPTS, "all")}
    for apart, group in groupby(sys.argv[1:], "then".__eq__):
        name, *flags = group
        if not apart and name not in words:
            raise UserError(f"{name}: not one of {', '.join(words)}")
        if not apart:
            words[name] += flags
    for name, part in SCRIPTS.items():
        sys.argv = [name, *words[name], *words["all"]]
        part.main()


if __name__ == "__main__":
    command(main)
