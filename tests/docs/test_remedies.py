"""Every remedy that the table of faults names is run by a test; so is what the errors say to do."""

import re
import shlex

import pytest
from conftest import ROOT, snakemake

from depthbias.system.errors import REMEDIES

TABLE = (ROOT / "docs/troubleshooting.md").read_text()
ROWS = re.findall(r"^\| (.+?) \| (.+?) \|$", TABLE, re.MULTILINE)[1:]

# The beginning of the first cell of a row, and the test that runs its remedy.
RUN_BY = {
    "`error: <file or key>: ...`": "tests/system/test_scripts_alone.py::test_a_traceback_is_shown_",
    "`error: --config, --configfile": "tests/system/test_untrusted.py::test_parameters_on_the_",
    "`error: ...: nothing on record": "tests/workflow/test_records.py::test_",
    "`Directory cannot be locked`": "tests/workflow/test_kills.py::test_killed_snakemake_goes_on_",
    "pip downloads gigabytes": "",  # needs the package index; the Makefile has the same variable
    "`operator torchvision::nms": "tests/vision/test_embeddings.py::test_inception_gives",
    "a study stops with `balanced accuracy": "tests/workflow/test_workflow.py::test_an_inaccurate_",
    "CUDA out of memory": "tests/diffusion/test_sampling.py::test_an_image_does_not_depend_on_its_",
    "jobs are slow": "tests/docs/test_remedies.py::test_threads_are_set",
    "a file in `data/` or": "tests/workflow/test_histories.py::test_the_documented_line_makes_a_",
    "you want to know": "tests/config/test_check.py::test_all_problems_are_found_in_one_pass",
    "a study of your own stops": "tests/config/test_check.py::test_the_size_that_a_message_names_",
    "weights or data cannot": "tests/vision/test_lpips_distance.py::test_missing_weights_",
}


@pytest.mark.parametrize("fault", [fault for fault, _ in ROWS])
def test_the_remedy_of_every_fault_is_run_by_a_test(fault):
    [place] = [test for start, test in RUN_BY.items() if fault.startswith(start)]
    if place:
        path, _, name = place.partition("::")
        assert re.search(rf"^def {name}", (ROOT / path).read_text(), re.MULTILINE), place


def test_threads_are_set():
    [line] = re.findall(r"\| `(snakemake .*--set-threads .*?)` \|", TABLE)
    words = shlex.split(line)[1:]
    words[words.index("all")] = "8"
    done = snakemake(ROOT, "-n", "--forceall", *words, "--", "sample_digits")
    assert done.returncode == 0, done.stdout
    for rule in ("train", "sample"):
        [first, *_] = re.findall(rf"^rule {rule}:\n(?:    .*\n)+", done.stdout, re.MULTILINE)
        assert "    threads: 4\n" in first


def test_every_error_of_the_system_says_what_to_do():
    for remedy in REMEDIES.values():
        assert re.search(r": .*\b(free|raise|choose|check)\b", remedy), remedy
