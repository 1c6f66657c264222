"""Write the table of what training and sampling took: CSV, Markdown and HTML."""

import argparse
from pathlib import Path

from depthbias.report.pages import html_page, markdown_page
from depthbias.report.usage_table import read_usage, sections
from depthbias.system.errors import command
from depthbias.system.files import replacing, write_text


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="name of the study, for the title")
    add("--usage", type=Path, nargs="+", required=True, metavar="JSON")
    add("--output-csv", type=Path, required=True)
    add("--output-md", type=Path, required=True)
    add("--output-html", type=Path, required=True, help="the same for the report")
    return parser.parse_args()


def main() -> None:
    args = parse()
    table = read_usage(args.usage, args.study)
    title = f"What the runs took: study {args.study}"
    pages = sections(table)
    with replacing(args.output_csv) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    write_text(args.output_md, markdown_page(title, pages))
    write_text(args.output_html, html_page(title, pages))


if __name__ == "__main__":
    command(main)
