"""Unite the tables of a study's measurements into one, in a fixed order."""

from depthbias.estimates.tidy import read_rows, unite, write_rows
from depthbias.system.arguments import TABLE, arguments, files
from depthbias.system.errors import command


def main() -> None:
    args = arguments(__doc__, files("--parts", "tables to unite (.csv)"), TABLE)
    write_rows(args.output, unite([read_rows(path) for path in args.parts]))


if __name__ == "__main__":
    command(main)
