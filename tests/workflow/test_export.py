"""Exports of a finished study, read by the libraries of their forms."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

MODEL = ("90-10", "depth3", "0")
RUN = "results/tiny/90-10/depth3/seed0"


def export(folder, *words):
    """Run `depthbias export` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "depthbias.export.main", *map(str, words)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def exported(tiny, tmp_path_factory):
    """exported(what, *words): the folder written for it, once."""
    base, done = tmp_path_factory.mktemp("exports"), {}

    def make(what, *words):
        if what not in done:
            ended = export(tiny, what, "tiny", *words, "--output", base / what)
            assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
            done[what] = base / what
        return done[what]

    return make


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_model_has_a_card_with_what_was_measured_of_it(tiny, exported):
    from huggingface_hub import ModelCard

    folder = exported("model", *MODEL)
    card = ModelCard.load(folder / "README.md")
    assert card.data.library_name == "diffusers"
    results = {(r.metric_type, r.metric_name): r for r in card.data.eval_results}
    with (tiny / "results/tiny/summary.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["architecture"] == "depth3"]
    rows = [r for r in rows if r["seed"] == "0" and r["sampler"] in ("", "ddim-4")]
    shares = [r for r in rows if (r["ratio"], r["metric"]) == ("90-10", "share_corrected")]
    kappas = [r for r in rows if (r["ratio"], r["metric"]) == ("all", "kappa")]
    assert len(shares) == 2 and len(kappas) == 1
    for row in shares + kappas:
        told = results[row["metric"], f"{row['metric']} {row['class']}"]
        limits = told.metric_args["lower"], told.metric_args["upper"]
        found = np.array([told.metric_value, *limits])
        expected = [float(row[end]) for end in ("value", "lower", "upper")]
        np.testing.assert_allclose(found, expected, atol=1e-6)
    share = 100 * float(shares[0]["value"])
    for words in (
        "| classes in training | six 90 % (36), nine 10 % (4) |",
        f"| share, % | six | {share:.1f} [",
        "num_inference_steps=4",
        "**Do not leave out `use_clipped_model_output=True`.**",
        "CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/)",
        json.loads((tiny / RUN / "model.json").read_text())["weights"],
        f"snakemake --cores all {RUN}/model.safetensors",
    ):
        assert words in card.text


def test_a_model_opens_with_the_weights_of_the_study(tiny, exported):
    from safetensors.numpy import load_file

    unet = exported("model", *MODEL) / "unet/diffusion_pytorch_model.safetensors"
    own = load_file(tiny / RUN / "model.safetensors")
    assert own.keys() == load_file(unet).keys()
    assert all(np.array_equal(own[name], array) for name, array in load_file(unet).items())


def test_data_are_read_by_mlcroissant(tiny, exported):
    mlcroissant = pytest.importorskip("mlcroissant")
    folder = exported("data")
    data = mlcroissant.Dataset(folder / "croissant.json")
    assert not data.metadata.ctx.issues.errors and not data.metadata.ctx.issues.warnings
    records = {r["images/image"].decode(): r for r in data.records("images")}
    split = json.loads((tiny / "data/tiny/split.json").read_text())
    pool = {f"{row}.png": name for name, rows in split["pool"].items() for row in rows}
    assert {k: r["images/class"].decode() for k, r in records.items() if k in pool} == pool
    assert {r["images/part"] for k, r in records.items() if k in pool} == {b"pool"}
    with np.load(tiny / "data/tiny/images.npz", allow_pickle=False) as arrays:
        images = arrays["images"][..., 0]
    assert all(
        np.array_equal(np.asarray(r["images/picture"]), images[int(name.removesuffix(".png"))])
        for name, r in records.items()
    )
    subset = json.loads((tiny / "data/tiny/60-40/seed1.json").read_text())
    chosen = [r for r in data.records("subsets") if r["subsets/ratio"] == b"60-40"]
    chosen = {r["subsets/image"].decode() for r in chosen if r["subsets/seed"] == 1}
    assert chosen == {f"{row}.png" for row in subset["indices"]}


def test_images_that_may_not_be_passed_on_stay(tiny, tmp_path):
    """The records of a study of CelebA, made up from those of another."""
    from depthbias.system.snakemake_records import record_path

    pytest.importorskip("mlcroissant")
    shutil.copytree(tiny / "data", tmp_path / "data")
    shutil.copytree(tiny / ".snakemake/metadata", tmp_path / ".snakemake/metadata")
    place = record_path("metadata", "data/tiny/images.npz", tmp_path)
    place.write_text(place.read_text().replace("--dataset digits", "--dataset celeba"))
    done = export(tmp_path, "data", "tiny", "--output", "out")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "croissant.json",
        "images.csv",
        "subsets.csv",
    }
    told = json.loads((tmp_path / "out/croissant.json").read_text())
    assert "their licence forbids it" in told["description"]


