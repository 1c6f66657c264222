"""pyproject.toml, constraints.txt and environment.yml say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = [
    Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
]


def pins(lines):
    found = {}
    for line in lines:
        name, _, version = line.partition("==")
        assert version, f"not a pin: {line}"
        found[canonicalize_name(name)] = version
    return found


CONSTRAINTS = pins(
    line
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())


EXPORT = [Requirement(text) for text in PROJECT["optional-dependencies"]["export"]]


@pytest.mark.parametrize("requirement", DECLARED + EXPORT, ids=lambda r: r.name)
def test_every_dependency_is_pinned_within_its_range(requirement):
    assert requirement.specifier.contains(CONSTRAINTS[canonicalize_name(requirement.name)])


def test_conda_pins_exactly_the_declared_packages_at_the_constrained_versions():
    pip = next(entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict))
    declared = {canonicalize_name(requirement.name) for requirement in DECLARED}
    assert pins(pip) == {name: CONSTRAINTS[name] for name in declared}


def test_python_range_is_the_same_everywhere():
    conda = next(d for d in ENVIRONMENT["dependencies"] if str(d).startswith("python "))
    assert SpecifierSet(conda.removeprefix("python ")) == SpecifierSet(PROJECT["requires-python"])
    makefile = (ROOT / "Makefile").read_text()
    low, high = re.search(r"\((\d, \d+)\) <= sys.version_info < \((\d, \d+)\)", makefile).groups()
    expected = f">={low.replace(', ', '.')},<{high.replace(', ', '.')}"
    assert SpecifierSet(expected) == SpecifierSet(PROJECT["requires-python"])


def test_torch_and_torchvision_are_the_pinned_pair():
    assert CONSTRAINTS["torch"] == "2.13.0"
    assert CONSTRAINTS["torchvision"] == "0.28.0"
