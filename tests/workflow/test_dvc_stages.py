"""dvc.yaml names exactly the code that Snakemake's rules take as inputs."""

import re
import subprocess
import sys

import yaml
from conftest import ROOT, snakemake

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def code_by_rule(*targets):
    """{rule: its script and library files}, as Snakemake prints the inputs of planned jobs."""
    done = snakemake(ROOT, "-n", "--forceall", "--", *targets)
    assert done.returncode == 0, done.stdout
    found = {}
    jobs = re.findall(r"^(?:local)?rule (\w+):\n    input: (.*)", done.stdout, re.MULTILINE)
    for rule, inputs in jobs:
        files = {file for file in inputs.split(", ") if file.endswith(".py")}
        found.setdefault(rule, set()).update(files)
    return found


def rule_files(rules):
    """The rule files that hold any of these rules."""
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        if set(re.findall(r"^rule (\w+):", path.read_text(), re.MULTILINE)) & rules:
            yield f"workflow/rules/{path.name}"


def test_j_the_stages_depend_on_exactly_the_code_of_their_rules():
    code = code_by_rule("figures_digits", "figures_celeba", "figures_mnist-sweep")
    data = {"prepare", "split", "subset"}
    assert data < code.keys()
    for stage, rules in (("data", data), ("results", code.keys() - data)):
        deps = set(STAGES[stage]["deps"])
        python = {dep for dep in deps if dep.startswith(("scripts/", "depthbias/"))}
        planned = {"depthbias/config/reading.py"}
        assert python - planned == set().union(*(code[rule] for rule in rules))
        workflow = {"workflow/rules/common.smk", "workflow/code_inputs.py", *rule_files(rules)}
        assert {dep for dep in deps if dep.startswith("workflow/")} == workflow


def test_dvc_yaml_is_what_the_generator_prints():
    command = [sys.executable, "workflow/dvc_stages.py"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    message = "run: python workflow/dvc_stages.py > dvc.yaml"
    assert (ROOT / "dvc.yaml").read_text() == printed, message


def test_artefacts_say_what_they_are_and_metrics_and_plots_are_declared():
    for name, stage in STAGES.items():
        for out in stage["outs"]:
            [options] = out.values()
            assert options["type"] and options["desc"] and options["persist"], name
    assert STAGES["results"]["metrics"] and STAGES["results"]["plots"]
