"""The SLURM profile says what the rules need; tests/slurm runs it on a real SLURM."""

import re

import pytest
import yaml
from conftest import ROOT, rules, snakemake

PROFILES = ROOT / "workflow/profiles"
SLURM = yaml.safe_load((PROFILES / "slurm/profile.yaml").read_text())
NEUTRAL = yaml.safe_load((PROFILES / "default/profile.yaml").read_text())


@pytest.fixture(scope="module")
def found():
    """All rules, as a dry run describes them."""
    return rules("digits", "sweeps_mnist-sweep")


def on_gpu(found):
    return {name for name, text in found.items() if "gpu=1" in text}


def test_the_neutral_options_are_in_both_profiles():
    assert {key: SLURM.get(key) for key in NEUTRAL} == NEUTRAL
    assert not {"executor", "cores", "jobs", "resources", "default-resources"} & set(NEUTRAL)


def test_every_gpu_rule_goes_to_the_gpu_partition_and_no_other(found):
    assert set(SLURM["set-resources"]) == on_gpu(found)
    places = {given["slurm_partition"] for given in SLURM["set-resources"].values()}
    assert places == {"gpu"} and SLURM["default-resources"]["slurm_partition"] == "cpu"


LIST_LOCAL = """\
include: "{root}/workflow/Snakefile"
print("LOCAL", *workflow._localrules)
"""


def test_local_rules_need_no_gpu_and_the_rest_is_sent_to_nodes(found, tmp_path):
    """In a dry run all jobs are local, so that Snakemake is asked for the rules that always are."""
    (tmp_path / "Snakefile").write_text(LIST_LOCAL.format(root=ROOT))
    done = snakemake(ROOT, "-n", "-q", "-s", str(tmp_path / "Snakefile"), "--", "data_digits")
    local = set(re.search(r"^LOCAL (.*)$", done.stdout, re.M)[1].split())
    measures = {name for name in found if name.startswith("measure_")}
    targets = {"digits", "sweeps_mnist-sweep"}
    assert found.keys() - local - targets == {
        *on_gpu(found),
        *measures,
        "classify",
        "snapshot",
        "write_page",
    }
    assert {"prepare", "split", "subset", "summarize", "plot_grid"} < local


def test_every_line_of_the_profile_has_its_reason():
    text = (PROFILES / "slurm/profile.yaml").read_text()
    for line in text.split("# As in profiles/default")[0].splitlines():
        assert "#" in line or not line.strip(), line


@pytest.mark.parametrize("how", ["--workflow-profile", "SNAKEMAKE_PROFILE"])
def test_both_ways_of_choosing_the_profile_plan_the_same(how):
    """The second one is what `dvc repro` uses: the default profile is loaded over it."""
    path = "workflow/profiles/slurm"
    options = ["-n", "--forceall", "train_digits"]
    if how == "SNAKEMAKE_PROFILE":
        done = snakemake(ROOT, *options, SNAKEMAKE_PROFILE=path)
    else:
        done = snakemake(ROOT, *options, "--workflow-profile", path)
    assert done.returncode == 0, done.stdout
    asked = re.findall(r"^rule train:.*?resources: ([^\n]*)", done.stdout, flags=re.M | re.S)
    assert asked
    for resources in asked:
        for words in ("slurm_partition=gpu", "gpu=1", "mem_mb=16000", "runtime=240"):
            assert words in resources, resources
