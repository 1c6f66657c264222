"""Print a study in full: depthbias resolve STUDY [--params FILE]

For a study that is based on another, these are the values that the workflow uses.
"""

import argparse

import yaml

from depthbias.config.reading import load
from depthbias.system.errors import UserError, command, suggestion


def main() -> None:
    """The keys and values of the study as YAML, defaults included."""
    parser = argparse.ArgumentParser(description="Print a study in full, as YAML.")
    parser.add_argument("study", help="its name in the file")
    parser.add_argument("--params", default="params.yaml", help="default: params.yaml")
    options = parser.parse_args()
    params = load(options.params)
    studies = {**params.studies, **params.audits}
    if options.study not in studies:
        hint = suggestion(options.study, studies)
        raise UserError(f"{options.params}: studies: no study {options.study!r}{hint}")
    print(yaml.safe_dump(studies[options.study].model_dump(), sort_keys=False), end="")


if __name__ == "__main__":
    command(main)
