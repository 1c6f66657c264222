"""Names of classes and labels that YAML would turn into something else."""

import json
from pathlib import Path

import pytest

from depthbias.config.reading import load, parse
from depthbias.system.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "params.yaml").read_text()
CLASSES = ("      six: { any: [6] }\n", "      nine: { any: [9] }\n")


def classes_of(path, first, second="dog: { any: [dog] }"):
    """The classes of the digits study, with these lines in their place."""
    text = TEXT.replace(CLASSES[0], f"      {first}\n").replace(CLASSES[1], f"      {second}\n")
    assert text != TEXT
    (path / "params.yaml").write_text(text)
    return load(path / "params.yaml").studies["digits"].classes


SURPRISES = [
    "yes",
    "No",
    "on",
    "OFF",
    "true",
    "null",
    "~",
    "007",
    "0x1F",
    "0o17",
    "1_000",
    "1.10",
    "1e3",
    ".5",
    ".inf",
    ".NaN",
    "12:30:45",
    "2001-01-01",
    "=",
    "<<",
    "cat",
]


@pytest.mark.parametrize("label", SURPRISES)
def test_labels_are_read_as_they_are_written(tmp_path, label):
    for form in (f"a: {{ any: [{label}] }}", f"a: {{ all: ['{label}'] }}"):
        [given] = [rule for name, rule in classes_of(tmp_path, form).items() if name == "a"]
        assert [*given.any, *given.all] == [label]
    [given] = [
        rule
        for name, rule in classes_of(tmp_path, f"a:\n        none:\n        - {label}").items()
        if name == "a"
    ]
    assert given.none == [label]


@pytest.mark.parametrize("name", ["yes", "no", "on", "6", "007", "null", "2001-01-01"])
def test_names_of_classes_are_read_as_they_are_written(tmp_path, name):
    assert list(classes_of(tmp_path, f"{name}: {{ any: [a] }}")) == [name, "dog"]


def test_a_class_that_is_there_twice_is_still_refused(tmp_path):
    with pytest.raises(UserError, match="'yes' is there twice"):
        classes_of(tmp_path, "yes: { any: [a] }", "yes: { any: [b] }")


@pytest.mark.parametrize("value", [True, False, None, 1.5, float("nan")])
def test_what_another_reader_made_of_a_label_is_refused(tmp_path, value):
    content = json.loads(load(ROOT / "params.yaml").model_dump_json(exclude_defaults=True))
    content["studies"]["digits"]["classes"]["six"] = {"any": [value]}
    with pytest.raises(UserError, match="write the label in quotes, as 'yes'") as error:
        parse(content)
    assert "classes.six.any" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("classes", ["classes: 5", "classes: [yes]", "classes:", "classes: yes"])
def test_classes_of_another_form_are_refused_in_one_line(tmp_path, classes):
    text = TEXT.replace("    classes: # majority", f"    {classes} # majority", 1)
    for line in CLASSES:
        text = text.replace(line, "")
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=r"studies\.digits\.classes") as error:
        load(tmp_path / "params.yaml")
    assert "\n" not in str(error.value)
