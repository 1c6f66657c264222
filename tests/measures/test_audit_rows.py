"""The rows of an audit's groups as one table."""

import pandas as pd

from depthbias.estimates.tidy import COLUMNS, tidy
from depthbias.measures.audit_rows import audit_rows


def group(name, *rows):
    """The table of a group: rows are (architecture, class, value, n)."""
    about = {"study": name, "ratio": "natural", "seed": "0", "sampler": "", "metric": "m"}
    about["runs"] = 1
    names = ("architecture", "class", "value", "n")
    return tidy([about | dict(zip(names, row, strict=True)) for row in rows])


def seen(found):
    return found[["architecture", "class", "value"]].to_numpy().tolist()


def test_every_row_of_a_subject_stays_under_the_name_of_the_audit():
    found = audit_rows([group("a-x", ("x", "", 1, 5)), group("a-y", ("y", "", 2, 9))], "a")
    assert found["study"].tolist() == ["a", "a"] and list(found.columns) == COLUMNS
    assert seen(found) == [["x", "", 1], ["y", "", 2]]


def test_rows_about_real_images_are_those_of_the_group_with_most():
    few = group("a-x", ("train", "six", 1, 10), ("real", "six", 2, 30), ("x", "six", 3, 1))
    most = group("a-y", ("train", "six", 4, 20), ("real", "six", 5, 20), ("y", "six", 6, 1))
    some = group("a-z", ("train", "six", 7, 15), ("train", "nine", 8, 2), ("z", "six", 9, 1))
    found = {(a, c): value for a, c, value in seen(audit_rows([few, most, some], "a"))}
    real = {("train", "six"): 4, ("train", "nine"): 8, ("real", "six"): 2}
    assert found == real | {("x", "six"): 3, ("y", "six"): 6, ("z", "six"): 9}


def test_of_groups_with_equally_many_real_images_the_first_one_tells():
    parts = [group(f"a-{i}", ("train", "", i, 20), (f"s{i}", "", i, 20)) for i in range(40)]
    found = audit_rows(parts, "a")
    assert seen(found[found["architecture"] == "train"]) == [["train", "", 0]]
    assert len(found) == 41


def test_the_class_of_a_study_without_classes_has_no_rows():
    rows = group("a-x", ("x", "image", 1, 5), ("x", "", 2, 5), ("real", "image", 3, 5))
    assert seen(audit_rows([rows], "a")) == [["x", "", 2]]
    assert rows["study"].tolist() == ["a-x"] * 3  # the tables given stay as they are


def test_rows_without_real_images_are_joined_as_they_are():
    assert audit_rows([group("a-x", ("x", "", 1, 5))], "a")["runs"].tolist() == [1]
    assert isinstance(audit_rows([group("a-x", ("real", "", 1, 5))], "a"), pd.DataFrame)
