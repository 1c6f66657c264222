"""depthbias audit: what it writes into params.yaml, and what it refuses."""

import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from depthbias import audit
from depthbias.config.reading import load
from depthbias.system.errors import UserError

BEFORE = """# mine
active: [a]
studies: # all of them
  # the first
  a:
    data: { raw: t, size: 8, channels: 1 }
    subjects: { x: { images: g } }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with images, a Snakefile and other parameters, in which commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Snakefile").touch()
    (tmp_path / "t/deep").mkdir(parents=True)
    Image.fromarray(np.zeros((8, 12), np.uint8)).save(tmp_path / "t/deep/0.png")
    return tmp_path


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["depthbias audit", *words, "--dry-run"])
    audit.main()


def test_the_study_is_written_beside_the_others_and_shown(folder, monkeypatch, capsys):
    (folder / "params.yaml").write_text(BEFORE)
    words = ["--training", "t", "--generated", "My Images.zip", "n.npz", "--name", "new"]
    words += ["--heldout", "h", "--heldout-labels", "h.csv", "--labels", "t.csv"]
    run(monkeypatch, *words, "--classes", "cat", "dogs=dog,yes")
    text = (folder / "params.yaml").read_text()
    for line in BEFORE.splitlines():
        assert line in text
    found = load("params.yaml").audits
    assert list(found) == ["new", "a"]
    new = found["new"]
    assert new.data.size == [8, 12] and new.data.channels == 1 and new.data.labels == "t.csv"
    assert {n: s.images for n, s in new.subjects.items()} == {
        "my-images": "My Images.zip",
        "n": "n.npz",
    }
    assert new.classes["dogs"].any == ["dog", "yes"] and new.classes["cat"].any == ["cat"]
    assert new.heldout.labels == "h.csv"
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown.split("studies:\n")[1].split("To repeat")[0]).keys() == {"new"}
    assert shown.endswith("To repeat it: snakemake --cores all audit_new\n")


def test_without_parameters_a_file_is_made_and_the_same_words_add_nothing(folder, monkeypatch):
    words = ["--training", "t", "--generated", "g", "--name", "new", "--size", "8"]
    run(monkeypatch, *words)
    text = (folder / "params.yaml").read_text()
    assert load("params.yaml").active == ["new"] and load("params.yaml").audits["new"]
    run(monkeypatch, *words)
    run(monkeypatch, "--name", "new")
    assert (folder / "params.yaml").read_text() == text
    with pytest.raises(UserError, match=r"studies\.new is there and says something else"):
        run(monkeypatch, *words[:-1], "16")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name", "x"], "no audit 'x': give --training and --generated"),
        (["--name", "x", "--training", "t"], "--generated, --model: give what"),
        (["--name", "x", "--generated", "g"], "--training: give the folder"),
        (["--name", "x", "--training", "none", "--generated", "g"], "none: no such folder"),
        (["--name", "x", "--training", "t", "--model", "m"], "m/unet/config.json: cannot read"),
        (["--name", "x y", "--training", "t", "--generated", "g"], "x y"),
        (["--name", "x", "--fail-if", "much"], "'much' is no condition"),
    ],
)
def test_wrong_words_are_a_line_and_write_nothing(folder, monkeypatch, words, message):
    (folder / "params.yaml").write_text(BEFORE)
    with pytest.raises(UserError) as caught:
        run(monkeypatch, *words)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert (folder / "params.yaml").read_text() == BEFORE


def test_a_first_study_that_is_wrong_leaves_no_file(folder, monkeypatch):
    with pytest.raises(UserError):
        run(monkeypatch, "--name", "x", "--training", "t", "--generated", "g", "--classes", "one")
    assert not (folder / "params.yaml").exists()


def test_elsewhere_it_says_where_to_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="change to the folder of depthbias"):
        run(monkeypatch, "--name", "x")
