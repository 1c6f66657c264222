"""DVC over Snakemake: nothing fresh is made again, nothing stale is recorded as fresh.

One tiny study is run, recorded and pushed; a clone pulls it; every proof works on a copy of that.
Proof (j), which is cheap, is in test_dvc_stages.py.
"""

import copy
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, SNAKEMAKE, TINY, contents, copy_checkout
from test_kills import MOMENTS, Run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dvc")]

DVC = [sys.executable, "-m", "dvc"]
UP_TO_DATE = "Data and pipelines are up to date."
RUNS = "results/tiny/60-40"
CHANGE = {"overrides": {"depth3": {"budget": 1280}}}
# What follows from a changed bias.csv, and from one U-Net's new weights.
AFTER_BIAS = [
    "summarize",
    *(f"write_{name}" for name in ("metrics", "verdict", "page", "classifiers")),
    *(f"write_{name}" for name in ("proportions", "neighbors", "quality", "membership")),
    *(f"plot_{name}" for name in ("copied_training", "membership", "thresholds")),
    *(f"plot_{name}" for name in ("proportions", "kappa", "quality", "diversity", "neighbors")),
    *(f"plot_{name}" for name in ("linearity", "structure", "score_errors", "linear_maps")),
    *(f"plot_{name}" for name in ("depth_use", "convergence", "bias_variance", "flips")),
]
AFTER_TRAIN = [
    *("sample", "classify", "embed", "measure_model", "estimate_structure"),
    *(
        "measure_quality",
        "measure_bias",
        "measure_diversity",
        "measure_neighbors",
        "measure_reproducibility",
    ),
    *(f"plot_{name}" for name in ("losses", "grid", "real", "nearest_pairs", "trajectories")),
    *("estimate_flips", "compare_classifiers", "measure_classifiers"),
    *("estimate_denoising", "measure_membership", "plot_roc"),
    "write_usage",
    *AFTER_BIAS,
]

BOTH = {"data@tiny", "results@tiny"}


def small():
    """The parameters of TINY with two models, and as little work as the workflow accepts."""
    params = copy.deepcopy(TINY)
    study = params["studies"]["tiny"]
    study.update(ratios=["60-40"], seeds=[0], subset_size=16)
    study["training"].update(budget=640, batch_size=16, warmup=16, ema_halflife=16, log_every=320)
    study["sampling"].update(samplers=["ddim-2"], images=8, batch_size=8)
    study["classifier"].update(budget=640, threshold=0.3)
    study["bias"].update(bootstrap=100)
    study["structure"].update(pairs=4, noisy_images=8)
    study["flips"] = {"levels": [5], "images": 4, "sampler": "ddim-2"}
    study["denoising"] = {"sigmas": [0.5, 5], "heldout_images": 8, "training_images": 8}
    return params


@pytest.fixture(scope="module", autouse=True)
def environment(tmp_path_factory):
    """A neutral git and DVC: no one's settings, no cache outside the test."""
    with pytest.MonkeyPatch.context() as patch:
        bin_folder = str(Path(sys.executable).parent)
        patch.setenv("PATH", os.pathsep.join([bin_folder, os.environ["PATH"]]))
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        for who in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{who}_NAME", "test")
            patch.setenv(f"GIT_{who}_EMAIL", "test@example.org")
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("site")))
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.setenv("CORES", "2")
        yield


