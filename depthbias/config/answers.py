"""Print the answers of the active studies, and where their pages are: the end of `make demo`."""

from pathlib import Path

from depthbias.config.reading import load
from depthbias.system.errors import UserError, command
from depthbias.system.files import read_json


def main() -> None:
    """The sentence of every active study of params.yaml, and the path of its page."""
    params = load("params.yaml")
    for study in params.active:
        answer = "audit.json" if study in params.audits else "verdict.json"
        verdict, page = Path("results", study, answer), Path("results", study, "index.html")
        if not page.is_file():
            raise UserError(f"{page}: not there: run snakemake --cores all {study}")
        print(f"{study}: {read_json(verdict)['sentence']}")
        print(f"Open {page} in a browser.")


if __name__ == "__main__":
    command(main)
