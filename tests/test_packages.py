"""The library as packages: which may import which, and that an installation brings all of them."""

import ast
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT

LIBRARY = ROOT / "depthbias"
# A package imports from itself and from those before it.
ORDER = [
    "system",
    "data",
    "diffusion",
    "vision",
    "estimates",
    "measures",
    "theory",
    "report",
    "config",
    "export",
]
MODULES = sorted(path.relative_to(ROOT) for path in LIBRARY.rglob("*.py"))


def imported(path):
    """(line, module) of every depthbias module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(), str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            names = [node.module]
            if node.module == "depthbias":
                names = [f"depthbias.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "depthbias")


def package(name):
    return name.split(".")[1]


def test_imports_of_the_library_go_downwards_only():
    arrows = [
        f"{path}:{line}: {path.parts[1]} -> {name}"
        for path in MODULES
        if len(path.parts) > 2
        for line, name in imported(path)
        if ORDER.index(package(name)) > ORDER.index(path.parts[1])
    ]
    assert not arrows, "upwards:\n" + "\n".join(arrows)


def test_scripts_get_their_parameters_from_the_command_line():
    scripts = sorted(path.relative_to(ROOT) for path in (ROOT / "scripts").glob("*.py"))
    arrows = [
        f"{path}:{line}: {name}"
        for path in scripts
        for line, name in imported(path)
        if package(name) == "config"
    ]
    assert not arrows, "\n".join(arrows)


@pytest.mark.parametrize("name", ORDER)
def test_a_package_is_a_docstring_and_its_modules(name):
    [statement] = ast.parse((LIBRARY / name / "__init__.py").read_text()).body
    assert isinstance(statement, ast.Expr) and isinstance(statement.value.value, str)


def test_every_folder_of_the_library_has_a_place_in_the_order():
    folders = {path.parts[1] for path in MODULES if len(path.parts) > 2}
    assert folders == set(ORDER)


def test_a_wheel_holds_all_packages(tmp_path):
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    for path in [*MODULES, *map(ROOT.joinpath, ["pyproject.toml", "README.md", "LICENSE"])]:
        place = source / path.relative_to(ROOT) if path.is_absolute() else source / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((ROOT / path).read_bytes())
    (source / "depthbias/py.typed").touch()
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    files = zipfile.ZipFile(wheel).namelist()
    assert {str(path) for path in MODULES} <= set(files)
    assert "depthbias/py.typed" in files
