"""Write the headline numbers of a study for `dvc metrics` (JSON) and `dvc plots` (CSV)."""

from depthbias.estimates.headline import headline, nested, shares
from depthbias.estimates.tidy import read_rows
from depthbias.system.arguments import SUMMARY, arguments, file
from depthbias.system.errors import UserError, command
from depthbias.system.files import write_csv, write_json


def main() -> None:
    metrics = file("--metrics", "metric > ratio > U-Net > class (.json)")
    plot = file("--plot", "corrected shares, one a row (.csv)")
    args = arguments(__doc__, SUMMARY, metrics, plot)
    rows = headline(read_rows(args.summary))
    if "share_corrected" not in set(rows.metric):
        raise UserError(f"{args.summary}: no class proportions: delete it and run again")
    write_json(args.metrics, nested(rows))
    write_csv(args.plot, shares(rows))


if __name__ == "__main__":
    command(main)
