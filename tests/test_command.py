"""The command `depthbias`: every sub-command is found, and help costs little."""

import shlex
import subprocess
import sys
import tomllib
from importlib import import_module

import pytest
from conftest import ROOT

from depthbias.command import COMMANDS


def depthbias(*words):
    return subprocess.run(
        [sys.executable, "-m", "depthbias.command", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_entry_point_is_the_module_that_is_tested_here():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["depthbias"].partition(":")
    assert module == "depthbias.command" and callable(getattr(import_module(module), function))


def test_help_shows_an_example_of_every_command():
    for words in ([], ["--help"]):
        done = depthbias(*words)
        assert (done.returncode, done.stderr) == (0, "")
        for name, row in COMMANDS.items():
            assert shlex.split(row.example)[0] == name
            assert f"depthbias {row.example} " in done.stdout and row.does in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_of_its_own(name):
    done = depthbias(name, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: depthbias {name} "), done.stderr


def test_help_imports_neither_the_workflow_nor_torch():
    code = (
        "import sys; sys.argv = ['depthbias']; import depthbias.command as c; c.main();"
        "sys.exit(bool({'torch', 'pydantic', 'snakemake', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_an_unknown_command_is_a_line():
    done = depthbias("resolv", "digits")
    assert done.returncode == 2
    assert done.stderr.endswith("error: no command 'resolv'; did you mean 'resolve'?\n")


def test_resolve_prints_a_study_and_an_error_in_one_line():
    done = depthbias("resolve", "digits")
    assert done.returncode == 0 and done.stdout.startswith("data:\n")
    done = depthbias("resolve", "digit")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
