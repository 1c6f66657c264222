"""Turn what a part of the theory bench measured of every model into rows."""

from depthbias.estimates.tidy import write_rows
from depthbias.measures.structure_files import read_structures
from depthbias.system.arguments import STUDY, TABLE, Arguments, files, script
from depthbias.theory.model_rows import PARTS, model_rows


@script(
    ("part", {"choices": [*PARTS]}),
    files("--measurements", "one a run", metavar="NPZ"),
    STUDY,
    TABLE,
)
def main(args: Arguments) -> None:
    write_rows(args.output, model_rows(args.part, read_structures(args.measurements, args.study)))
