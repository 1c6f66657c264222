"""Write the headline numbers of a study for `dvc metrics` (JSON) and `dvc plots` (CSV)."""

from depthbias.estimates.headline import headline, nested, shares
from depthbias.estimates.tidy import read_rows
from depthbias.system.arguments import SUMMARY, Arguments, file, script
from depthbias.system.errors import UserError
from depthbias.system.files import write_csv, write_json


@script(
    SUMMARY,
    file("--metrics", "metric > ratio > U-Net > class (.json)"),
    file("--plot", "corrected shares, one a row (.csv)"),
)
def main(args: Arguments) -> None:
    rows = headline(read_rows(args.summary))
    if "share_corrected" not in set(rows.metric):
        raise UserError(f"{args.summary}: no class proportions: delete it and run again")
    write_json(args.metrics, nested(rows))
    write_csv(args.plot, shares(rows))
