"""Write the table of neighbours (the paper's Table 3) and diversity: CSV, Markdown and HTML."""

from functools import reduce
from operator import or_
from typing import Any

from depthbias.estimates.tidy import read_rows
from depthbias.report.neighbor_table import sections, wide_table
from depthbias.report.pages import write_pages
from depthbias.system.arguments import PAGES, SUMMARY, Arguments, files, script
from depthbias.system.files import read_json


@script(SUMMARY, files("--about", "what the distances are (.json)"), *PAGES)
def main(args: Arguments) -> None:
    summary = read_rows(args.summary)
    about: dict[str, Any] = reduce(or_, map(read_json, args.about))
    title = f"Neighbours and diversity: study {summary['study'].iloc[0]}"
    write_pages(args, title, wide_table(summary, about), sections(summary, about))
