"""Pages of tables: as Markdown to be read as text, as HTML for the report."""

from argparse import Namespace
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import pandas as pd

from depthbias.system.files import write_csv, write_text

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2em; max-width: 80em; }
table { border-collapse: collapse; margin: 0.8em 0 1.6em; display: block; overflow-x: auto; }
th, td { padding: 0.3em 0.9em; text-align: right; white-space: nowrap; }
th { border-bottom: 1.5px solid #222; }
td { border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
h2 { font-size: 1.1em; margin-bottom: 0; }
p { margin: 0.2em 0; }
"""


class Section(NamedTuple):
    """One table: a heading, a sentence on how to read it, the names of its columns, its cells."""

    heading: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_pages(
    args: Namespace, title: str, table: pd.DataFrame, sections: Sequence[Section]
) -> None:
    """Write a table as CSV and its sections as Markdown and HTML, where the flags PAGES say."""
    write_csv(args.output_csv, table, digits=6)
    write_text(args.output_md, markdown_page(title, sections))
    write_text(args.output_html, html_page(title, sections))


def markdown_page(title: str, sections: Sequence[Section]) -> str:
    """The sections as Markdown, with the columns aligned in the text as well."""
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.heading}", section.note, _markdown_table(section)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_table(section: Section) -> str:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (section.header, *section.rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(section.header))]
    lines = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in cells]
    rule = ["-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])


def html_page(title: str, sections: Sequence[Section]) -> str:
    """The sections as one self-contained HTML page."""
    parts = [f"<h1>{escape(title)}</h1>"]
    for section in sections:
        head = "".join(f"<th>{escape(name)}</th>" for name in section.header)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in section.rows
        )
        parts += [
            f"<h2>{escape(section.heading)}</h2>",
            f"<p>{escape(section.note)}</p>",
            f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>",
        ]
    content = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{STYLE}</style></head>\n<body>\n{content}\n</body>\n</html>\n"
    )
