"""Turn what was measured of every run into rows: estimates for runs, over seeds, and over depth."""

from depthbias.estimates.tidy import write_rows
from depthbias.measures.structure_rows import read_structures, structure_rows
from depthbias.system.arguments import STUDY, TABLE, arguments, files
from depthbias.system.errors import command


def main() -> None:
    measurements = files("--measurements", "one a run", metavar="NPZ")
    args = arguments(__doc__, measurements, STUDY, TABLE)
    write_rows(args.output, structure_rows(read_structures(args.measurements, args.study)))


if __name__ == "__main__":
    command(main)
