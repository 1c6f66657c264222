"""Write the table of class proportions (the paper's Table 2): CSV, Markdown and HTML."""

from depthbias.estimates.tidy import read_rows
from depthbias.report.bias_table import sections, wide_table
from depthbias.report.pages import write_pages
from depthbias.system.arguments import PAGES, SUMMARY, Arguments, script


@script(SUMMARY, *PAGES)
def main(args: Arguments) -> None:
    summary = read_rows(args.summary)
    title = f"Class proportions: study {summary['study'].iloc[0]}"
    write_pages(args, title, wide_table(summary), sections(summary))
