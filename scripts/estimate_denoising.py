"""Turn the denoising errors of every run into rows: losses, stage costs and effective depths."""

from depthbias.estimates.tidy import write_rows
from depthbias.measures.denoising_rows import denoising_rows, read_all
from depthbias.system.arguments import STUDY, TABLE, Arguments, files, script


@script(files("--measurements", "one a run", metavar="NPZ"), STUDY, TABLE)
def main(args: Arguments) -> None:
    write_rows(args.output, denoising_rows(read_all(args.measurements, args.study)))
