"""Plot the class proportions of the generated images against depth."""

import argparse
from pathlib import Path

import pandas as pd

from depthbias.estimates.tidy import read_rows
from depthbias.report.bias_figures import plot_proportions
from depthbias.report.style import save
from depthbias.system.errors import UserError, command, explain


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--summary", type=Path, required=True, help="tidy results of one study (.csv)")
    add("--architectures", type=Path, help="table of architectures (.csv), to name their sizes")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    return parser.parse_args()


def read_parameters(path: Path) -> dict[str, int]:
    """{U-Net: parameters in this study} from the table of architectures."""
    try:
        table = pd.read_csv(path)
        return dict(zip(table["name"], table["parameters_study"], strict=True))
    except OSError as error:
        raise explain(error, path, "cannot read") from error
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: no table of architectures ({error}): write it again") from error


def main() -> None:
    arguments = parse()
    parameters = read_parameters(arguments.architectures) if arguments.architectures else {}
    save(plot_proportions(read_rows(arguments.summary), parameters), arguments.output)


if __name__ == "__main__":
    command(main)
