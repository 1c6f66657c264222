"""What the files that an audit brings decide before anything is computed."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from depthbias.config.audit import Audit, Subject
from depthbias.config.outlook import Outlook, beside, missing, takes_long
from depthbias.data.brought import Listed, generated_names, list_images
from depthbias.data.brought_split import BroughtSplit, split_brought
from depthbias.data.dataset import one_hot
from depthbias.diffusion.brought_files import Source, check_source, find_source
from depthbias.system.errors import UserError


def audit_outlook(audit: Audit, name: str, quick: bool = False) -> Outlook:
    """Training images, held-out ones and subjects. Reads no image and no weights.

    What was brought before may be gone. With `quick`, tables that take over a second to read are
    left to the first job.
    """
    key = f"studies.{name}"
    prepared = Path("data", name, "images.npz").exists()
    listed: dict[str, Listed | None] = {}
    problems, counts = [], {}
    blocks = {"data": audit.data} | ({"heldout": audit.heldout} if audit.heldout else {})
    for part, block in blocks.items():
        if prepared and not Path(block.raw).is_dir():
            continue
        try:
            listed[part] = _listed(block.raw, block.labels, bool(audit.classes), quick)
        except UserError as error:
            problems.append(f"{key}.{part}.{error}")
    known = {part: one for part, one in listed.items() if one}
    if not problems and len(known) == len(blocks):
        try:
            split = _split(audit, known)
            problems += [f"{key}.{line}" for line in _sizes(audit, split)]
            counts = {name: len(known[part].files) for part, name in NAMES.items() if part in known}
        except UserError as error:
            problems.append(f"{key}.{'classes' if audit.classes else 'data.heldout'}: {error}")
    for group, part_of in audit.groups(name).items():
        for one, subject in part_of.subjects.items():
            if not Path("results", group, "natural", one).is_dir() or _path(subject).exists():
                try:
                    counts |= _subject(audit, one, subject)
                except UserError as error:
                    problems.append(f"{key}.subjects.{one}.{_key(subject)}: {error}")
    return Outlook(problems, counts)


NAMES = {"data": "training images", "heldout": "held-out images"}


def _listed(raw: str, labels: str, labelled: bool, quick: bool) -> Listed | None:
    """The images of a block; None where its table takes long. UserError that begins with a key."""
    folder, table = Path(raw), Path(labels) if labels else None
    if problem := missing(raw, [folder], table):
        raise UserError(problem)
    if quick and takes_long(table or folder / "metadata.csv"):
        return None
    try:
        return list_images(folder, table, labelled)
    except UserError as error:
        raise UserError(f"{'labels' if table else 'raw'}: {error}") from error


def _split(audit: Audit, listed: Mapping[str, Listed]) -> BroughtSplit:
    """The split of the images, as if none were a copy of another."""
    labels = [label for one in listed.values() for label in one.labels]
    names, codes = np.unique(labels, return_inverse=True)
    rules = {name: rule.model_dump() for name, rule in audit.classes.items()}
    first, count = np.arange(len(labels)), len(listed["data"].files)
    attributes, data = one_hot(codes, len(names)), audit.data
    return split_brought(attributes, names.tolist(), rules, first, count, data.heldout, data.seed)


def _sizes(audit: Audit, split: BroughtSplit) -> Iterator[str]:
    """Measurements that there are too few images for."""
    k = max(audit.quality.k)
    for place, name in enumerate(split.classes):
        apart = sum(len(split.parts[part][place]) for part in ("calibration", "control"))
        if apart <= k:
            yield (
                f"quality.k: {k} needs more than {apart} held-out images of class {name}: lower "
                "it, or give more"
            )
    trained = sum(len(rows) for part in split.training for rows in split.parts[part])
    if max(audit.neighbors.k) > trained:
        yield (
            f"neighbors.k: {max(audit.neighbors.k)} needs as many training images, and there are "
            f"{trained}: lower it"
        )


def _key(subject: Subject) -> str:
    return next(key for key in ("images", "diffusers", "weights") if getattr(subject, key))


def _path(subject: Subject) -> Path:
    return Path(getattr(subject, _key(subject)))


def _subject(audit: Audit, name: str, subject: Subject) -> dict[str, int]:
    """{what it brings: images}; UserError for what cannot be audited."""
    path = _path(subject)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder{beside(path)}: correct the path")
    if subject.images:
        return {f"images of {name}": len(generated_names(path))}
    loose = Source(Path(subject.unet), Path(subject.scheduler), path)
    source = loose if subject.weights else find_source(path)
    size = audit.data.size
    height, width = (size, size) if isinstance(size, int) else size
    check_source(source, (height, width), audit.data.channels)
    return {f"images from {name}": audit.sampling.images}
