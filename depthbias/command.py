"""The command `depthbias`: what a person types beside `snakemake`.

A sub-command is a row of COMMANDS and a module with a function `main` that reads the words after
its name from sys.argv. The module is imported only when its sub-command is called.
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from importlib import import_module
from typing import NamedTuple

from depthbias.system.errors import command, suggestion


class Command(NamedTuple):
    """A sub-command."""

    does: str  # its help, a few words
    module: str  # whose `main` it calls
    example: str  # the words after `depthbias`


COMMANDS = {
    "audit": Command(
        "audit images or models of others",
        "depthbias.audit",
        "audit --training train --generated generated --name theirs",
    ),
    "check": Command("find all that is wrong before a run", "depthbias.config.check", "check pets"),
    "export": Command(
        "a model, the images or a study for other programs",
        "depthbias.export.main",
        "export model digits 90-10 depth3 0 --output my-model",
    ),
    "resolve": Command("print a study in full", "depthbias.config.resolve", "resolve mnist-small"),
}


def main() -> None:
    """Call the sub-command that the command line names; without one, print help."""
    width = max(len(row.example) for row in COMMANDS.values())
    rows = [f"  depthbias {row.example:{width}}   # {row.does}" for row in COMMANDS.values()]
    parser = ArgumentParser(
        prog="depthbias",
        description="Bias and copies of diffusion models. The workflow itself is run by snakemake.",
        epilog="\n".join(["examples:", *rows, "", "depthbias NAME --help says more."]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help=", ".join(COMMANDS))
    name = parser.parse_args(sys.argv[1:2]).name
    if name is None:
        parser.print_help()
        return
    if name not in COMMANDS:
        parser.error(f"no command {name!r}{suggestion(name, COMMANDS)}")
    sys.argv = [f"depthbias {name}", *sys.argv[2:]]
    import_module(COMMANDS[name].module).main()


def run() -> None:
    """The entry point: `main`, with an error in one line."""
    command(main)


if __name__ == "__main__":
    run()
