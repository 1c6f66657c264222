"""Write one of the tables that need nothing but the summary of a study: CSV, Markdown and HTML."""

from depthbias.estimates.tidy import read_rows
from depthbias.report.pages import write_pages
from depthbias.report.registry import SUMMARY_TABLES, read_provenance, table
from depthbias.system.arguments import PAGES, PROVENANCE, SUMMARY, Arguments, script


@script(("table", {"choices": SUMMARY_TABLES}), SUMMARY, PROVENANCE, *PAGES)
def main(args: Arguments) -> None:
    summary, provenance = read_rows(args.summary), read_provenance(args.provenance)
    write_pages(args, *table(args.table, summary, provenance))
