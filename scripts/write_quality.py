"""Write the table of the quality of generated images: CSV, Markdown and HTML."""

from depthbias.estimates.tidy import read_rows
from depthbias.report.pages import write_pages
from depthbias.report.quality_table import sections, wide_table
from depthbias.system.arguments import PAGES, SUMMARY, Arguments, file, script
from depthbias.system.files import read_json


@script(SUMMARY, file("--about", "what the manifold is (.json)"), *PAGES)
def main(args: Arguments) -> None:
    summary, about = read_rows(args.summary), read_json(args.about)
    title = f"Quality of generated images: study {summary['study'].iloc[0]}"
    write_pages(args, title, wide_table(summary), sections(summary, about))
