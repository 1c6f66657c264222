"""Write the table of what training and sampling took: CSV, Markdown and HTML."""

from depthbias.report.pages import write_pages
from depthbias.report.usage_table import read_usage, sections
from depthbias.system.arguments import PAGES, STUDY, Arguments, files, script


@script(STUDY, files("--usage", "records of runs", metavar="JSON"), *PAGES)
def main(args: Arguments) -> None:
    table = read_usage(args.usage, args.study)
    write_pages(args, f"What the runs took: study {args.study}", table, sections(table))
