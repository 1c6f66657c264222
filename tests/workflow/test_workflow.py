"""The workflow: a tiny real study from raw digits to figures, plans, staleness, bad input."""

import copy
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, SNAKEMAKE, TINY, copy_checkout, rules, snakemake

from depthbias.config.reading import load
from depthbias.estimates.tidy import read_rows
from depthbias.measures.manifolds import read_manifold
from depthbias.measures.opinions import read_opinions
from depthbias.measures.samples import read_classes

RESULTS = "results/tiny"


def copied(tiny, tmp_path, change=None):
    """A copy of the finished tiny study, its params changed by `change(study)`."""
    folder = tmp_path / "copy"
    shutil.copytree(tiny, folder)
    if change:
        params = copy.deepcopy(TINY)
        change(params["studies"]["tiny"])
        (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def planned(folder, *arguments):
    """The jobs that a dry run plans, as {rule: count}."""
    done = snakemake(folder, "-n", "--cores", "1", *arguments)
    assert done.returncode == 0, done.stdout
    rows = re.findall(r"^(\S+)\s+(\d+)$", done.stdout, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in rows if rule not in ("total", "all")}


def test_tiny_study_makes_every_artefact(tiny):
    run = tiny / RESULTS / "90-10/depth3/seed1"
    made = ("model.safetensors", "model.json", "train.csv", "train-usage.json")
    for name in (*made, "denoising-errors.npz", "flips.npz"):
        assert (run / name).is_file()
    with np.load(run / "samples-ddim-4.npz") as samples:
        assert samples["images"].shape == (40, 8, 8, 1) and samples["images"].dtype == np.uint8
    names = ["proportions", "kappa", "losses", "real", "grid-90-10", "grid-60-40"]
    names += ["linearity", "structure", "score-errors", "linear-maps", "trajectories-90-10"]
    names += ["membership", "copied-training", "roc-90-10", "roc-60-40", "quality"]
    names += ["depth-use", "convergence", "thresholds", "bias-variance", "flips"]
    for name in [*names, "diversity", "neighbors", "nearest-pairs-90-10", "nearest-pairs-60-40"]:
        assert (tiny / RESULTS / f"figures/{name}.png").stat().st_size > 5000
        assert (tiny / RESULTS / f"figures/{name}.svg").read_text().startswith("<?xml")
    for name in ("proportions", "quality"):
        assert "depth3" in (tiny / RESULTS / f"tables/{name}.md").read_text()
    records = pd.read_csv(tiny / RESULTS / "tables/usage.csv")
    assert len(records) == 8 * 2 and set(records.job) == {"train", "ddim-4"}
    assert (records.wall_seconds > 0).all() and (records.peak_memory_bytes > 2**20).all()
    verdict = json.loads((tiny / RESULTS / "verdict.json").read_text())
    assert len(verdict["arms"]) == 4  # no image of these models is on the manifold
    assert verdict["sentence"].startswith("Cannot tell: ")
    page = (tiny / RESULTS / "index.html").read_text()
    assert (
        verdict["sentence"].partition(":")[0] in page
        and 'id="samples"' in page
        and len(page) < 20e6
    )
    slopes = pd.read_csv(tiny / RESULTS / "verdict.csv")
    assert set(slopes.role) == {"primary", "secondary", "other"}
    assert not list(tiny.rglob("*.tmp")) and not list(tiny.rglob("resume-*"))


def test_tiny_summary_holds_runs_aggregates_and_control(tiny):
    summary = read_rows(tiny / RESULTS / "summary.csv")
    raw = summary[summary.metric == "share_raw"]
    runs = raw[(raw.architecture != "real") & (raw.seed != "all")]
    assert len(runs) == 2 * 2 * 2 * 2  # ratios, architectures, seeds, classes
    assert (raw.lower <= raw.value).all() and (raw.value <= raw.upper).all()
    sums = runs.groupby(["ratio", "architecture", "seed"]).value.sum()
    assert np.allclose(sums, 1)
    assert set(summary.metric) >= {"lpips:classifier", "nn_distance:pixels", "linearity"}
    assert set(summary[summary.seed == "all"].metric) >= {
        "share_corrected",
        "log_odds_shift",
        "kappa",
    }
    control = summary[(summary.architecture == "real") & (summary.metric == "share_corrected")]
    truth = {
        ("90-10", "six"): 0.9,
        ("90-10", "nine"): 0.1,
        ("60-40", "six"): 0.6,
        ("60-40", "nine"): 0.4,
    }
    for row in control.itertuples():
        share = truth[(row.ratio, row[control.columns.get_loc("class") + 1])]
        assert row.lower <= share <= row.upper


def test_the_manifold_of_the_tiny_study_is_its_precision(tiny):
    summary = read_rows(tiny / RESULTS / "summary.csv")
    manifold = read_manifold(tiny / RESULTS / "manifold.npz", "tiny")
    assert len(manifold.runs) == 8 and manifold.accepted.shape == (8, 40)
    whole = summary[(summary.metric == "precision:pixels") & (summary["class"] == "")]
    rows = whole[whole.k == manifold.k].set_index(["ratio", "architecture", "seed", "sampler"])
    for run in manifold.runs:
        assert rows.loc[run.key, "value"] == pytest.approx(manifold.of(run).mean())
    real = summary[(summary.metric == "precision:pixels") & (summary.architecture == "real")]
    for name, rate in zip(manifold.classes, manifold.acceptance, strict=True):
        own = real[(real["class"] == name) & (real.k == manifold.k) & (real.ratio == "90-10")]
        assert own.value.tolist() == pytest.approx([rate])
    failed = summary[summary.metric == "failed_share"].set_index(
        ["ratio", "architecture", "seed", "sampler"]
    )
    assert all(
        failed.loc[r.key, "value"] >= 1 - manifold.of(r).mean() - 1e-9 for r in manifold.runs
    )


def test_three_kinds_of_classifiers_see_every_image_of_the_tiny_study(tiny):
    opinions = read_opinions(tiny / RESULTS / "opinions.npz", "tiny")
    assert opinions.names == ("network-0", "network-1", "svm-pixels", "nearest-pixels")
    assert opinions.log_odds.shape == (8, 40, 4, 2) and opinions.heldout.shape == (54, 4, 2)
    for run in opinions.runs:
        path = tiny / RESULTS / "/".join(run[1:3]) / f"seed{run.seed}/classes-{run.sampler}.npz"
        labels = read_classes(path).labels
        assert np.array_equal(opinions.of(run)[:, 0].argmax(axis=1), labels)
    meta = json.loads((tiny / RESULTS / "classifier.json").read_text())
    assert opinions.confusion("network-0").tolist() == meta["confusion"]
    summary = read_rows(tiny / RESULTS / "summary.csv")
    accuracy = summary[summary.metric.str.startswith("classifier_accuracy:")]
    assert len(accuracy) == 4 * 3 and (accuracy.value > 0.9).all()
    assert "svm-pixels" in (tiny / RESULTS / "tables/classifiers.md").read_text()
    assert set(summary.metric) >= {
        "kappa_over_classifiers",
        "agreement_outside",
        "share_above:svm-pixels",
    }


def test_labels_by_hand_change_the_summary_alone(tiny, tmp_path):
    folder = copied(tiny, tmp_path)
    assert planned(folder, "labels_tiny") == {"label_sheet": 1, "labels_tiny": 1}
    (folder / "data/labels").mkdir()
    (folder / "data/labels/tiny.csv").write_text("image,label\n")
    jobs = planned(folder)
    assert jobs["measure_labels"] == jobs["summarize"] == 1
    assert all(name.startswith(("plot_", "write_", "measure_l", "summ")) for name in jobs), jobs
    done = snakemake(folder, "--cores", "1", f"{RESULTS}/labelled.csv")
    assert done.returncode == 1
    [line] = (folder / "logs/measure_labels/tiny.log").read_text().splitlines()
    assert line.startswith("error: data/labels/tiny.csv: holds no label: save it again")


def test_another_k_measures_quality_and_nothing_before_it(tiny, tmp_path):
    folder = copied(tiny, tmp_path, lambda study: study.update(quality={"k": [4, 5]}))
    jobs = planned(folder)
    assert jobs["measure_quality"] == jobs["measure_bias"] == 1  # all runs in one job
    assert not {"train", "sample", "classify", "embed", "measure_neighbors"} & set(jobs)


def test_a_finished_study_is_not_run_again_even_when_touched(tiny, tmp_path):
    folder = copied(tiny, tmp_path)
    for path in folder.rglob("*"):
        if ".snakemake" not in path.parts:
            os.utime(path)
    done = snakemake(folder, "-n", "--cores", "1")
    assert "Nothing to be done" in done.stdout, done.stdout


def test_a_library_change_reruns_only_what_uses_it(tiny, tmp_path):
    folder = copied(tiny, tmp_path)
    with (folder / "depthbias/measures/class_shares.py").open("a") as file:
        file.write("\n# a comment\n")
    assert planned(folder) == {}
    with (folder / "depthbias/measures/class_shares.py").open("a") as file:
        file.write("ADDED = 1\n")
    jobs = planned(folder)
    assert "measure_bias" in jobs and not {"train", "sample", "classify"} & set(jobs)


def test_a_changed_training_value_retrains(tiny, tmp_path):
    folder = copied(tiny, tmp_path, lambda study: study["training"].update(learning_rate=0.001))
    assert planned(folder)["train"] == 8


def test_one_more_depth_trains_only_the_new_models(tiny, tmp_path):
    folder = copied(tiny, tmp_path, lambda study: study["architectures"].append("depth4"))
    jobs = planned(folder)
    assert (jobs["train"], jobs["sample"], jobs["classify"]) == (4, 4, 4)
    assert not {"prepare", "split", "subset", "train_classifier"} & set(jobs)


def test_report_is_one_self_contained_page_with_every_figure(tiny, tmp_path):
    folder = copied(tiny, tmp_path)
    done = snakemake(folder, "--report", "report.html")
    assert done.returncode == 0, done.stdout
    page = (folder / "report.html").read_text()
    for words in (
        "class proportions against depth",
        "same noise, every depth",
        "memory and devices",
    ):
        assert words in page
    assert not re.search(r'<(script|link)[^>]+(src|href)="https?://', page)


@pytest.mark.parametrize("study", list(load(ROOT / "params.yaml").studies))
def test_every_study_has_a_plan(study):
    params = load(ROOT / "params.yaml").studies[study]
    models = len(params.ratios) * len(params.architectures) * len(params.seeds)
    assert planned(ROOT, "--forceall", study)["train"] == models


def test_a_sweep_trains_a_model_a_value_and_shares_the_rest():
    jobs = planned(ROOT, "--forceall", "sweeps_mnist-sweep")
    # 4 sizes and 2 other widths with 2 seeds each; the 3 snapshots are of the two at the base
    assert (jobs["train"], jobs["snapshot"], jobs["measure_model"]) == (12, 6, 18)
    assert jobs["prepare"] == jobs["split"] == jobs["train_classifier"] == jobs["embed_real"] == 1
    assert (jobs["plot_sweep"], jobs["plot_disjoint"]) == (3, 4)
    assert "measure_matched" not in jobs  # there is one depth
    jobs = planned(ROOT, "--forceall", "sweeps_celeba-sweep")
    assert (jobs["plot_sweep"], jobs["measure_matched"]) == (3, 1)


def test_the_theory_bench_trains_what_it_looks_at_and_its_exact_parts_nothing():
    jobs = planned(ROOT, "--forceall", "theory")
    assert (jobs["measure_landscape"], jobs["measure_molrg"]) == (1, 1)
    assert (jobs["measure_jacobian"], jobs["measure_editing"], jobs["train"]) == (18, 18, 18)
    assert sum("plot_theory" in name for name in jobs) == 18
    # of the first ratio three depths and three seeds; no image is sampled for it beforehand
    bypass = planned(ROOT, "--forceall", "theory_bypass")
    assert (bypass["train"], bypass["measure_bypass"]) == (9, 1) and "sample" not in bypass
    assert planned(ROOT, "--forceall", "theory_watermark")["train"] == 1
    assert "train" not in planned(ROOT, "--forceall", "theory_landscape")
    part = planned(ROOT, "--forceall", "theory_molrg")
    assert {name for name in part if part[name]} == {
        "measure_molrg",
        "plot_theory_phases",
        "plot_theory_boundary",
        "theory_molrg",
    }
    part = planned(ROOT, "--forceall", "theory_landscape")
    assert part["subset"] == 2 and "train" not in part


def test_phases_are_targets_and_gpus_are_a_resource():
    jobs = planned(ROOT, "--forceall", "--resources", "gpu=3", "--", "train_mnist")
    assert jobs["train"] == 150 and "sample" not in jobs


@pytest.mark.parametrize(
    "line",
    [
        line.split("#")[0].split("&&")[0]
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("snakemake ") and "--report" not in line.split("&&")[0]
    ],
)
def test_commands_of_the_readme_make_a_plan(line):
    done = snakemake(ROOT, *shlex.split(line)[1:], "-n", "-q")
    assert done.returncode == 0, done.stdout


def test_every_rule_has_a_script_log_benchmark_and_environment():
    targets = {"digits", "sweeps_mnist-sweep", "theory"}
    found = rules(*targets)
    assert {"train", "plot_kappa", "plot_score_errors", "plot_sweep", "snapshot"} < found.keys()
    assert {"measure_molrg", "plot_theory_energy", "summarize_theory"} < found.keys()
    for name in found.keys() - targets:
        for words in ('python "$DEPTHBIAS/scripts/', "log: logs/", "benchmark: logs/benchmarks/"):
            assert words in found[name], f"{name} lacks {words}"
        script = re.search(r"\$DEPTHBIAS/(scripts/\w+\.py)", found[name])[1]
        assert (ROOT / script).is_file()
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        written = re.findall(r"^ *(conda|rule)\b.*:$", path.read_text(), re.M)
        assert written.count("conda") == written.count("rule"), path


@pytest.mark.parametrize("entrance", ["-s", "--directory", "module"])
def test_all_entrances_plan_the_same_jobs(entrance, tmp_path):
    expected = planned(ROOT, "--forceall", "digits")
    shutil.copy2(ROOT / "params.yaml", tmp_path)
    if entrance == "-s":
        jobs = planned(ROOT, "--forceall", "-s", "workflow/Snakefile", "digits")
    elif entrance == "--directory":
        jobs = planned(ROOT, "--forceall", "--directory", str(tmp_path), "--", "digits")
    else:
        (tmp_path / "Snakefile").write_text(MODULE.format(root=ROOT))
        jobs = planned(tmp_path, "--forceall", "digits")
    assert jobs == expected


MODULE = """\
import yaml


module depthbias:
    snakefile:
        "{root}/workflow/Snakefile"
    config:
        yaml.safe_load(open("params.yaml"))


use rule * from depthbias
"""


def test_a_checkout_in_a_folder_with_a_space_runs(tmp_path):
    folder = copy_checkout(tmp_path / "my study")
    done = snakemake(folder, "--cores", "1", "data/tiny/split.json")
    assert done.returncode == 0, done.stdout


def test_triggers_that_see_no_change_of_code_are_refused_in_one_line(tmp_path):
    done = snakemake(copy_checkout(tmp_path / "study"), "-n", "--rerun-triggers", "mtime")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout and error_lines(done.stdout) == [
        "error: --rerun-triggers: without code, input, params a changed parameter or program "
        "would rerun nothing: remove the option, or add them"
    ]


def test_contents_of_large_files_are_compared_whatever_options_are_in_force(tiny, tmp_path):
    folder = copied(tiny, tmp_path)
    shutil.rmtree(folder / "profiles")
    (folder / "profiles").write_text("workflow/profiles")  # what a zip makes of the link
    for path in (folder / "data").rglob("*"):
        os.utime(path)
    assert planned(folder, "--max-checksum-file-size", "1") == {}


HEAVY = {"train", "sample", "classify", "embed", "embed_real", "train_classifier", "snapshot"}
HEAVY |= {
    "measure_structure",
    "measure_denoising",
    "measure_flips",
    "measure_model",
    "measure_neighbors",
    "measure_quality",
    "write_architectures",
}
LIGHT = sorted({path.stem for path in (ROOT / "scripts").glob("*.py")} - HEAVY)


@pytest.mark.parametrize("script", LIGHT)
def test_light_jobs_import_neither_torch_nor_diffusers(script):
    program = (
        f"import runpy, sys; runpy.run_path('scripts/{script}.py'); print(sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = done.stdout
    for heavy in ("'torch'", "'diffusers'", "'torchvision'"):
        assert heavy not in loaded


def broken(tmp_path, change):
    """A fresh checkout of the tiny study with a mistake in it."""
    params = copy.deepcopy(TINY)
    change(params["studies"]["tiny"])
    return copy_checkout(tmp_path / "broken", params)


def error_lines(output):
    return [line for line in output.splitlines() if line.strip().startswith("error: ")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.update(trainings={}), ["studies.tiny.trainings", "did you mean 'training'"]),
        (lambda s: s.update(ratios=["90-20"]), ["studies.tiny.ratios", "sums to 110"]),
        (lambda s: s.update(architectures=["depth6"]), ["studies.tiny.architectures", "depth6"]),
        (lambda s: s["classes"].update(six={"any": ["six"]}), ["six"]),
        (lambda s: s.update(subset_size=4000), ["4000", "six"]),
    ],
    ids=["unknown-key", "ratio-sum", "too-deep", "no-such-class", "subset-too-large"],
)
def test_bad_parameters_end_in_one_line(tmp_path, change, words):
    folder = broken(tmp_path, change)
    done = snakemake(folder, "--cores", "1", "data_tiny")
    assert done.returncode == 1
    lines = error_lines(done.stdout)
    assert lines, done.stdout
    assert all(word in lines[0] for word in words), lines
    assert "Traceback" not in done.stdout


