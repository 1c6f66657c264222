"""Plot the training loss of every run of a study against images seen."""

import argparse
from pathlib import Path

import pandas as pd

from depthbias.report.loss_figure import plot_losses
from depthbias.report.style import save
from depthbias.system.errors import UserError, command, explain


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="name of the study, for the title")
    add("--logs", type=Path, nargs="+", required=True, metavar="CSV", help="training logs")
    add("--labels", nargs="+", required=True, metavar="RATIO/UNET/SEED", help="one for each log")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    arguments = parser.parse_args()
    if len(arguments.logs) != len(arguments.labels):
        parser.error(f"{len(arguments.logs)} --logs but {len(arguments.labels)} --labels")
    if any(label.count("/") != 2 for label in arguments.labels):
        parser.error("--labels must look like 90-10/depth2/seed0")
    return arguments


def read_log(path: Path, label: str) -> pd.DataFrame:
    """The columns images and loss of one log, with those of its run."""
    try:
        log = pd.read_csv(path, usecols=["images", "loss"])
    except OSError as error:
        raise explain(error, path, "cannot read") from error
    except ValueError as error:
        raise UserError(f"{path}: not a training log ({error}): train again") from error
    ratio, architecture, seed = label.split("/")
    return log.assign(ratio=ratio, architecture=architecture, seed=seed)


def main() -> None:
    arguments = parse()
    logs = [read_log(*pair) for pair in zip(arguments.logs, arguments.labels, strict=True)]
    save(plot_losses(pd.concat(logs), arguments.study), arguments.output)


if __name__ == "__main__":
    command(main)
