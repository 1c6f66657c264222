"""Judge the slope that a study was run for, and correct all others for their number."""

from depthbias.estimates.arm_names import SIGNS
from depthbias.estimates.endpoints import Endpoint, verdict, verdict_rows
from depthbias.estimates.tidy import read_rows
from depthbias.system.arguments import SUMMARY, Arguments, file, flag, script
from depthbias.system.files import write_csv, write_json


@script(
    SUMMARY,
    flag("--metric", "the slope", choices=SIGNS),
    flag("--series", "architectures that it is over"),
    flag("--ratio", "training ratio of a slope that has one"),
    flag("--smallest", "smallest slope worth knowing", float),
    flag("--secondary", "other slopes, corrected by Holm", nargs="*", default=[]),
    file("--slopes", "every slope with its p, to write (.csv)"),
    file("--verdict", "answer and sentence, to write (.json)"),
)
def main(args: Arguments) -> None:
    endpoint = Endpoint(args.metric, args.series, args.ratio, args.smallest, tuple(args.secondary))
    rows = verdict_rows(read_rows(args.summary), endpoint)
    found = verdict(rows, endpoint)
    write_csv(args.slopes, rows)
    write_json(args.verdict, found)
    print(found["sentence"], flush=True)
