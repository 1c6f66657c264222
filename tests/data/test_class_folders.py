"""Labels without a table: sub-folders, and the metadata.csv of the datasets library."""

import numpy as np
import pytest
from data.pictures import collect, encoded, picture

from depthbias.data.folder import load_folder
from depthbias.data.photos import decode
from depthbias.system.errors import UserError

IMAGE = encoded(picture(0, 8, 8), "PNG")


def filled(folder, *files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(IMAGE)
    return folder


def labels(folder):
    data = load_folder(folder, None, 8, 3, 1)
    chosen = [data.names[k] for k in data.attributes.argmax(axis=1)]
    return dict(zip(data.source, chosen, strict=True))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["cat/1.png", "dog/1.png", "dog/2.jpg"], ["cat", "dog", "dog"]),
        (["pets/cat/1.png", "pets/dog/1.png"], ["cat", "dog"]),
        (["pets/pets/cat/1.png", "pets/pets/dog/1.png"], ["cat", "dog"]),
        (["test/cat/1.png", "train/cat/1.png", "train/dog/1.png"], ["cat", "cat", "dog"]),
        (["pets/Train/cat/1.png", "pets/val/dog/1.png"], ["cat", "dog"]),
        (["train/1.png", "wagon/1.png"], ["train", "wagon"]),
        (["cat/1.png"], ["cat"]),
        (["yes/1.png", "no/1.webp"], ["no", "yes"]),
    ],
)
def test_a_sub_folder_a_class(tmp_path, files, expected):
    found = labels(filled(tmp_path, *files))
    assert found == dict(zip(sorted(files), expected, strict=True))


def test_the_images_are_those_of_the_files(tmp_path):
    filled(tmp_path, "cat/1.png")
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog/1.png").write_bytes(encoded(picture(5, 8, 8), "PNG"))
    images = collect(load_folder(tmp_path, None, 8, 3, 1))
    assert np.array_equal(images[1], decode(("x", tmp_path / "dog/1.png"), 8, 3))


def test_composed_and_decomposed_folders_are_one_class(tmp_path):
    found = labels(filled(tmp_path, "caf\u00e9/1.png", "cafe\u0301/2.png"))
    assert set(found.values()) == {"caf\u00e9"} and len(found) == 2


def test_what_archivers_and_people_leave_behind_is_left_out(tmp_path, capsys):
    filled(tmp_path, "cat/1.png", "dog/1.png", "cat/._1.png", "__MACOSX/cat/1.png", ".git/1.png")
    filled(tmp_path, "README.md", "cat/1.txt")
    assert list(labels(tmp_path)) == ["cat/1.png", "dog/1.png"]
    assert "2 files that are no images are left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "holds no images: put them there"),
        (["notes.txt"], "holds no images: put them there"),
        (["1.png", "2.png"], r"2 problems: 1\.png lies in no sub-folder; 2\.png lies in no sub-"),
        (["1.png", "cat/1.png"], r"1\.png|cat/1\.png lies"),
        (["cat/1.png", "dog/old/1.png"], r"dog/old/1\.png lies in a folder of a folder: give each"),
    ],
)
def test_folders_that_leave_the_class_open(tmp_path, files, message):
    with pytest.raises(UserError, match=message) as error:
        labels(filled(tmp_path, *files))
    assert "\n" not in str(error.value)


def test_an_image_of_a_format_that_cannot_be_read_is_named(tmp_path):
    filled(tmp_path, "cat/1.png", "dog/1.png")
    (tmp_path / "dog/2.heic").write_bytes(b"ftypheic")
    with pytest.raises(UserError, match=r"dog/2\.heic: unreadable image"):
        collect(load_folder(tmp_path, None, 8, 3, 1))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="none: cannot read: No such file"):
        labels(tmp_path / "none")


def test_a_folder_that_holds_itself_is_named(tmp_path):
    filled(tmp_path, "cat/1.png")
    (tmp_path / "dog").symlink_to(tmp_path)
    with pytest.raises(UserError, match="dog: a link to a folder that holds it: take the link"):
        labels(tmp_path)


def test_linked_folders_are_read(tmp_path):
    filled(tmp_path / "elsewhere", "1.png")
    filled(tmp_path / "raw", "cat/1.png")
    (tmp_path / "raw/dog").symlink_to(tmp_path / "elsewhere")
    assert labels(tmp_path / "raw") == {"cat/1.png": "cat", "dog/1.png": "dog"}


@pytest.mark.parametrize("place", ["", "train/"])
def test_metadata_of_the_datasets_library(tmp_path, place):
    filled(tmp_path, f"{place}a.png", f"{place}sub/b.png")
    text = "file_name,label,text\na.png,cat,\nsub/b.png,dog,two words\n"
    (tmp_path / f"{place}metadata.csv").write_text(text)
    assert labels(tmp_path) == {f"{place}a.png": "cat", f"{place}sub/b.png": "dog"}


def test_metadata_in_several_folders(tmp_path):
    for part in ("test", "train"):
        filled(tmp_path, f"{part}/a.png")
        (tmp_path / part / "metadata.csv").write_text(f"file_name,label\na.png,{part[:2]}\n")
    assert labels(tmp_path) == {"test/a.png": "te", "train/a.png": "tr"}


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.parquet"])
def test_other_metadata_is_refused(tmp_path, name):
    filled(tmp_path, "cat/a.png", f"cat/{name}")
    with pytest.raises(UserError, match=rf"cat/{name}: not read: save it as metadata\.csv"):
        labels(tmp_path)
