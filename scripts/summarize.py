"""Unite the tables of a study's measurements into one, in a fixed order."""

from depthbias.estimates.tidy import read_rows, unite, write_rows
from depthbias.system.arguments import TABLE, Arguments, files, script


@script(
    files("--parts", "tables to unite (.csv)"),
    files("--labelled", "one more, by labels by hand (.csv)", default=[]),
    TABLE,
)
def main(args: Arguments) -> None:
    write_rows(args.output, unite([read_rows(path) for path in [*args.parts, *args.labelled]]))
