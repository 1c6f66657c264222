"""Tables of labels as people have them: their encodings, line ends, separators and accents."""

import codecs
import csv
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from depthbias.system.errors import UserError, reading, several

# UTF-32 before UTF-16, whose mark it begins with.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ARCHIVE = b"PK\x03\x04"  # of zip files, so of spreadsheets too
SEPARATORS = ",;\t|"
FILE_COLUMNS = ("file", "file_name", "filename", "image_id")
LABEL_COLUMN, USED_COLUMN = "label", "used"
YES, NO = {"yes", "true", "1", "y"}, {"no", "false", "0", "n"}


class Readable(Protocol):
    """A file on disk, or one in a zip archive (zipfile.Path)."""

    def read_bytes(self) -> bytes: ...


def composed(text: str) -> str:
    """Text with composed accents (Unicode NFC): one spelling of what looks the same."""
    return unicodedata.normalize("NFC", text)


def read_text(path: Readable) -> str:
    """The text of a file, its lines ended by "\\n"; UserError when it cannot be read.

    UTF-8, or what a byte-order mark says, which is dropped. Other encodings cannot be told apart.
    """
    with reading(path, unfit=()):
        content = path.read_bytes()
    if content.startswith(ARCHIVE):
        raise UserError(f"{path}: a spreadsheet or archive, not text: save it as CSV in UTF-8")
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: not {encoding.removesuffix('-sig').upper()} text "
            f"({error.reason}): save it as UTF-8, or fetch it again"
        ) from error
    if "\0" in text:
        raise UserError(f"{path}: not UTF-8 text (zero bytes): save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_label_rows(path: Path) -> list[tuple[int, str, str]]:
    """(line number, file, label) of each row of a label table; other columns are ignored.

    The first line names the columns: one of FILE_COLUMNS, and "label", in any case. It shows which
    of SEPARATORS is used. Rows without any value are left out. UserError with the numbers of all
    lines that have more or fewer fields than the first.
    """
    lines = read_text(path).split("\n")
    skipped = int(lines[0].lower().startswith("sep="))  # of spreadsheets
    separator, file, label, width = _columns(path, lines[skipped:], skipped + 1)
    rows, problems = [], []
    for line, fields, problem in _records(lines, separator, skipped + 1):
        if not problem and fields and len(fields) != width:
            problem = (
                f"{len(fields)} fields where the first line has {width}: quote a text that holds "
                "the separator, and give every column a field"
            )
        if problem:
            problems.append(f"line {line}: {problem}")
        elif any(fields):
            rows.append((line, fields[file], composed(fields[label])))
    if problems:
        raise several(path, problems)
    if not rows:
        raise UserError(f"{path}: lists no images: add a line for each")
    return rows


def read_used(path: Path) -> list[bool]:
    """Whether the column `used` says yes, of each row of a label table; all True without it.

    In the order of `read_label_rows`. UserError for a value that is neither yes nor no.
    """
    lines = read_text(path).split("\n")
    skipped = int(lines[0].lower().startswith("sep="))
    separator, *_ = _columns(path, lines[skipped:], skipped + 1)
    rows = [(line, row) for line, row, _ in _records(lines, separator, skipped) if any(row)]
    names = [name.casefold() for name in rows[0][1]]
    if USED_COLUMN not in names:
        return [True] * (len(rows) - 1)
    place = names.index(USED_COLUMN)
    told = [(line, row[place].casefold()) for line, row in rows[1:]]
    if wrong := [f"line {line}: used is {word!r}" for line, word in told if word not in YES | NO]:
        raise UserError(f"{several(path, wrong)}: write yes or no")
    return [word in YES for _, word in told]


def _columns(path: Path, lines: list[str], line: int) -> tuple[str, int, int, int]:
    """The separator, the places of the two columns, and the number of columns."""
    first = lines[0] if lines else ""
    for separator in SEPARATORS:
        header = next(csv.reader([first], delimiter=separator, skipinitialspace=True), [])
        names = [name.strip().casefold() for name in header]
        files = [place for place, name in enumerate(names) if name in FILE_COLUMNS]
        if files and LABEL_COLUMN in names:
            if len(files) + names.count(LABEL_COLUMN) > 2:
                raise UserError(f"{path}, line {line}: two columns of files or labels: keep one")
            return separator, files[0], names.index(LABEL_COLUMN), len(names)
    named = any(name in first.casefold() for name in FILE_COLUMNS)
    raise UserError(
        f"{path}, line {line}: no column {LABEL_COLUMN if named else 'file'!r}: the first line "
        "must name the columns file and label, between commas, semicolons or tabs"
    )


def _records(
    lines: list[str], separator: str, skipped: int
) -> Iterator[tuple[int, list[str], str]]:
    """The first line, the stripped fields, and what is wrong with the CSV, of each row."""
    rows = csv.reader(
        (f"{line}\n" for line in lines[skipped:]),
        delimiter=separator,
        strict=True,
        skipinitialspace=True,
    )
    while True:
        begins = rows.line_num + skipped + 1
        try:
            fields = [field.strip() for field in next(rows)]
        except StopIteration:
            return
        except csv.Error as error:
            yield begins, [], f"not valid CSV ({error}): close the quotes of every field"
            return
        broken = any("\n" in field for field in fields)
        yield begins, fields, "a line break in a field: close the quotes" if broken else ""
