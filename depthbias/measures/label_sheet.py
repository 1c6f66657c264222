"""Generated images drawn to be labelled by hand, and the answers that come back."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from depthbias.estimates.intervals import stream
from depthbias.measures.rows import grouped
from depthbias.measures.samples import Classes, Generated, join, read_samples
from depthbias.system.errors import UserError, reading
from depthbias.system.files import fingerprint

NEITHER = "neither"
COLUMNS = ["image", "label"]
REMEDY = "save it again from the page of the sheet, or move it away"


class Drawn(NamedTuple):
    """An image uint8 [H, W, C] of the sheet, and what it is called."""

    name: str
    image: np.ndarray


def answers(classes: Sequence[str]) -> tuple[str, ...]:
    """What may be said of an image: one of the classes, or neither of them."""
    if NEITHER in classes:
        raise UserError(f"classes: {NEITHER!r} is an answer of its own: rename the class")
    return (*classes, NEITHER)


def name_of(model: Generated, image: int) -> str:
    """What an image is called: a fingerprint of its run, its noise and its pixels."""
    noise = map(str, model.noise[image])
    return fingerprint(*model.run.key, *noise, model.images[image].tobytes())


def draw_sheet(models: Sequence[Classes], count: int) -> list[tuple[int, int]]:
    """About `count` images (model, image), in random order.

    From every stratum equally many as far as they go. A stratum is what the classifier puts into
    one class, of all models of one ratio and architecture; models: of one study and sampler.
    """
    classes, place = models[0].classes, {model.run: m for m, model in enumerate(models)}
    strata = {}
    for group in grouped(models, "ratio", "architecture"):
        run = group[0].run
        for k, name in enumerate(classes):
            members = [
                (place[one.run], i) for one in group for i in np.flatnonzero(one.labels == k)
            ]
            if members:
                strata[run.ratio, run.architecture, name] = members
    sizes = np.array([len(members) for members in strata.values()])
    each = max(t for t in range(count + 1) if t <= 1 or np.minimum(sizes, t).sum() <= count)
    drawn = []
    for key, members in strata.items():
        order = stream("sheet", *key).permutation(len(members))
        drawn += [members[i] for i in order[:each]]
    return [drawn[i] for i in stream("sheet").permutation(len(drawn))]


def draw_images(models: Sequence[Classes], samples: Sequence[Path], count: int) -> list[Drawn]:
    """The images of `draw_sheet`, from the samples of the models in the same order."""
    answers(models[0].classes)
    drawn, found = draw_sheet(models, count), {}
    for m in sorted({m for m, _ in drawn}):
        generated = join(read_samples(samples[m]), models[m])
        for i in (i for owner, i in drawn if owner == m):
            found[m, i] = Drawn(name_of(generated, i), generated.images[i])
    return [found[one] for one in drawn]


def read_labels(path: Path, classes: Sequence[str]) -> dict[str, int]:
    """The answer to every image that has one, {name: index among `answers`}.

    UserError for what is not the CSV of a sheet of these classes.
    """
    allowed = answers(classes)
    with reading(path, "not a table of labels", REMEDY), path.open(encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        if table.fieldnames != COLUMNS:
            raise UserError(f"{path}: its columns are not {','.join(COLUMNS)}: {REMEDY}")
        rows = [(row["image"], (row["label"] or "").strip()) for row in table]
    given: dict[str, int] = {}
    for name, label in rows:
        if not label:
            continue
        if label not in allowed:
            raise UserError(f"{path}: label {label!r} is not {' or '.join(allowed)}: correct it")
        if given.setdefault(name, allowed.index(label)) != allowed.index(label):
            raise UserError(f"{path}: image {name} has two labels: delete one")
    if not given:
        raise UserError(f"{path}: holds no label: {REMEDY}")
    return given


def counts_of(
    path: Path, given: Mapping[str, int], models: Iterable[Generated]
) -> dict[tuple[str, str, int], np.ndarray]:
    """{(ratio, architecture, class by the classifier): answers counted, int [K + 1]}.

    UserError for a label of an image that is not among those of the models.
    """
    found: dict[tuple[str, str, int], np.ndarray] = {}
    for model in models:
        for i, label in enumerate(model.labels.tolist()):
            answer = given.get(name_of(model, i))
            if answer is not None:
                none = np.zeros(len(model.classes) + 1, dtype=np.int64)
                key = model.run.ratio, model.run.architecture, label
                found.setdefault(key, none)[answer] += 1
    known = sum(int(counts.sum()) for counts in found.values())
    if known < len(given):
        raise UserError(
            f"{path}: {len(given) - known} of {len(given)} labelled images are not among the "
            "samples of this study: label a new sheet"
        )
    return found
