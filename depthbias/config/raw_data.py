"""What the raw files of a study decide before anything is computed: labels, classes and sizes."""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np

from depthbias.config.blocks import Data
from depthbias.config.outlook import Outlook, missing, takes_long
from depthbias.config.raw_audit import audit_outlook
from depthbias.config.study import Params, Study
from depthbias.data.celeba import attribute_names
from depthbias.data.dataset import DataSet
from depthbias.data.persons import GROUPED, hold_out_known
from depthbias.data.registry import DATA_SETS, folders_of, known_labels
from depthbias.data.splits import class_labels, heldout_of, wrong_rule
from depthbias.data.subsets import check_size
from depthbias.system.errors import UserError
from depthbias.system.files import names_npz, read_npz


def outlook(params: Params, name: str, quick: bool = False) -> Outlook:
    """What the raw files of a study of params.yaml say, or its prepared images if those are gone.

    Reads no image. With `quick`, tables that take over a second to read, and files of CelebA that
    are still to be fetched, are left to the first job.
    """
    if name in params.audits:
        return audit_outlook(params.audits[name], name, quick)
    study, key = params.studies[name], f"studies.{name}"
    prepared = Path("data", name, "images.npz")
    rules = {label: rule.model_dump() for label, rule in study.classes.items()}
    try:
        known = _known(study.data, prepared, quick)
    except UserError as error:
        return Outlook([f"{key}.data.{error}"], {})
    if isinstance(known, DataSet):
        try:
            labels = class_labels(known.attributes, known.names, rules)
        except UserError as error:
            return Outlook([f"{key}.classes: {error}"], {})
    else:
        wrong = [line for name, rule in rules.items() for line in wrong_rule(known, name, rule)]
        return Outlook([f"{key}.classes: {line}" for line in wrong if known], {})
    found = np.bincount(labels[labels >= 0], minlength=len(rules)).tolist()
    counts = dict(zip(rules, found, strict=True))
    try:
        heldout = heldout_of(study.data.heldout, found)
        seed, grouped = study.data.seed, known.grouped if study.data.by_person else {}
        split = hold_out_known(labels, list(rules), heldout, seed, grouped)
    except UserError as error:
        return Outlook([f"{key}.data.heldout: {error}"], counts)
    pool = [len(rows) for rows in split.pool]
    problems = [*_heldout(study, key, heldout), *_sizes(params, name, found, pool)]
    return Outlook(problems, counts, heldout)


def first_problem(params: Params, names: Iterable[str]) -> str:
    """The first problem of some studies that can be found in well under a second; "" if none."""
    found = (outlook(params, name, quick=True).problems for name in names)
    return next((problems[0] for problems in found if problems), "")


def _heldout(study: Study, key: str, heldout: int) -> Iterator[str]:
    if heldout <= max(study.quality.k):
        yield (
            f"{key}.data.heldout: {study.data.heldout} holds out {heldout} images a class, and "
            f"quality.k: {max(study.quality.k)} needs more: lower it, or add images"
        )


def _sizes(
    params: Params, name: str, population: Sequence[int], pool: Sequence[int]
) -> Iterator[str]:
    """What is wrong with the size of the subsets of a study and of the studies of its sweeps."""
    sizes = {f"studies.{name}.subset_size": params.studies[name]}
    for sweep, block in params.sweeps.items():
        if (block.study, block.vary) == (name, "subset_size"):
            for point, value in params.points(sweep).items():
                sizes[f"sweeps.{sweep}.values: {value:g}"] = params.study(sweep, point, value)
    for key, study in sizes.items():
        blocks = max(study.seeds) + 1 if study.disjoint else 1
        for ratio in study.ratios:
            try:
                classes = list(study.classes)
                check_size(ratio, classes, population, pool, study.subset_size, blocks)
            except UserError as error:
                yield f"{key}: {error}"


def _known(data: Data, prepared: Path, quick: bool) -> DataSet | list[str]:
    """The labels of a study's images, or their names only, or none where they take too long.

    UserError that begins with a key of the block.
    """
    folders = folders_of(data.dataset, data.raw)
    table = Path(data.labels) if data.labels else None
    row = DATA_SETS[data.dataset]
    problem = missing(data.raw, folders, table)
    if problem and row.watched and prepared.exists():
        return _prepared(prepared)
    if problem and row.takes_labels:
        raise UserError(problem)
    try:
        if quick and data.dataset == "celeba":
            return attribute_names(folders)
        if quick and not (row.counts or row.takes_labels):
            return []
        if quick and takes_long(table or folders[0] / "metadata.csv"):
            return []
        with redirect_stderr(io.StringIO()):  # what is left out is said by the job that reads it
            return known_labels(data.dataset, folders, table, data.by_person, data.on_conflict)
    except UserError as error:
        raise UserError(f"{'labels' if table else 'raw'}: {error}") from error


def _prepared(path: Path) -> DataSet:
    attributes, names = read_npz(path, "attributes", "names")
    known = [name for name in GROUPED if name in names_npz(path)]
    grouped = dict(zip(known, read_npz(path, *known), strict=True))
    return DataSet(names.tolist(), attributes, [], (8, 8, 1), [], grouped)
