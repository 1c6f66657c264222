"""Write the table of what training and sampling took: CSV, Markdown and HTML."""

import argparse
from pathlib import Path

from depthbias.report.pages import html_page, markdown_page
from depthbias.report.usage_table import frame, sections
from depthbias.system.errors import UserError, command
from depthbias.system.files import read_json, replacing, write_text


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="name of the study, for the title")
    add("--usage", type=Path, nargs="+", required=True, metavar="JSON")
    add("--labels", nargs="+", required=True, metavar="RATIO/UNET/SEED/JOB", help="one each")
    add("--output-csv", type=Path, required=True)
    add("--output-md", type=Path, required=True)
    add("--output-html", type=Path, required=True, help="the same for the report")
    arguments = parser.parse_args()
    if len(arguments.usage) != len(arguments.labels):
        parser.error(f"{len(arguments.usage)} --usage but {len(arguments.labels)} --labels")
    if any(label.count("/") != 3 for label in arguments.labels):
        parser.error("--labels must look like 90-10/depth2/0/train")
    return arguments


def main() -> None:
    args = parse()
    try:
        read = zip(args.labels, map(read_json, args.usage), strict=True)
        table = frame(args.study, read)
    except (TypeError, ValueError) as error:
        raise UserError(f"not a record of a run: {error}: delete it and run again") from error
    title = f"What the runs took: study {args.study}"
    pages = sections(table)
    with replacing(args.output_csv) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    write_text(args.output_md, markdown_page(title, pages))
    write_text(args.output_html, html_page(title, pages))


if __name__ == "__main__":
    command(main)