@pytest.fixture(scope="module")
def crate(exported):
    pytest.importorskip("rocrate")
    return exported("study")


def test_a_crate_tells_how_each_file_was_made(tiny, crate):
    from rocrate.rocrate import ROCrate

    read = ROCrate(crate)
    actions = {action["name"]: action for action in read.get_by_type("CreateAction")}
    train = actions["train tiny 90-10 depth3 0"]
    assert train["instrument"].id == "scripts/train.py"
    assert {file.id for file in train["object"]} == {
        "data/tiny/90-10/seed0.json",
        "data/tiny/images.npz",
        "data/tiny/split.json",
    }
    assert f"{RUN}/model.safetensors" in {file.id for file in train["result"]}
    assert "--objective ddpm --budget 640" in train["description"]
    assert train["startTime"] < train["endTime"]
    usage = json.loads((tiny / RUN / "train-usage.json").read_text())
    assert {u["propertyID"]: u["value"] for u in train["resourceUsage"]} == {
        name: usage[name] for name in ("wall_seconds", "device_seconds", "peak_memory_bytes")
    }
    files = [file for file in read.data_entities if file.get("sha256")]
    assert len(files) > 200
    for file in files:
        assert file["sha256"] == sha256(crate / file.id) == sha256(tiny / file.id)
    steps = {step["name"] for step in read.get_by_type("HowToStep")}
    assert {"prepare", "train", "summarize", "write_page"} <= steps
    assert read.mainEntity.id == "workflow/Snakefile"


def test_what_no_job_made_is_an_input_of_the_run(crate):
    from rocrate.rocrate import ROCrate

    read = ROCrate(crate)
    run = read.dereference("#run")
    assert {file.id for file in run["object"]} == {"params.yaml"}
    results = {file.id for file in run["result"]}
    assert "results/tiny/index.html" in results and "results/tiny/bias.csv" not in results


def validator():
    """Python of the environment that holds roc-validator, or None."""
    places = f"{ROOT}/.venv/validator/bin{os.pathsep}{os.environ['PATH']}"
    place = shutil.which("rocrate-validator", path=places)
    return place and Path(place).with_name("python")


@pytest.mark.slow
@pytest.mark.skipif(not validator(), reason="roc-validator is not installed: `make validator`")
def test_a_crate_is_valid_and_a_broken_one_is_not(crate, tmp_path):
    """The context of RO-Crate 1.1 is made of that of 1.3, which rocrate brings."""
    import rocrate

    brought = json.loads((Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_text())
    base = "https://bioschemas.org"
    other = {name: f"{base}/{name}" for name in ("ComputationalWorkflow", "FormalParameter")}
    other |= {name: f"{base}/ComputationalWorkflow#{name}" for name in ("input", "output")}
    context = tmp_path / "context.jsonld"
    context.write_text(json.dumps({"@context": brought["@context"] | other}))
    broken = tmp_path / "broken"
    shutil.copytree(crate, broken)
    told = json.loads((crate / "ro-crate-metadata.json").read_text())
    told["@graph"] = [one for one in told["@graph"] if one["@type"] != "HowToStep"]
    (broken / "ro-crate-metadata.json").write_text(json.dumps(told))
    command = [validator(), ROOT / "tests/export/validate_crate.py", context, crate, broken]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert lines[0] == f"{crate}: valid", done.stdout + done.stderr
    assert lines[1] == f"{broken}: not valid"
    assert "A ControlAction must reference a HowToStep instance" in done.stdout


def test_large_files_are_told_and_not_copied(tiny, tmp_path):
    pytest.importorskip("rocrate")
    done = export(tiny, "study", "tiny", "--largest", "0.5", "--output", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    weights = f"{RUN}/model.safetensors"
    assert not (tmp_path / "small" / weights).exists()
    graph = json.loads((tmp_path / "small/ro-crate-metadata.json").read_text())["@graph"]
    [told] = [entity for entity in graph if entity["@id"] == f"#{weights}"]
    assert told["@type"] == "CreativeWork" and told["sha256"] == sha256(tiny / weights)
    assert told["contentSize"] == str((tiny / weights).stat().st_size)


def test_a_file_that_has_changed_since_is_not_told_as_if_it_had_been_read(tiny, tmp_path):
    pytest.importorskip("rocrate")
    for name in ("data", "results", "scripts", "workflow", ".snakemake/metadata"):
        shutil.copytree(tiny / name, tmp_path / name)
    shutil.copy(tiny / "params.yaml", tmp_path)
    with (tmp_path / "results/tiny/bias.csv").open("a") as file:
        file.write("\n")
    done = export(tmp_path, "study", "tiny", "--output", "out")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: results/tiny/bias.csv: has changed since rule summarize")
    assert not (tmp_path / "out").exists()
