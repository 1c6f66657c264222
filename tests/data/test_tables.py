"""Tables of labels as people have them: layouts, encodings, spellings, and what is refused."""

import re
import unicodedata

import numpy as np
import pytest
from data.pictures import collect, own_folder, table

from depthbias.data.folder import load_folder, read_labels
from depthbias.data.photos import decode
from depthbias.system.errors import UserError


@pytest.fixture
def own(tmp_path):
    return own_folder(tmp_path)


def test_folder(own):
    labels = table(
        own,
        '\ufefflabel,file,note\n"$(rm -rf /), x",a.png,1\ncat,"b c.png",2\n cat ,./more/d.png,\n',
    )
    data = load_folder(own, labels, 8, 1, 1)
    assert data.source == ["a.png", "b c.png", "more/d.png"]
    assert data.names == ["$(rm -rf /), x", "cat"]
    assert data.attributes.tolist() == [[True, False], [False, True], [False, True]]
    images = collect(data)
    assert images.shape == (3, 8, 8, 1)
    assert np.array_equal(images[2], decode(("x", own / "more/d.png"), 8, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column 'file'"),
        ("file,class\na.png,x\n", "line 1: no column 'label'"),
        ("file,label\n", "lists no images"),
        ("file,label\na.png,x\nz.png,y\n", "line 3: 'z.png' is not in "),
        ("file,label\na.png,x\nmore,y\n", "line 3: 'more' is not in "),
        ("file,label\na.png,x\n./a.png,x\n", "line 3: 'a.png' was already listed in line 2"),
        ("file,label\na.png,x\nb c.png, \n", "line 3: empty label for 'b c.png'"),
        ("file,label\na.png\n", "line 2: 1 fields where the first line has 2"),
        ("file,label\n,x\n", "line 2: no file name"),
        ("file,label\n../labels.csv,x\n", "line 2: '../labels.csv' is not the name of a file"),
        ("file,label\n/etc/hostname,x\n", "line 2: '/etc/hostname' is not the name of a file"),
        ('file,label\na.png,x\n"b c.png"y,x\n', "line 3: not valid CSV"),
    ],
)
def test_folder_bad_table(own, text, message):
    with pytest.raises(UserError, match=message) as error:
        read_labels(table(own, text), own)
    assert "\n" not in str(error.value)


def test_folder_table_that_is_missing_or_no_text(own, tmp_path):
    with pytest.raises(UserError, match=r"none\.csv: cannot read"):
        read_labels(tmp_path / "none.csv", own)
    (tmp_path / "labels.csv").write_bytes(b"file,label\n\xff,x\n")
    with pytest.raises(UserError, match="save it as UTF-8"):
        read_labels(tmp_path / "labels.csv", own)


# ---- spellings of one and the same table --------------------------------------------------------

PLAIN = "file,label\na.png,Café\nb c.png,dog\nmore/d.png,Café\n"
READ = [("a.png", "Café"), ("b c.png", "dog"), ("more/d.png", "Café")]


def table_of(folder, content):
    path = folder.parent / "labels.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-be"]
)
def test_encodings_that_can_be_told_apart(own, encoding):
    mark = "" if encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32") else "\ufeff"
    assert read_labels(table_of(own, (mark + PLAIN).encode(encoding)), own) == READ


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PLAIN.encode("latin-1"), r"labels\.csv, line 2: not UTF-8 text .*: save it as UTF-8"),
        (PLAIN.encode("mac-roman"), r"labels\.csv, line 2: not UTF-8 text .*: save it as UTF-8"),
        (PLAIN.encode("cp437"), r"labels\.csv, line 2: not UTF-8 text .*: save it as UTF-8"),
        (b"file,label\na.png,x\n".decode().encode("utf-16-le"), "zero bytes.*: save it as UTF-8"),
        (b"\xff\xfef", r"line 1: not UTF-16 text \(truncated data\): save it as UTF-8"),
        (b"PK\x03\x04" + bytes(30), "a spreadsheet or archive, not text: save it as CSV"),
    ],
)
def test_encodings_that_cannot(own, content, message):
    with pytest.raises(UserError, match=message) as error:
        read_labels(table_of(own, content), own)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(own, end, last):
    text = PLAIN.replace("\n", end)
    text = text if last else text.rstrip("\r\n")
    assert read_labels(table_of(own, text.encode()), own) == READ


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ", ", " ; "])
@pytest.mark.parametrize("first", ["", "sep"])
def test_separators(own, separator, first):
    first = f"sep={separator.strip(' ')}\n" if first else ""
    text = first + PLAIN.replace(",", separator)
    assert read_labels(table_of(own, text.encode()), own) == READ


