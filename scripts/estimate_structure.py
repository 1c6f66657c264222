"""Turn what was measured of every run into rows: estimates for runs, over seeds, and over depth."""

from depthbias.estimates.tidy import write_rows
from depthbias.measures.structure_files import read_structures
from depthbias.measures.structure_rows import structure_rows
from depthbias.system.arguments import STUDY, TABLE, Arguments, files, script


@script(files("--measurements", "one a run", metavar="NPZ"), STUDY, TABLE)
def main(args: Arguments) -> None:
    write_rows(args.output, structure_rows(read_structures(args.measurements, args.study)))
