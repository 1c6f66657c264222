"""Copies of images, and copies that are filed under two classes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data.pictures import encoded, picture

from depthbias.data.duplicates import first_copies, settled
from depthbias.system.errors import UserError

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def test_copies_are_found_across_blocks():
    images = np.random.default_rng(0).integers(0, 256, (10, 4, 4, 3), dtype=np.uint8)
    images[7] = images[2]
    images[9] = images[2]
    images[4] = images[3]
    images[6] = images[5]
    images[6, 0, 0, 0] ^= 1  # a single bit apart is no copy
    wanted = np.ones(10, dtype=bool)
    wanted[3] = False  # an image in no class does not displace its copy
    first = first_copies([images[:5], images[5:]], wanted)
    assert np.flatnonzero(first != np.arange(10)).tolist() == [3, 7, 9]
    assert first[3] == -1


CLASSES = ["cat", "dog", "owl"]
SOURCE = [f"{row}.png" for row in range(9)]


def labels_of(*classes):
    return np.array([CLASSES.index(name) if name else -1 for name in classes])


@pytest.mark.parametrize(
    ("first", "labels", "dropped"),
    [
        ([0, 1, 2, 3], labels_of("cat", "dog", "cat", "dog"), []),
        ([0, 0, 2, 2], labels_of("cat", "cat", "dog", "dog"), []),
        ([0, 1, 0, 3], labels_of("cat", "dog", "dog", "dog"), [0, 2]),
        ([0, 0, 0, 0, 4], labels_of("cat", "cat", "dog", "cat", "cat"), [0, 1, 2, 3]),
        ([0, 0, 2, 2, 2], labels_of("cat", "dog", "dog", "owl", "cat"), [0, 1, 2, 3, 4]),
        ([-1, 1, 1, -1], labels_of("", "cat", "dog", ""), [1, 2]),
        ([-1, 1, -1, 3], labels_of("", "cat", "", "dog"), []),
    ],
)
def test_all_copies_of_a_picture_in_two_classes_are_dropped(first, labels, dropped):
    first = np.array(first)
    found = settled(labels, first, CLASSES, SOURCE, "drop")
    assert np.flatnonzero(found != labels).tolist() == dropped
    assert (found[dropped] == -1).all()
    if dropped:
        with pytest.raises(UserError, match=r"are one picture.*data\.on_conflict: drop"):
            settled(labels, first, CLASSES, SOURCE, "stop")
    else:
        assert np.array_equal(settled(labels, first, CLASSES, SOURCE, "stop"), labels)


def test_the_error_names_both_rows_of_each_pair():
    first = np.array([0, 0, 2, 2, 2])
    with pytest.raises(UserError) as error:
        settled(labels_of("cat", "dog", "dog", "owl", "dog"), first, CLASSES, SOURCE, "stop")
    assert str(error.value) == (
        "2 problems: 0.png (class cat, row 0) and 1.png (class dog, row 1) are one picture; "
        "2.png (class dog, row 2) and 3.png (class owl, row 3) are one picture: correct their "
        "labels, or say data.on_conflict: drop to use none of them"
    )


def run(name, *flags):
    command = [sys.executable, SCRIPTS / name, *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True)


def split(raw, labels, place, on_conflict):
    """What prepare.py and split.py make of a folder: its standard error and the split."""
    images, output = place / "images.npz", place / "split.json"
    table = ["--labels", labels] if labels else []
    conflict = ["--on-conflict", on_conflict]
    done = run(
        *("prepare.py", "--dataset", "folder", "--raw", raw, *table, "--size", 8),
        *("--channels", 3, *conflict, "--output", images),
    )
    if done.returncode == 0:
        classes = json.dumps({name: {"any": [name]} for name in ("cat", "dog")})
        done = run(
            *("split.py", "--images", images, "--classes", classes, *conflict),
            *("--heldout", 4, "--seed", 0, "--output", output),
        )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return errors, json.loads(output.read_text()) if output.exists() else None


@pytest.fixture
def pets(tmp_path):
    """Ten different pictures of each class, in a folder each, and a table of them."""
    for row in range(20):
        path = tmp_path / "raw" / ("cat", "dog")[row % 2] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(picture(row, 8, 8), "PNG"))
    files = sorted((tmp_path / "raw").glob("*/*.png"))
    rows = [f"{path.relative_to(tmp_path / 'raw')},{path.parent.name}\n" for path in files]
    (tmp_path / "labels.csv").write_text("file,label\n" + "".join(rows))
    return tmp_path


def copied(pets, way):
    """File the picture of cat/0.png under dog as well; returns its other name."""
    raw, content = pets / "raw", (pets / "raw/cat/0.png").read_bytes()
    with (pets / "labels.csv").open("a") as table:
        if way == "row":
            table.write("cat/0.png,dog\n")
            return "cat/0.png"
        name = {"copy": "dog/copy.png", "other format": "dog/0.bmp"}.get(way, "dog/link.png")
        table.write(f"{name},dog\n")
    if way == "copy":
        (raw / name).write_bytes(content)
    elif way == "other format":
        (raw / name).write_bytes(encoded(picture(0, 8, 8), "BMP"))
    else:
        (raw / name).symlink_to(raw / "cat/0.png")
    return name


@pytest.mark.parametrize("way", ["row", "copy", "link", "other format"])
@pytest.mark.parametrize("with_table", [True, False])
def test_a_picture_under_two_classes(pets, way, with_table):
    if way == "row" and not with_table:
        pytest.skip("only a table has rows")
    name = copied(pets, way)
    labels = pets / "labels.csv" if with_table else None
    [error], _ = split(pets / "raw", labels, pets, "stop")
    assert name in error and "cat/0.png" in error and "data.on_conflict: drop" in error
    errors, made = split(pets / "raw", labels, pets, "drop")
    assert not errors
    assert made["conflicts"] == 2 and made["duplicates"] == 0
    assert made["population"] == [9, 10]


def test_copies_within_a_class_are_no_conflict(pets):
    (pets / "raw/cat/copy.png").write_bytes((pets / "raw/cat/0.png").read_bytes())
    errors, made = split(pets / "raw", None, pets, "stop")
    assert not errors
    assert (made["conflicts"], made["duplicates"], made["population"]) == (0, 1, [11, 10])
