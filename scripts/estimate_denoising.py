"""Turn the denoising errors of every run into rows: losses, stage costs and effective depths."""

from depthbias.estimates.tidy import write_rows
from depthbias.measures.denoising_rows import denoising_rows, read_all
from depthbias.system.arguments import STUDY, TABLE, arguments, files
from depthbias.system.errors import command


def main() -> None:
    measurements = files("--measurements", "one a run", metavar="NPZ")
    args = arguments(__doc__, measurements, STUDY, TABLE)
    write_rows(args.output, denoising_rows(read_all(args.measurements, args.study)))


if __name__ == "__main__":
    command(main)