def run(folder, *command, code=0):
    """Run a command in `folder`; its stdout and stderr, which must end with exit status `code`."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == code, done.stdout[-4000:]
    return done.stdout


def dvc(folder, *arguments, code=0):
    return run(folder, *DVC, *arguments, code=code)


def git(folder, *arguments):
    return run(folder, "git", *arguments)


def jobs(output):
    """{rule: count} of the jobs that Snakemake plans or runs, without the targets."""
    rows = re.findall(r"^(\w+) +(\d+)$", output, flags=re.MULTILINE)
    return {
        rule: int(n)
        for rule, n in rows
        if rule not in ("total", "all", "figures_tiny", "figures_copy")
    }


def plan(folder):
    output = run(folder, *SNAKEMAKE, "--nocolor", "-n")
    return {} if "Nothing to be done" in output else jobs(output)


def stale(folder):
    """The stages that `dvc status` names."""
    output = dvc(folder, "status")
    return set() if UP_TO_DATE in output else set(re.findall(r"^(\S+):$", output, re.MULTILINE))


def change(folder, **study):
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["studies"]["tiny"].update(study)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def modified(folder):
    return {path: path.stat().st_mtime_ns for path in (folder / RUNS).rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A study run by Snakemake, two jobs at a time, then recorded, committed and pushed."""
    folder = copy_checkout(tmp_path_factory.mktemp("dvc") / "recorded", small())
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy2(ROOT / ".dvc" / name, folder / ".dvc" / name)
    git(folder, "init", "-q", "-b", "main")
    dvc(folder, "remote", "add", "-d", "store", str(folder.parent / "store"))
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Start")
    run(folder, *SNAKEMAKE, "--cores", "2")
    dvc(folder, "commit", "-f")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Record")
    dvc(folder, "push")
    return folder


@pytest.fixture(scope="module")
def clone(recorded):
    """A clone after `dvc pull`: treat as read-only."""
    folder = recorded.parent / "clone"
    git(recorded.parent, "clone", "-q", str(recorded), str(folder))
    dvc(folder, "pull")
    return folder


@pytest.fixture
def mine(clone, tmp_path):
    """A copy of the clone to change."""
    return shutil.copytree(clone, tmp_path / "mine", symlinks=True)


@pytest.fixture(scope="module")
def changed(clone):
    """A copy of the clone in which depth3 is trained for longer, and how that went."""
    folder = shutil.copytree(clone, clone.parent / "changed", symlinks=True)
    change(folder, **CHANGE)
    expected, stages, before = plan(folder), stale(folder), modified(folder)
    return folder, expected, stages, before, dvc(folder, "repro")


def test_a_parallel_run_is_recorded_and_not_repeated(recorded):
    before = modified(recorded)
    assert stale(recorded) == set()
    assert UP_TO_DATE in dvc(recorded, "repro")
    assert modified(recorded) == before
    assert git(recorded, "status", "--porcelain") == ""


def test_b_clone_and_pull_is_clean_under_both_tools(clone):
    assert (stale(clone), plan(clone)) == (set(), {})


def test_c_one_training_value_of_one_depth_reruns_that_depth_and_what_follows(changed):
    folder, expected, stages, before, output = changed
    assert expected == dict.fromkeys(["train", *AFTER_TRAIN], 1)
    assert stages == BOTH
    started = re.findall(r"^(?:local)?rule (\w+):", output, flags=re.MULTILINE)
    assert sorted(set(started) - {"all", "figures_tiny"}) == sorted(expected)
    assert "architecture=depth2" not in output and "architecture=depth3" in output
    after = modified(folder)
    again = {
        path.relative_to(folder / RUNS).parts[0] for path in before if before[path] != after[path]
    }
    assert again == {"depth3"}
    assert stale(folder) == set()


def test_d_one_more_depth_runs_only_its_jobs(mine):
    change(mine, architectures=["depth2", "depth3", "depth4"])
    expected = dict.fromkeys(["train", *AFTER_TRAIN, "write_architectures"], 1)
    assert (plan(mine), stale(mine)) == (expected, BOTH)