@pytest.mark.parametrize(
    "header",
    ["File,Label", "FILE_NAME,label", '"file","label"', "image_id,label", " filename , LABEL "],
)
def test_names_of_columns(own, header):
    text = PLAIN.replace("file,label", header)
    assert read_labels(table_of(own, text.encode()), own) == READ


def test_a_column_that_is_there_twice_is_refused(own):
    for header in ("file,file_name,label", "file,label,Label"):
        with pytest.raises(UserError, match="line 1: two columns of files or labels: keep one"):
            read_labels(table_of(own, f"{header}\na.png,a.png,x\n".encode()), own)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_composed_or_not_are_one_label_and_one_file(own, form):
    (own / "a.png").rename(own / unicodedata.normalize(form, "café.png"))
    for listed in ("NFC", "NFD"):
        name, label = (unicodedata.normalize(listed, text) for text in ("café.png", "Café"))
        text = f"file,label\n{name},{label}\nb c.png,{unicodedata.normalize('NFC', label)}\n"
        found = read_labels(table_of(own, text.encode()), own)
        assert {label for _, label in found} == {"Café"}
        assert (own / found[0][0]).is_file()


@pytest.mark.parametrize("name", ["more\\D.png", "MORE/d.PNG", ".\\more\\d.png", "more//d.png"])
def test_names_as_other_systems_write_them(own, name):
    assert read_labels(table_of(own, f"file,label\n{name},x\n".encode()), own) == [
        ("more/d.png", "x")
    ]


def test_a_name_that_may_be_two_files_is_refused(own):
    (own / "A.png").write_bytes(b"x")
    with pytest.raises(UserError, match=r"line 2: 'a\.PNG' may be A\.png or a\.png: write it as"):
        read_labels(table_of(own, b"file,label\na.PNG,x\n"), own)


def test_empty_rows_of_a_spreadsheet_are_left_out(own):
    text = "file,label,\na.png,x,\n,,\n , ,\nb c.png,y,\n,,\n"
    assert read_labels(table_of(own, text.encode()), own) == [("a.png", "x"), ("b c.png", "y")]


# ---- rows that are refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.png,big, brown dog\n", "line 2: 3 fields where the first line has 2: quote a text"),
        ("a.png,x\n\nb c.png\n", "line 4: 1 fields where the first line has 2"),
        ("a.png,x,\n", "line 2: 3 fields where the first line has 2"),
        ("a,b.png,x\n", "line 2: 3 fields where the first line has 2"),
        ('a.png,"x\nb c.png,y"\n', "line 2: a line break in a field: close the quotes"),
        (
            'a.png,x\nb c.png,"y\nmore/d.png,z\n',
            r"line 3: not valid CSV \(unexpected end of data\)",
        ),
    ],
)
def test_rows_with_more_or_fewer_fields(own, rows, message):
    with pytest.raises(UserError, match=message) as error:
        read_labels(table(own, "file,label\n" + rows), own)
    assert "\n" not in str(error.value)


def test_a_quoted_separator_is_text(own):
    found = read_labels(table(own, 'file,label\na.png, "big, brown dog"\n'), own)
    assert found == [("a.png", "big, brown dog")]


@pytest.mark.parametrize(("bad", "named", "more"), [(2, 2, None), (20, 20, None), (25, 20, 5)])
def test_all_bad_rows_are_named_in_one_line(own, bad, named, more):
    rows = "".join(f"no{i}.png,x\n" for i in range(bad))
    with pytest.raises(UserError) as error:
        read_labels(table(own, f"file,label\na.png,x\n{rows}"), own)
    text = str(error.value)
    assert f"labels.csv: {bad} problems: line 3: 'no0.png' is not in" in text
    assert text.count("is not in") == named and "\n" not in text
    assert text.endswith(f"; and {more} more" if more else "take the line out")


def test_bad_rows_of_different_kinds_are_named_in_one_pass(own):
    rows = "a.png,x\nz.png,y\nb c.png,\na.png,x\n../a.png,x\n"
    with pytest.raises(UserError) as error:
        read_labels(table(own, "file,label\n" + rows), own)
    found = re.findall(r"[:;] line (\d): ", str(error.value))
    assert found == ["3", "4", "5", "6"]


@pytest.mark.parametrize("again", ["a.png", "./a.png", "A.png"])
def test_a_file_with_two_labels_stops_with_both_lines(own, again):
    labels = table(own, f"file,label\na.png,cat\nb c.png,dog\n{again},dog\n")
    with pytest.raises(
        UserError, match=r"line 4: 'a\.png' has the label 'dog' here and 'cat' in line 2: .* drop"
    ):
        read_labels(labels, own)
    assert read_labels(labels, own, "drop")[::2] == [("a.png", "cat"), ("a.png", "dog")]
