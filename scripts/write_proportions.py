"""Write the table of class proportions (the paper's Table 2): CSV, Markdown and HTML."""

import argparse
from pathlib import Path

from depthbias.estimates.tidy import read_rows
from depthbias.report.bias_table import sections, wide_table
from depthbias.report.pages import html_page, markdown_page
from depthbias.system.errors import command
from depthbias.system.files import replacing, write_text


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--summary", type=Path, required=True, help="tidy results of one study (.csv)")
    add("--output-csv", type=Path, required=True)
    add("--output-md", type=Path, required=True)
    add("--output-html", type=Path, help="the same for the report")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    summary = read_rows(arguments.summary)
    title = f"Class proportions: study {summary['study'].iloc[0]}"
    pages = sections(summary)
    with replacing(arguments.output_csv) as temporary:
        wide_table(summary).to_csv(temporary, index=False, float_format="%.6g")
    write_text(arguments.output_md, markdown_page(title, pages))
    if arguments.output_html:
        write_text(arguments.output_html, html_page(title, pages))


if __name__ == "__main__":
    command(main)
