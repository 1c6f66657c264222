"""Write the page of a study: answer, lights, claims, samples and methods in one HTML file."""

from depthbias.data.subsets import read_subset
from depthbias.estimates.endpoints import Endpoint, read_slopes
from depthbias.estimates.tidy import read_rows
from depthbias.measures.manifolds import read_manifold
from depthbias.report.claims import judge
from depthbias.report.doubts import doubts
from depthbias.report.lights import lights
from depthbias.report.methods import methods
from depthbias.report.page import arm_bars, page, pictures
from depthbias.report.sample_browser import browser, by_ratio, read_shown
from depthbias.system.arguments import (
    IMAGES,
    STUDY,
    SUBSETS,
    SUMMARY,
    Arguments,
    file,
    files,
    flag,
    mapping,
    script,
)
from depthbias.system.errors import reading
from depthbias.system.files import check_writable, read_json, write_text


@script(
    STUDY,
    flag("--settings", "the study in full, JSON", mapping),
    SUMMARY,
    file("--slopes", "every slope on depth with its p (.csv)"),
    file("--verdict", "answer and sentence (.json)"),
    IMAGES,
    SUBSETS,
    files("--samples", "generated images, main sampler (.npz)"),
    files("--classes", "what the classifier made of them, in the same order (.npz)"),
    file("--manifold", "which images lie on the manifold (.npz)"),
    files("--figures", "figures to show, .svg or .png", default=[]),
    files("--meta", "descriptions of the models (.json)"),
    files("--usage", "what runs took (.json)", default=[]),
    file("--output", "page to write (.html)"),
)
def main(args: Arguments) -> None:
    check_writable(args.output)
    settings = args.settings
    with reading("--settings", "not a study in full", "give what `depthbias resolve` prints"):
        named, decidable = settings["endpoint"], settings["bias"]["decidable"]
        endpoint = Endpoint(
            named["metric"],
            named["series"],
            settings["ratios"][0],
            named["smallest"],
            tuple(named["secondary"]),
        )
    summary, slopes, found = (
        read_rows(args.summary),
        read_slopes(args.slopes),
        read_json(args.verdict),
    )
    manifold = read_manifold(args.manifold, args.study)
    shown = read_shown(
        args.samples,
        args.classes,
        manifold,
        [read_subset(path, manifold.classes) for path in args.subsets],
        args.images,
        decidable,
    )
    hashed = [args.summary, args.slopes, args.verdict, args.images]
    text = page(
        args.study,
        found,
        arm_bars(slopes, endpoint),
        lights(summary, endpoint, manifold),
        judge(summary, slopes, found, endpoint),
        pictures(args.figures),
        browser(by_ratio(shown), args.images),
        methods(settings, args.study, args.meta, args.usage, hashed),
        doubts=doubts(summary),
    )
    write_text(args.output, text)
    print(found["sentence"], args.output, sep="\n", flush=True)
