"""What is told of a study by the records of its jobs."""

import json
from datetime import UTC, datetime

import pytest
from made_up_records import record

from depthbias.export.jobs import jobs_of
from depthbias.export.main import main
from depthbias.export.needs import needs
from depthbias.export.study import Study
from depthbias.system.errors import UserError
from depthbias.system.snakemake_records import record_path

RUN = {"study": "pets", "ratio": "90-10", "architecture": "depth2", "seed": "0"}
IMAGES, MODEL, LOG = "data/pets/images.npz", "results/pets/m.safetensors", "results/pets/train.csv"
SCRIPTS = 'python "$DEPTHBIAS/scripts/'
PREPARE = f'{SCRIPTS}prepare.py" --dataset folder --raw "my pets" --output {IMAGES} &> a.log'
TRAIN = (
    f"{SCRIPTS}train.py\" --images {IMAGES} --run '{json.dumps(RUN)}' --model {MODEL} "
    f"--log {LOG} &> b.log"
)


@pytest.fixture
def pets(tmp_path):
    record(tmp_path, IMAGES, "prepare", PREPARE)
    hashes = {"input_checksums": {IMAGES: "sha256:0f"}}
    for start, path in ((200.0, MODEL), (200.01, LOG)):
        record(tmp_path, path, "train", TRAIN, [IMAGES, "outside.csv"], start, **hashes)
    return tmp_path


def test_jobs_are_told_once_in_their_order(pets):
    prepare, train = jobs_of("pets", pets)
    assert (prepare.rule, prepare.script, prepare.outputs) == (
        "prepare",
        "scripts/prepare.py",
        (IMAGES,),
    )
    assert prepare.flags == {"dataset": ["folder"], "raw": ["my pets"], "output": [IMAGES]}
    assert train.outputs == (MODEL, LOG) and train.inputs == (IMAGES, "outside.csv")
    assert train.run == RUN and prepare.run == {}
    assert train.hashes == {IMAGES: "0f"}
    assert train.start == datetime(1970, 1, 1, 0, 3, 20, tzinfo=UTC)
    assert (train.end - train.start).seconds == 5


def test_what_a_study_shares_with_another_is_told_too(pets):
    record(pets, "results/more/a.csv", "x", f'{SCRIPTS}x.py" --output a', [LOG], 300.0)
    assert [job.rule for job in jobs_of("more", pets)] == ["prepare", "train", "x"]


def test_unfinished_jobs_and_files_that_are_gone_are_left_out(pets):
    record(pets, "results/pets/half.csv", "half", f'{SCRIPTS}x.py" --output a', incomplete=True)
    (pets / LOG).unlink()
    assert [job.outputs for job in jobs_of("pets", pets)] == [(IMAGES,), (MODEL,)]


def test_no_study_and_no_record_are_a_line(pets):
    with pytest.raises(UserError, match=r"^no results of study cats here: run `snakemake cats`"):
        jobs_of("cats", pets)
    (pets / "results/dogs").mkdir()
    (pets / "results/dogs/a.csv").touch()
    with pytest.raises(UserError, match=r"^study dogs: nothing on record .* `dvc pull`"):
        jobs_of("dogs", pets)


def test_a_damaged_record_is_a_line(pets):
    record_path("metadata", MODEL, pets).write_text("{")
    with pytest.raises(UserError, match="not a record of Snakemake"):
        jobs_of("pets", pets)


def test_a_model_that_does_not_exist_is_named_with_one_that_does(pets):
    study = Study("pets", pets)
    assert study.model("90-10", "depth2", "0").rule == "train"
    with pytest.raises(UserError, match=r"no model of architecture 'depth3' .* 'depth2'\?$"):
        study.model("90-10", "depth3", "0")


def test_terms_of_own_images_are_those_given(pets):
    assert Study("pets", pets).licence.name == ""
    assert Study("pets", pets, terms="CC0-1.0").licence.name == "CC0-1.0"


def test_a_package_that_is_missing_is_named_with_its_extra():
    with pytest.raises(UserError, match=r"^package mlcroisant is not installed: .*\[export\]"):
        needs("mlcroisant")


def export(monkeypatch, folder, *words):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["depthbias export", *words])
    main()


def test_a_folder_that_is_not_empty_is_not_written_into(pets, monkeypatch):
    with pytest.raises(UserError, match=r"^results: is there already: name a new folder"):
        export(monkeypatch, pets, "data", "pets", "--output", "results")


def test_an_export_that_fails_leaves_nothing(pets, monkeypatch):
    pytest.importorskip("rocrate")
    before = sorted(pets.iterdir())
    with pytest.raises(UserError, match=rf"^{IMAGES}: has changed since rule train read it"):
        export(monkeypatch, pets, "study", "pets", "--output", "crate")
    assert sorted(pets.iterdir()) == before
