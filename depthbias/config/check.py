"""Find all that is wrong before a run: depthbias check [STUDY ...] [--params FILE]

Reads params.yaml and the raw files of the studies, by default of the active ones. No image is read,
and nothing is computed.
"""

import argparse
import sys

from depthbias.config.outlook import Outlook
from depthbias.config.raw_data import outlook
from depthbias.config.reading import find_problems, read_content
from depthbias.config.study import Study
from depthbias.system.errors import UserError, command, suggestion


def main() -> None:
    """A line for every problem on stderr and exit status 1, or what the studies will have."""
    parser = argparse.ArgumentParser(description="Find all that is wrong before a run.")
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="default: the active ones")
    parser.add_argument("--params", default="params.yaml", help="default: params.yaml")
    options = parser.parse_args()
    content = read_content(options.params)
    params, problems = find_problems(content)
    names = options.studies or (list(params.active) if params else [])
    told = content.get("studies") if isinstance(content, dict) else None
    known = {str(name) for name in told} if isinstance(told, dict) else set()
    if unknown := [name for name in names if name not in known]:
        hint = suggestion(unknown[0], known)
        raise UserError(f"{options.params}: studies: no study {unknown[0]!r}{hint}")
    for name in names:
        if params and name in {*params.studies, *params.audits}:
            found = outlook(params, name)
            problems += found.problems
            if not found.problems:
                print(f"{name}: {summary(params.studies.get(name), found)}")
    for problem in problems:
        print(f"{options.params}: {problem}", file=sys.stderr)
    if problems:
        number = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError(f"{options.params}: {number}")


def summary(study: Study | None, found: Outlook) -> str:
    """What a study will have, and what the values that follow from the data became; None: an
    audit's."""
    counts = ", ".join(f"{count} {name}" for name, count in found.counts.items())
    if not study:
        return counts
    k = ", ".join(map(str, study.neighbors.k))
    return (
        f"{counts}; {found.heldout} of each held out, {study.subset_size} train a model; "
        f"neighbors.k: {k}; structure.samples: {study.structure.samples}"
    )


if __name__ == "__main__":
    command(main)
