"""Write the table of membership attacks: CSV, Markdown and HTML."""

from depthbias.estimates.tidy import read_rows
from depthbias.report.membership_table import sections, wide_table
from depthbias.report.pages import write_pages
from depthbias.system.arguments import PAGES, SUMMARY, arguments
from depthbias.system.errors import command


def main() -> None:
    args = arguments(__doc__, SUMMARY, *PAGES)
    summary = read_rows(args.summary)
    title = f"Membership attacks: study {summary['study'].iloc[0]}"
    write_pages(args, title, wide_table(summary), sections(summary))


if __name__ == "__main__":
    command(main)
