"""CelebA as its authors and its mirrors pack it: names, forms of tables, folders in folders."""

import zipfile

import numpy as np
import pytest
from data.pictures import collect, encoded, picture

from depthbias.data.celeba import load_celeba
from depthbias.data.photos import decode
from depthbias.system.errors import UserError

NAMES = ["Bald", "Male", "Young"]
VALUES = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, -1], [-1, 1, 1]])
FILES = [f"{row:06}.jpg" for row in range(1, 5)]
PERSONS = [7, 9, 7, 3]
ALIGNED = "img_align_celeba"
CSV_ATTRIBUTES = "\n".join(
    ["image_id," + ",".join(NAMES)]
    + [",".join([file, *map(str, row)]) for file, row in zip(FILES, VALUES, strict=True)]
)
TXT_ATTRIBUTES = "\n".join(
    ["4", " ".join(NAMES) + " "]
    + [" ".join([file, *(f"{v:2d}" for v in row)]) for file, row in zip(FILES, VALUES, strict=True)]
)


def numbers(numbers, separator, header=""):
    rows = [f"{file}{separator}{number}" for file, number in zip(FILES, numbers, strict=True)]
    return header + "\n".join(rows) + "\n"


TXT_PERSONS, CSV_PERSONS = numbers(PERSONS, " "), numbers(PERSONS, ",", "image_id,person\n")
TXT_PARTS, CSV_PARTS = (
    numbers([0, 0, 1, 2], " "),
    numbers([0, 0, 1, 2], ",", "image_id,partition\n"),
)


def put(folder, path, content):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())


def put_images(folder, inside, suffix=".jpg", zipped=None):
    kind = "PNG" if suffix == ".png" else "JPEG"
    made = {
        f"{inside}{file[:-4]}{suffix}": encoded(picture(row, 30, 40), kind)
        for row, file in enumerate(FILES)
    }
    if zipped is None:
        for path, content in made.items():
            put(folder, path, content)
        return
    (folder / zipped).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / zipped, "a") as archive:
        for path, content in made.items():
            archive.writestr(path, content)


def official(folder):
    """The folders of the authors' own share."""
    put(folder, "Anno/list_attr_celeba.txt", TXT_ATTRIBUTES)
    put(folder, "Anno/identity_CelebA.txt", TXT_PERSONS)
    put(folder, "Eval/list_eval_partition.txt", TXT_PARTS)
    put_images(folder, f"{ALIGNED}/", zipped="Img/img_align_celeba.zip")


def official_in_a_folder(folder):
    official(folder / "CelebA")


def flat(folder):
    """As torchvision unpacks it."""
    put(folder, "list_attr_celeba.txt", TXT_ATTRIBUTES)
    put(folder, "identity_CelebA.txt", TXT_PERSONS)
    put_images(folder, f"{ALIGNED}/")


def kaggle(folder):
    put(folder, "list_attr_celeba.csv", CSV_ATTRIBUTES)
    put(folder, "identity_CelebA.csv", CSV_PERSONS)
    put_images(folder, f"{ALIGNED}/{ALIGNED}/")


def kaggle_packed(folder):
    """The archive as it is downloaded."""
    put_images(folder, f"{ALIGNED}/{ALIGNED}/", zipped="archive.zip")
    with zipfile.ZipFile(folder / "archive.zip", "a") as archive:
        archive.writestr("list_attr_celeba.csv", CSV_ATTRIBUTES)
        archive.writestr("identity_celeba.csv", CSV_PERSONS)


def with_png(folder):
    """The lossless images, which the tables call .jpg."""
    put(folder, "list_attr_celeba.txt", TXT_ATTRIBUTES)
    put(folder, "identity_CelebA.txt", TXT_PERSONS)
    put_images(folder, f"{ALIGNED}_png/", ".png")


def beside_the_tables(folder):
    put(folder, "list_attr_celeba.txt", TXT_ATTRIBUTES)
    put(folder, "identity_CelebA.txt", TXT_PERSONS)
    put_images(folder, "images/")


def with_images_in_the_wild(folder):
    """Of the same names, in another folder of the archive."""
    put_images(folder, "img_celeba/", zipped="all.zip")
    put_images(folder, f"{ALIGNED}/", zipped="all.zip")
    with zipfile.ZipFile(folder / "all.zip", "a") as archive:
        archive.writestr("Anno/list_attr_celeba.txt", TXT_ATTRIBUTES)
        archive.writestr("Anno/identity_CelebA.txt", TXT_PERSONS)


def made_on_a_mac(folder):
    flat(folder)
    put(folder, f"{ALIGNED}/._000001.jpg", b"x")
    put(folder, f"__MACOSX/{ALIGNED}/._000001.jpg", b"x")
    put(folder, "__MACOSX/list_attr_celeba.txt", b"x")


