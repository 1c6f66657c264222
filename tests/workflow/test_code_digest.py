"""What counts as a change of code: what it does, not how it is written."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "workflow"))
from code_digest import code, files_of

SAME = [
    ("x = 1  # one", "x = 1"),
    ("x = 1\n\n\n# one\ny = 2", "x = 1\ny = 2"),
    ('"""A module."""\nx = 1', "x = 1"),
    ('def f():\n    """A function."""\n    return 1', "def f():\n    return 1"),
    ('class A:\n    """A class."""\n\n    x = 1', "class A:\n    x = 1"),
    ("x = 'a'", 'x = "a"'),
    ("f(1,\n  2,\n)", "f(1, 2)"),
    ("x = [\n    1,\n    2,\n]", "x = [1, 2]"),
    ("x = (1, 2,)", "x = (1, 2)"),
    ("if a:\n  b()", "if a:\n    b()"),
    ("def f(\n    a,\n): ...", "def f(a): ..."),
]
OTHER = [
    ("x = 1", "x = 2"),
    ("x = 1", "y = 1"),
    ("x = a + b", "x = a - b"),
    ("x = (1,)", "x = (1)"),
    ("x = (\n    1,\n)", "x = (\n    1\n)"),
    ("return_ = f(1), ", "return_ = f(1)"),
    ("def f():\n    return (1,)", "def f():\n    return (1)"),
    ("for x in (1,): pass", "for x in (1): pass"),
    ("a[1,]", "a[1]"),
    ("if a:\n    b()\nc()", "if a:\n    b()\n    c()"),
    ('x = f"a{y}"', 'x = f"b{y}"'),
    ('x = f"{y!r}"', 'x = f"{y}"'),
    ('x = b"a"', 'x = "a"'),
    ("x = 1\ny = 2", "y = 2\nx = 1"),
    ("import a", "import b"),
    ("x = {1: 2}", "x = {1, 2}"),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_layout_comments_and_docstrings_do_not_count(one, two):
    assert code(one + "\n") == code(two + "\n")


@pytest.mark.parametrize(("one", "two"), OTHER)
def test_what_changes_what_code_does_counts(one, two):
    assert code(one + "\n") != code(two + "\n")


def test_the_code_of_a_script_is_what_it_imports_with_the_packages_above():
    names = {path.relative_to(ROOT).as_posix() for path in files_of("measure_bias")}
    assert {"scripts/measure_bias.py", "depthbias/measures/bias_rows.py"} < names
    assert {"depthbias/__init__.py", "depthbias/measures/__init__.py"} < names
    assert not any("diffusion/trainer" in name or "/report/" in name for name in names)


def test_the_code_of_a_page_is_also_its_template():
    names = {path.name for path in files_of("write_page")}
    assert {"page.py", "page.html", "page.css", "page.js"} < names


def test_all_modules_of_the_library_are_used_by_a_script():
    used = {file for path in (ROOT / "scripts").glob("*.py") for file in files_of(path.stem)}
    modules = set((ROOT / "depthbias").rglob("*.py"))
    commands = {path for path in modules if '__name__ == "__main__"' in path.read_text()}
    unused = {path.relative_to(ROOT).as_posix() for path in modules - used - commands}
    commands_alone = ("depthbias/config/", "depthbias/export/", "depthbias/data/licences.py")
    commands_alone += ("depthbias/system/snakemake_records.py",)
    assert {name for name in unused if not name.startswith(commands_alone)} == set()


def other_pythons():
    """Those on PATH, or of pyenv, that start: a version manager lists some that are not in use."""
    found = {shutil.which(f"python3.{minor}") for minor in (11, 12, 13)} - {None}
    found |= set(map(str, Path.home().glob(".pyenv/versions/3.1[1-9]*/bin/python")))
    return [p for p in sorted(found) if not subprocess.run([p, "-c", ""], check=False).returncode]


@pytest.mark.parametrize("python", other_pythons() or [None])
def test_the_digest_does_not_depend_on_the_version_of_python(python):
    if python is None:
        pytest.skip("no other Python is installed")
    program = "import sys; sys.path.insert(0, 'workflow'); import code_digest as c; "
    program += "print([c.digest(s) for s in ('train', 'measure_bias', 'plot_summary', 'prepare')])"
    program += """; print(c.code('x = f"a{{b}} {y!r:>{w}} {z=}"'))"""
    printed = [
        subprocess.run(
            [p, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for p in (sys.executable, python)
    ]
    assert printed[0] == printed[1]
