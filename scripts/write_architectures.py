"""Write the table of architectures (the paper's Table A) with the sizes of the real networks."""

import argparse
from pathlib import Path

from depthbias.estimates.tidy import write_rows
from depthbias.report.architecture_table import architecture_table, section, tidy_rows
from depthbias.report.pages import html_page, markdown_page
from depthbias.system.errors import command
from depthbias.system.files import replacing, write_text


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--architectures", nargs="+", required=True, metavar="NAME", help="named architectures")
    add("--channels", type=int, required=True, help="of the study's images")
    add("--size", type=int, required=True, help="height and width of the study's images")
    add("--width", type=float, required=True, help="the study's factor on all channels")
    add("--study", required=True, help="name of the study, for the rows")
    add("--rows", type=Path, required=True, help="parameters as tidy rows, to write (.csv)")
    add("--output-csv", type=Path, required=True)
    add("--output-md", type=Path, required=True)
    add("--output-html", type=Path, help="the same for the report")
    return parser.parse_args()


def main() -> None:
    args = parse()
    shape = (args.channels, args.size, args.width)
    table = architecture_table(args.architectures, *shape)
    shown = section(table, args.channels, args.width)
    write_rows(args.rows, tidy_rows(table, args.study))
    with replacing(args.output_csv) as temporary:
        table.to_csv(temporary, index=False)
    write_text(args.output_md, markdown_page("Architectures", [shown]))
    if args.output_html:
        write_text(args.output_html, html_page("Architectures", [shown]))


if __name__ == "__main__":
    command(main)
