"""dvc.yaml, written by hand, names all the code that Snakemake's rules rest on."""

import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

sys.path.insert(0, str(ROOT / "workflow"))
from code_digest import files_of

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
SCRIPTS = {
    "data": ["prepare", "split", "subset"],
    "results": [path.stem for path in (ROOT / "scripts").glob("*.py")],
}


def covered(path, deps):
    """Whether a file is a dependency or lies in one."""
    return any(dep in deps for dep in map(str, [path, *path.parents]))


@pytest.mark.parametrize("stage", SCRIPTS)
def test_j_a_stage_depends_on_all_the_code_of_its_rules(stage):
    deps = set(STAGES[stage]["deps"])
    code = {file.relative_to(ROOT) for script in SCRIPTS[stage] for file in files_of(script)}
    planning = [Path("Snakefile"), Path("workflow/Snakefile"), Path("workflow/code_digest.py")]
    planning += [path.relative_to(ROOT) for path in (ROOT / "workflow/rules").glob("*.smk")]
    planning += [path.relative_to(ROOT) for path in (ROOT / "depthbias/config").glob("*.py")]
    assert [file for file in [*code, *planning] if not covered(file, deps)] == []


@pytest.mark.parametrize("stage", STAGES)
def test_every_dependency_in_the_checkout_is_there(stage):
    made = ("data/", "metrics")
    deps = [dep for dep in STAGES[stage]["deps"] if not dep.startswith(made)]
    assert [dep for dep in deps if not (ROOT / dep).exists()] == []


def test_dvc_yaml_is_short_enough_to_read():
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 80


def test_artefacts_say_what_they_are_and_metrics_and_plots_are_declared():
    for name, stage in STAGES.items():
        for out in stage["outs"]:
            [options] = out.values()
            assert options["type"] and options["desc"] and options["persist"], name
    assert STAGES["results"]["metrics"] and STAGES["results"]["plots"]
