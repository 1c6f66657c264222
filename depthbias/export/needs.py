"""Packages that only exports need, from the optional dependencies `export`."""

from importlib import import_module
from types import ModuleType

from depthbias.system.errors import UserError


def needs(package: str) -> ModuleType:
    """The package, imported; UserError that says how to install it."""
    try:
        return import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise UserError(
            f"package {name} is not installed: pip install -c constraints.txt -e '.[export]'"
        ) from error