def saved_by_a_spreadsheet(folder):
    kaggle(folder)
    text = (
        CSV_ATTRIBUTES.replace(",", ";").replace("\n", "\r\n").replace("000001.jpg", '"000001.jpg"')
    )
    put(folder, "list_attr_celeba.csv", text.encode("utf-16"))


LAYOUTS = [
    *(official, official_in_a_folder, flat, kaggle, kaggle_packed, with_png, beside_the_tables),
    *(with_images_in_the_wild, made_on_a_mac, saved_by_a_spreadsheet),
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    layout(tmp_path)
    data = load_celeba([tmp_path, tmp_path / "none"], 16, 3, 1, True)
    assert (data.names, data.source) == (NAMES, FILES)
    assert np.array_equal(data.attributes, VALUES == 1)
    assert data.grouped["persons"].tolist() == PERSONS
    kind = "PNG" if layout is with_png else "JPEG"
    expected = [decode(("x", encoded(picture(row, 30, 40), kind)), 16, 3) for row in range(4)]
    assert np.array_equal(collect(data), expected)


@pytest.mark.parametrize(("name", "text"), [("txt", TXT_PARTS), ("csv", CSV_PARTS)])
def test_both_forms_of_the_parts(tmp_path, name, text):
    flat(tmp_path)
    (tmp_path / "identity_CelebA.txt").unlink()
    put(tmp_path, f"list_eval_partition.{name}", text)
    found = load_celeba([tmp_path], 16, 3, 1, True).grouped
    assert found["partition"].tolist() == [0, 0, 1, 2]


def test_0_may_stand_for_minus_1_but_not_beside_it(tmp_path):
    kaggle(tmp_path)
    put(tmp_path, "list_attr_celeba.csv", CSV_ATTRIBUTES.replace("-1", "0"))
    assert np.array_equal(load_celeba([tmp_path], 16, 3, 1, False).attributes, VALUES == 1)
    put(tmp_path, "list_attr_celeba.csv", CSV_ATTRIBUTES.replace("-1", "0", 1))
    with pytest.raises(UserError, match="line 2: a file name and 3 values of -1 or 1 are expected"):
        load_celeba([tmp_path], 16, 3, 1, False)


def test_all_bad_rows_and_images_are_named(tmp_path):
    flat(tmp_path)
    bad = TXT_ATTRIBUTES.replace("000002.jpg -1", "000002.jpg").replace("000004.jpg", "000001.jpg")
    put(tmp_path, "list_attr_celeba.txt", bad)
    with pytest.raises(UserError, match=r"2 problems: line 4: a file name .*; line 6: 000001\.jpg"):
        load_celeba([tmp_path], 16, 3, 1, False)
    put(tmp_path, "list_attr_celeba.txt", TXT_ATTRIBUTES)
    (tmp_path / f"{ALIGNED}/000001.jpg").write_bytes(b"")
    (tmp_path / f"{ALIGNED}/000003.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match=r"2 problems: .*000001\.jpg: unre.*000003\.jpg: unread"):
        collect(load_celeba([tmp_path], 16, 3, 1, False))
    for name in FILES[1:3]:
        (tmp_path / ALIGNED / name).unlink()
    with pytest.raises(UserError, match=r"2 problems: 000002\.jpg is missing; 000003\.jpg is miss"):
        load_celeba([tmp_path], 16, 3, 1, False)


@pytest.mark.parametrize("place", ["", "Img/"])
def test_archives_that_have_to_be_unpacked_are_named(tmp_path, place):
    put(tmp_path, "list_attr_celeba.txt", TXT_ATTRIBUTES)
    put(tmp_path, f"{place}img_align_celeba_png.7z.001", b"7z")
    with pytest.raises(UserError, match=r"img_align_celeba_png\.7z\.001: unpack it there first"):
        load_celeba([tmp_path], 16, 3, 1, False)


@pytest.mark.parametrize("what", ["table", "image"])
def test_two_of_one_name_are_refused(tmp_path, what):
    flat(tmp_path)
    if what == "table":
        (tmp_path / "list_attr_celeba.txt").unlink()
        put(tmp_path, "Anno/list_attr_celeba.txt", TXT_ATTRIBUTES)
        put(tmp_path, "old/list_attr_celeba.txt", TXT_ATTRIBUTES)
    else:
        put(tmp_path, f"{ALIGNED}/old/000002.jpg", b"x")
    with pytest.raises(UserError, match="keep one of them") as error:
        load_celeba([tmp_path], 16, 3, 1, False)
    assert "old/" in str(error.value) and "\n" not in str(error.value)
