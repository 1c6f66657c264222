"""Write the table of neighbours (the paper's Table 3) and diversity: CSV, Markdown and HTML."""

import argparse
from pathlib import Path
from typing import Any

from depthbias.estimates.tidy import read_rows
from depthbias.report.neighbor_table import sections, wide_table
from depthbias.report.pages import html_page, markdown_page
from depthbias.system.errors import command
from depthbias.system.files import read_json, replacing, write_text


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--summary", type=Path, required=True, help="tidy results of one study (.csv)")
    add("--about", type=Path, nargs="+", required=True, help="what the distances are (.json)")
    add("--output-csv", type=Path, required=True)
    add("--output-md", type=Path, required=True)
    add("--output-html", type=Path, required=True, help="the same for the report")
    return parser.parse_args()


def main() -> None:
    args = parse()
    summary = read_rows(args.summary)
    about: dict[str, Any] = {}
    for path in args.about:
        about |= read_json(path)
    title = f"Neighbours and diversity: study {summary['study'].iloc[0]}"
    pages = sections(summary, about)
    with replacing(args.output_csv) as temporary:
        wide_table(summary, about).to_csv(temporary, index=False, float_format="%.6g")
    write_text(args.output_md, markdown_page(title, pages))
    write_text(args.output_html, html_page(title, pages))


if __name__ == "__main__":
    command(main)
