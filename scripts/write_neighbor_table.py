"""Write the table of neighbours (the paper's Table 3) and diversity: CSV, Markdown and HTML."""

from functools import reduce
from operator import or_
from typing import Any

from depthbias.estimates.tidy import read_rows
from depthbias.report.neighbor_table import sections, wide_table
from depthbias.report.pages import write_pages
from depthbias.system.arguments import PAGES, SUMMARY, arguments, files
from depthbias.system.errors import command
from depthbias.system.files import read_json


def main() -> None:
    args = arguments(__doc__, SUMMARY, files("--about", "what the distances are (.json)"), *PAGES)
    summary = read_rows(args.summary)
    about: dict[str, Any] = reduce(or_, map(read_json, args.about))
    title = f"Neighbours and diversity: study {summary['study'].iloc[0]}"
    write_pages(args, title, wide_table(summary, about), sections(summary, about))


if __name__ == "__main__":
    command(main)
