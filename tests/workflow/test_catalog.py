"""What the Snakemake workflow catalog requires for "standardized usage", by its own generator.

The conditions are those of scripts/generate-catalog.py and source/build_wf_pages.py of
github.com/snakemake/snakemake-workflow-catalog. `make lint` runs snakefmt on the same files.
"""

import re
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT, snakemake

SETTINGS = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())


def test_the_search_finds_the_readme():
    words = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in words and "workflow" in words


def test_the_snakefile_and_the_rules_are_where_the_generator_looks():
    assert (ROOT / "workflow/Snakefile").is_file()
    rules = [path for path in (ROOT / "workflow/rules").iterdir() if path.is_file()]
    assert {path.suffix for path in rules} == {".smk"}


def test_the_usage_is_standardized():
    assert (ROOT / "config/README.md").read_text().startswith("# ")
    usage = SETTINGS["usage"]
    assert usage["report"] is True
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    assert usage["software-stack-deployment"]["conda"] is True
    assert (ROOT / "environment.yml").is_file()


def test_the_schema_makes_the_table_of_parameters():
    schema = yaml.safe_load((ROOT / "config/schemas/config.schema.yml").read_text())
    assert {"active", "studies", "sweeps"} <= schema["properties"].keys()


def test_links_of_the_configuration_page_point_to_files():
    text = (ROOT / "config/README.md").read_text()
    links = [link for link in re.findall(r"\]\((.+?)\)", text) if "://" not in link]
    assert links and [link for link in links if not (ROOT / "config" / link).is_file()] == []


def test_snakemake_finds_nothing_to_criticise():
    done = snakemake(ROOT, "--lint")
    assert done.returncode == 0, done.stdout


def test_snakefmt_finds_nothing_to_change():
    pytest.importorskip("snakefmt")
    files = ["workflow/Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
    command = [sys.executable, "-m", "snakefmt", "--check", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_workflow_of_github_calls_the_commands_of_the_makefile():
    actions = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    runs = {
        name: [step["run"] for step in job["steps"] if "run" in step]
        for name, job in actions["jobs"].items()
    }
    expected = {name: [f"make {name}"] for name in ("lint", "test", "proofs")}
    expected["proofs"].insert(0, "make validator")  # of exported studies, for its test
    assert runs == expected
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert runs.keys() <= targets
    ours = re.findall(r"^make (\w+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert set(ours) == runs.keys()
    assert "schedule" in actions[True] and "schedule" in actions["jobs"]["proofs"]["if"]
