"""Measure how well attacks tell the training images of every run from held-out ones."""

from depthbias.estimates.tidy import write_rows
from depthbias.measures.denoising_rows import read_all
from depthbias.measures.membership_rows import membership_rows
from depthbias.system.arguments import STUDY, TABLE, Arguments, files, script


@script(
    files("--measurements", "denoising errors, one a run", metavar="NPZ"),
    STUDY,
    TABLE,
)
def main(args: Arguments) -> None:
    write_rows(args.output, membership_rows(read_all(args.measurements, args.study)))