def test_an_inaccurate_classifier_stops_the_study_and_keeps_the_models(tiny, tmp_path):
    def demand(study):
        study["classifier"].update(budget=64, threshold=0.9999)

    folder = copied(tiny, tmp_path, demand)
    model = folder / RESULTS / "90-10/depth2/seed0/model.safetensors"
    before = model.read_bytes()
    done = snakemake(folder, "--cores", "2")
    assert done.returncode == 1
    assert any("balanced accuracy" in line for line in error_lines(done.stdout)), done.stdout
    assert model.read_bytes() == before


def test_two_workflows_at_once_are_refused_and_the_first_one_finishes(tiny, tmp_path):
    folder = copied(tiny, tmp_path, lambda study: study["sampling"].update(images=41))
    targets = [f"{RESULTS}/60-40/depth{n}/seed1/samples-ddim-4.npz" for n in (2, 3)]
    first = subprocess.Popen(
        [*SNAKEMAKE, "--cores", "1", *targets],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in first.stdout:
        if "rule sample" in line:
            break
    second = snakemake(folder, "--cores", "1", *targets)
    assert second.returncode == 1 and "cannot be locked" in second.stdout
    first.communicate(timeout=300)
    assert first.returncode == 0
    with np.load(folder / targets[1]) as samples:
        assert len(samples["images"]) == 41


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    (folder / "data").write_text("a file where the folder should be")
    done = snakemake(folder, "--cores", "1", "data_tiny")
    assert done.returncode == 1 and "data" in done.stdout


def test_model_description_repeats_the_configuration(tiny):
    meta = json.loads((tiny / RESULTS / "60-40/depth2/seed1/model.json").read_text())
    run = {"study": "tiny", "ratio": "60-40", "architecture": "depth2", "seed": "1"}
    assert (meta["run"], meta["architecture"], meta["seed"]) == (run, "depth2", 1)
    assert meta["budget"] == 640
