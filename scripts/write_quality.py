"""Write the table of the quality of generated images: CSV, Markdown and HTML."""

from depthbias.estimates.tidy import read_rows
from depthbias.report.pages import write_pages
from depthbias.report.quality_table import sections, wide_table
from depthbias.system.arguments import PAGES, SUMMARY, arguments, file
from depthbias.system.errors import command
from depthbias.system.files import read_json


def main() -> None:
    args = arguments(__doc__, SUMMARY, file("--about", "what the manifold is (.json)"), *PAGES)
    summary, about = read_rows(args.summary), read_json(args.about)
    title = f"Quality of generated images: study {summary['study'].iloc[0]}"
    write_pages(args, title, wide_table(summary), sections(summary, about))


if __name__ == "__main__":
    command(main)
