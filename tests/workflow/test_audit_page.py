"""The page about audits, as a newcomer follows it."""

import re
import shlex

import pytest
import yaml
from conftest import ROOT, copy_checkout, python_in

from depthbias.config.reading import parse


def blocks(kind):
    text = (ROOT / "docs/audit.md").read_text()
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run(folder, command):
    """A command of the page, with the checkout in this folder."""
    program, *words = shlex.split(command)
    return python_in(folder, *(["-m", "depthbias.command"] * (program == "depthbias")), *words)


@pytest.mark.slow
def test_a_newcomer_follows_the_page(tmp_path):
    folder = copy_checkout(tmp_path / "copy")
    [script] = blocks("python")
    (folder / "make_images.py").write_text(script)
    printed = []
    for command in "".join(blocks("sh")).splitlines():
        done = run(folder, command)
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
        printed.append(done.stdout)
    assert len(printed) == 4
    assert "generated: copies (memorised: 10.0" in printed[1]
    assert "left out: bias: it needs classes" in printed[1]
    assert (
        "standing" in printed[2] and "To repeat it: snakemake --cores all audit_bars" in printed[2]
    )
    done = run(folder, "depthbias audit --name bars --fail-if 'memorised_share:pixels > 0.01'")
    assert done.returncode == 1 and "the lower limit is beyond it" in done.stderr.splitlines()[-1]


def test_the_page_shows_a_study_that_is_valid():
    [block] = blocks("yaml")
    found = parse({"active": ["my-audit"], "studies": yaml.safe_load(block)})
    assert list(found.audits["my-audit"].subjects) == ["theirs", "ours", "loose"]
