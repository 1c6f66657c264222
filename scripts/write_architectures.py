"""Write the table of architectures (the paper's Table A) with the sizes of the real networks."""

from depthbias.estimates.tidy import write_rows
from depthbias.report.architecture_table import architecture_table, section, tidy_rows
from depthbias.report.pages import write_pages
from depthbias.system.arguments import PAGES, STUDY, Arguments, file, flag, script


@script(
    flag("--architectures", "named architectures", nargs="+", metavar="NAME"),
    flag("--channels", "of the study's images", int),
    flag("--size", "height and width of the study's images", int),
    flag("--width", "the study's factor on all channels", float),
    STUDY,
    file("--rows", "parameters as tidy rows, to write (.csv)"),
    *PAGES,
)
def main(args: Arguments) -> None:
    table = architecture_table(args.architectures, args.channels, args.size, args.width)
    write_rows(args.rows, tidy_rows(table, args.study))
    write_pages(args, "Architectures", table, [section(table, args.channels, args.width)])
