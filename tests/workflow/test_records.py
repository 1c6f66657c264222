"""Files of which nothing says how they were made are refused, and no others."""

import re
import sys

import pytest
from conftest import ROOT
from snakemake.persistence.file import FilePersistence

from depthbias.system.snakemake_records import record_path

sys.path.insert(0, str(ROOT / "workflow"))
import records
from records import refuse_unrecorded

MODEL = "results/tiny/90-10/depth2/seed0/model.safetensors"


class Output(str):
    """An output with wildcards as a rule holds it: its text, and what it matches."""

    def match(self, name):
        return re.fullmatch(re.sub(r"\{(\w+),(.+?)\}", r"(?P<\1>\2)", self), name)


RUN = "results/{study,tiny}/{ratio,[0-9-]+}/{architecture,[a-z0-9]+}/seed{seed,[0-9]+}"
OUTPUT = Output(f"{RUN}/model.safetensors")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


def record(folder, kind, name):
    """Snakemake's own file about an output."""
    persistence = object.__new__(FilePersistence)
    persistence._max_len = None
    (folder / ".snakemake" / kind).mkdir(parents=True, exist_ok=True)
    write(folder / persistence._record_path(f".snakemake/{kind}", name))


def test_a_fresh_clone_has_nothing_to_refuse(folder):
    refuse_unrecorded([OUTPUT], ["tiny"])


def test_a_file_without_a_record_is_refused_in_one_line(folder):
    write(folder / MODEL)
    with pytest.raises(SystemExit, match=rf"^error: {MODEL}: nothing on record.*dvc pull") as error:
        refuse_unrecorded([OUTPUT], ["tiny"])
    assert "\n" not in str(error.value)


def test_the_number_of_files_is_told_and_other_studies_are_left_alone(folder):
    write(folder / MODEL)
    write(folder / MODEL.replace("depth2", "depth3"))
    with pytest.raises(SystemExit, match=r"safetensors and 1 more files: .*--forceall tiny"):
        refuse_unrecorded([OUTPUT], ["tiny"])
    refuse_unrecorded([OUTPUT], ["digits"])


@pytest.mark.parametrize("kind", ["metadata", "incomplete"])
def test_files_made_or_begun_on_record_pass(folder, kind):
    write(folder / MODEL)
    record(folder, kind, MODEL)
    refuse_unrecorded([OUTPUT], ["tiny"])


def test_records_of_long_names_are_found(folder):
    name = MODEL.replace("depth2", "depth2" + "x" * 200)
    write(folder / name)
    record(folder, "metadata", name)
    refuse_unrecorded([OUTPUT], ["tiny"])


def test_files_of_no_rule_and_metrics_from_git_pass(folder):
    write(folder / MODEL.replace("tiny", "mine"))
    write(folder / "metrics/tiny.json")
    refuse_unrecorded([OUTPUT, Output("metrics/{study,tiny}.json")], ["tiny"])


def test_windows_itself_is_refused_in_one_line():
    with pytest.raises(SystemExit, match=r"^error: Windows itself .* WSL 2") as caught:
        records.refuse_windows("nt")
    assert "\n" not in str(caught.value)
    records.refuse_windows("posix")


def test_a_system_that_tells_no_longest_name_has_255(monkeypatch):
    before = record_path("metadata", "a" * 300)
    monkeypatch.delattr("os.pathconf")
    assert record_path("metadata", "a" * 300) == before
