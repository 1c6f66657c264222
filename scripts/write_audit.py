"""Write what an audit found: its page, audit.json, a model card and the figure of closest pairs."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from depthbias.data.subsets import read_subset
from depthbias.diffusion.brought import SERIES
from depthbias.estimates.endpoints import Endpoint
from depthbias.estimates.runs import REAL, TRAIN
from depthbias.estimates.tidy import read_rows
from depthbias.measures.manifolds import read_manifold
from depthbias.measures.samples import read_classes, read_samples
from depthbias.report.audit_answer import QUESTION, Answer, answers, headline, sections
from depthbias.report.audit_card import card, numbers
from depthbias.report.audit_notes import inputs_of, left_out, notes, own_lights
from depthbias.report.lights import audit_lights
from depthbias.report.methods import methods
from depthbias.report.nearest_pairs_figure import plot_nearest_pairs
from depthbias.report.page import page, pictures
from depthbias.report.sample_browser import OF_AUDIT, Group, browser, read_shown
from depthbias.report.style import save
from depthbias.system.arguments import (
    IMAGES,
    STUDY,
    SUMMARY,
    Arguments,
    file,
    files,
    flag,
    mapping,
    script,
)
from depthbias.system.errors import reading
from depthbias.system.files import (
    check_writable,
    fingerprint,
    map_npz,
    read_json,
    write_json,
    write_text,
)


def draw_pairs(args: Arguments, embedding: str) -> None:
    """The closest pairs of all subjects, as one figure."""
    pairs = pd.read_csv(args.pairs, dtype={"seed": str})
    samples = {one.run.architecture: one.images for one in map(read_samples, args.samples)}
    real: np.ndarray = map_npz(args.images, "images")
    save(plot_nearest_pairs(pairs, real, samples, embedding), [args.figures])


def groups(args: Arguments, decidable: float) -> list[Group]:
    """The generated images of each group, whose files are in the folders of its manifold."""
    found = []
    runs = [read_classes(path).run for path in args.classes]
    for path in args.manifolds:
        manifold = read_manifold(path, None)
        study = manifold.runs[0].study
        own = [run.study == study for run in runs]
        samples, classes = list(compress(args.samples, own)), list(compress(args.classes, own))
        subset = read_subset(args.subset, manifold.classes)
        shown = read_shown(samples, classes, manifold, [subset], args.images, decidable)
        names = [one.run.architecture for one in shown]
        unit = "image" if shown[0].run.sampler == "given" else "noise"
        found.append(Group(", ".join(names), unit, shown))
    return found


def hashed(args: Arguments) -> list[Path]:
    """The files that the answer rests on."""
    return [args.summary, args.pairs, args.images, *args.samples]


def told(
    args: Arguments, found: Sequence[Answer], summary: pd.DataFrame, brought: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of audit.json."""
    rows = headline(summary)
    weights = {meta["architecture"]: meta["weights"] for meta in map(read_json, args.meta)}
    subjects = {
        one.subject: {
            "leak": one.leak,
            **({"bias": one.bias} if one.bias else {}),
            "told": one.told,
            "numbers": numbers(rows, one.subject),
        }
        for one in found
    }
    return {
        "study": args.study,
        "sentence": " ".join(one.told for one in found),
        "subjects": subjects,
        "backgrounds": {name: numbers(rows, name) for name in (REAL, TRAIN)},
        "left_out": left_out(args.settings),
        "warnings": notes(brought),
        "inputs": inputs_of(brought, args.settings),
        "files": {path.as_posix(): fingerprint(path) for path in hashed(args)},
        "weights": weights,
        "versions": {
            name: version(name) for name in ("depthbias", "numpy", "pillow", "torch", "diffusers")
        },
    }


@script(
    STUDY,
    flag("--settings", "the audit in full, JSON", mapping),
    SUMMARY,
    file("--pairs", "closest pairs of all subjects (.csv)"),
    IMAGES,
    file("--about", "formats and sizes of the real images (.json)"),
    files("--manifolds", "which images lie on the manifold, of every group (.npz)"),
    file("--subset", "the training images (.json)"),
    files("--samples", "generated images of all subjects (.npz)"),
    files("--classes", "what the classifier made of them, in the same order (.npz)"),
    files("--meta", "descriptions of the models (.json)", default=[]),
    files("--brought", "formats and sizes of generated images (.json)", default=[]),
    file("--page", "page to write (.html)"),
    file("--audit", "the same for machines, to write (.json)"),
    file("--card", "model card to write (.md)"),
    file("--figures", "closest pairs, to write (.png)"),
)
def main(args: Arguments) -> None:
    check_writable(args.page, args.audit, args.card, args.figures)
    settings, summary = args.settings, read_rows(args.summary)
    with reading("--settings", "not an audit in full", "give what `depthbias resolve` prints"):
        subjects, classes = list(settings["subjects"]), list(settings["classes"])
        decidable = settings["bias"]["decidable"]
    brought = {"real": read_json(args.about), "generated": [read_json(p) for p in args.brought]}
    found = answers(summary, subjects, classes)
    draw_pairs(args, settings["neighbors"]["embeddings"][0])
    content = told(args, found, summary, brought)
    write_json(args.audit, content)
    text = card(args.study, headline(summary), found, content["warnings"], version("depthbias"))
    write_text(args.card, text)
    endpoint = Endpoint("log_odds_shift_per_depth", SERIES, "natural", 0.1, ())
    manifold = read_manifold(args.manifolds[0], None)
    verdict = {"answer": ", ".join(one.leak for one in found), "sentence": content["sentence"]}
    html = page(
        args.study,
        verdict,
        None,
        [*audit_lights(summary, endpoint, manifold), *own_lights(brought, settings)],
        [],
        pictures([args.figures]),
        browser(groups(args, decidable), args.images, OF_AUDIT),
        methods(settings, args.study, args.meta, [], hashed(args), own=False),
        QUESTION,
        list(sections(summary, subjects, classes)),
    )
    write_text(args.page, html)
    print(content["sentence"], args.page, sep="\n", flush=True)
