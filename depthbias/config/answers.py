"""Print the answers of the active studies, and where their pages are: the end of `make demo`."""

from pathlib import Path

from depthbias.config.reading import load
from depthbias.system.errors import command
from depthbias.system.files import read_json


def main() -> None:
    """The sentence of every active study of params.yaml, and the path of its page."""
    for study in load("params.yaml").active:
        folder = Path("results", study)
        print(f"{study}: {read_json(folder / 'verdict.json')['sentence']}")
        print(f"Open {folder / 'index.html'} in a browser.")


if __name__ == "__main__":
    command(main)