def test_d_a_study_based_on_another_is_stale_when_its_base_changes(mine):
    params = yaml.safe_load((mine / "params.yaml").read_text())
    params["studies"]["copy"] = {"based_on": "tiny"}
    params["active"] = ["copy"]
    (mine / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    stages = {"data@copy", "results@copy", "records"}
    assert stale(mine) == stages
    dvc(mine, "repro")
    assert stale(mine) == set()
    change(mine, **CHANGE)
    assert plan(mine) == dict.fromkeys(["train", *AFTER_TRAIN], 1)
    assert stale(mine) == {"data@copy", "results@copy"}


def test_e_comments_rerun_nothing_and_code_reruns_only_the_rules_that_use_it(mine):
    """DVC, which compares whole folders, asks Snakemake, which finds nothing to do."""
    for path in [*(mine / "depthbias").rglob("*.py"), *(mine / "scripts").glob("*.py")]:
        add(path, "# a comment")
    assert (plan(mine), stale(mine)) == ({}, BOTH)
    before = modified(mine)
    dvc(mine, "repro")
    assert modified(mine) == before
    assert (plan(mine), stale(mine)) == ({}, set())
    add(mine / "depthbias/measures/bias_rows.py", "ADDED = 1")
    expected = dict.fromkeys(["measure_bias", *AFTER_BIAS], 1)
    assert (plan(mine), stale(mine)) == (expected, {"results@tiny"})
    git(mine, "checkout", "-q", "depthbias")
    add(mine / "depthbias/report/nearest_pairs_figure.py", "ADDED = 1")
    assert plan(mine) == {"plot_nearest_pairs": 1}
    dvc(mine, "repro")  # no metric changes, so that only the records' own change is left to see
    assert (plan(mine), stale(mine)) == ({}, set())


def add(path, line):
    path.write_text(path.read_text() + f"\n{line}\n")


def test_f_touching_everything_reruns_nothing(mine):
    touch_all(mine)
    assert (plan(mine), stale(mine)) == ({}, set())


def touch_all(folder, times=None):
    for path in folder.rglob("*"):
        if not {".git", ".dvc", ".snakemake"} & set(path.relative_to(folder).parts):
            os.utime(path, times)


def test_g_a_branch_away_and_back_reruns_nothing(changed, clone):
    folder = changed[0]
    theirs, ours = (folder / "metrics/tiny.json").read_bytes(), clone / "metrics/tiny.json"
    dvc(folder, "install")
    git(folder, "checkout", "-q", "-b", "other")
    git(folder, "commit", "-qam", "A longer training")
    for branch, metrics in (("main", ours.read_bytes()), ("other", theirs)):
        git(folder, "checkout", "-q", branch)
        assert (plan(folder), stale(folder)) == ({}, set()), branch
        assert (folder / "metrics/tiny.json").read_bytes() == metrics


def unguarded(folder):
    """Take the guard out of the workflow."""
    file = folder / "workflow/Snakefile"
    text, n = re.subn(r"\nif workflow\.is_main_process(?s:.*)", "\n", file.read_text())
    assert n == 1
    file.write_text(text)


@pytest.mark.parametrize("guard", [True, False], ids=["guarded", "guard-removed"])
def test_h_new_parameters_are_not_recorded_over_old_models(mine, guard):
    """Results pulled without their records: Snakemake alone would find the old models fresh."""
    shutil.rmtree(mine / ".snakemake")
    change(mine, **CHANGE)
    if not guard:
        unguarded(mine)
    touch_all(mine, (0, 0))  # after a pull the dates, all that is left to compare, are chance
    output = dvc(mine, "repro", code=255 if guard else 0)
    lock = yaml.safe_load((mine / "dvc.lock").read_text())["stages"]["results@tiny"]
    recorded = lock["params"]["params.yaml"]["studies"]["tiny"].get("overrides")
    model = json.loads((mine / RUNS / "depth3/seed0/model.json").read_text())
    assert model["budget"] == small()["studies"]["tiny"]["training"]["budget"]
    if guard:
        assert "error: data/tiny" in output and "dvc pull" in output
        assert recorded is None
    else:  # the trap: recorded as if the old model had been trained so
        assert recorded == CHANGE["overrides"]


def test_h_the_records_travel_so_a_changed_clone_retrains(changed):
    model = json.loads((changed[0] / RUNS / "depth3/seed0/model.json").read_text())
    assert model["budget"] == CHANGE["overrides"]["depth3"]["budget"]


def of_experiment(folder, name, file):
    [ref] = git(folder, "for-each-ref", f"refs/exps/*/*/{name}", "--format=%(refname)").split()
    return git(folder, "show", f"{ref}:{file}")


def test_i_an_experiment_in_a_temporary_folder_has_its_own_metrics(mine, changed):
    longer = "+studies.tiny.overrides.depth3.budget=1280"
    dvc(mine, "exp", "run", "--temp", "--name", "longer", "-S", longer)
    metrics = json.loads(of_experiment(mine, "longer", "metrics/tiny.json"))
    assert metrics == json.loads((changed[0] / "metrics/tiny.json").read_text())
    assert metrics != json.loads((mine / "metrics/tiny.json").read_text())
    params = yaml.safe_load(of_experiment(mine, "longer", "params.yaml"))
    assert params["studies"]["tiny"]["overrides"] == CHANGE["overrides"]
    assert stale(mine) == set()


def test_i_experiments_in_the_queue_and_in_the_workspace_agree(mine):
    before = json.loads((mine / "metrics/tiny.json").read_text())
    laxer = ("-S", "++studies.tiny.bias.decidable=0.5")  # ++: also a value left at its default
    dvc(mine, "exp", "run", "--queue", "--name", "queued", *laxer)
    dvc(mine, "exp", "run", "--run-all")
    assert json.loads((mine / "metrics/tiny.json").read_text()) == before
    dvc(mine, "exp", "run", "--name", "here", *laxer)
    here = json.loads((mine / "metrics/tiny.json").read_text())
    assert here["undecidable_share"] != before["undecidable_share"]
    assert here["share_corrected"] == before["share_corrected"]
    assert json.loads(of_experiment(mine, "queued", "metrics/tiny.json")) == here
    assert stale(mine) == set()


def test_metrics_and_plots_compare_revisions(changed, clone):
    folder = changed[0]
    first = git(clone, "rev-parse", "HEAD").strip()
    shares = json.loads(dvc(folder, "metrics", "diff", first, "--json"))["metrics/tiny.json"]
    for name, difference in shares.items():
        assert "depth2" not in name, name
        assert difference["diff"] == pytest.approx(difference["new"] - difference["old"])
    assert any(name.startswith("lpips:classifier.60-40.depth3") for name in shares)
    dvc(folder, "plots", "diff", first, "-o", "plots")
    page = (folder / "plots/index.html").read_text()
    assert "60-40 depth3 nine" in page and first[:7] in page


def test_killed_dvc_goes_on_after_unlock(recorded, tmp_path):
    """With all that it started, at random moments; once alone, when its Snakemake lives on."""
    folder, moments = tmp_path / "study", random.Random(3)
    git(recorded.parent, "clone", "-q", str(recorded), str(folder))
    git(folder, "checkout", "-q", git(folder, "rev-list", "--max-parents=0", "HEAD").strip())
    for moment in range(MOMENTS):
        running = Run(folder, [*DVC, "repro"])
        assert running.next_jobs(moments.randint(1, 5)), running.log.read_text()[-4000:]
        if moment == 0:
            while running.next_jobs(1)[1] != "train":  # which takes long enough
                pass
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait(60)
            assert "cannot be locked" in dvc(folder, "repro", code=255)
        else:
            time.sleep(moments.uniform(0, 2))
        os.killpg(running.process.pid, signal.SIGKILL)
        assert running.process.wait(60) == -signal.SIGKILL
        assert not (folder / "dvc.lock").exists() or stale(folder)  # nothing half-made is recorded
        run(folder, *SNAKEMAKE, "--unlock")
    dvc(folder, "repro")
    made, whole = contents(folder), contents(recorded)
    assert sorted(made) == sorted(whole)
    assert [name for name in made if made[name] != whole[name]] == []
    assert (stale(folder), plan(folder)) == (set(), {})
