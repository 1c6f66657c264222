"""Classes of a data set, and what is held out; the one reader of a split."""

from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from depthbias.data.tables import composed
from depthbias.system.arguments import mapping
from depthbias.system.errors import UserError, reading, several, suggestion
from depthbias.system.files import read_json

Rule = Mapping[str, Sequence[str]]  # {"all": [...], "any": [...], "none": [...]}, each optional


def class_rules(text: str) -> dict[str, Rule]:
    """The rule of each class, from JSON as params.yaml has it; as the kind of a flag.

    Whole numbers are names: 6 is "6".
    """
    rules = mapping(text)
    for name, rule in rules.items():
        if not (isinstance(rule, dict) and all(isinstance(part, list) for part in rule.values())):
            raise ArgumentTypeError(f'class {name}: give it as {{"any": ["label", ...]}}')
        for label in (label for part in rule.values() for label in part):
            if isinstance(label, bool) or not isinstance(label, str | int):
                raise ArgumentTypeError(f"class {name}: {label!r} is no text: put it in quotes")
    return {
        name: {part: [str(label) for label in labels] for part, labels in rule.items()}
        for name, rule in rules.items()
    }


def class_labels(
    attributes: np.ndarray, names: Sequence[str], classes: Mapping[str, Rule]
) -> np.ndarray:
    """The class of every image, int64 [N]: index into `classes`, -1 for none.

    attributes bool [N, A] with their `names`. An image is in a class iff it has all attributes of
    "all", at least one of "any" (if given) and none of "none". UserError that names all attributes
    that do not exist, classes without images, and pairs of classes that share images.
    """
    labels = np.full(len(attributes), -1, dtype=np.int64)
    problems: list[str] = []
    for index, (name, rule) in enumerate(classes.items()):
        if wrong := wrong_rule(names, name, rule):
            problems += wrong
            continue
        mask = _in_class(attributes, names, rule)
        if not mask.any():
            problems.append(f"class {name}: no image matches {_told(rule)}: change its labels")
        for other in np.unique(labels[mask & (labels >= 0)]).tolist():
            shared = mask & (labels == other)
            problems.append(
                f"classes {list(classes)[other]} and {name} share {shared.sum()} images "
                f"(row {shared.argmax()} is the first): exclude one from the other with 'none'"
            )
        labels[mask & (labels < 0)] = index
    if problems:
        raise several("", problems)
    return labels


def _told(rule: Rule) -> str:
    return ", ".join(f"{part}: [{', '.join(given)}]" for part, given in rule.items() if given)


def wrong_rule(names: Sequence[str], name: str, rule: Rule) -> list[str]:
    """What is wrong with the rule of a class, whatever the images are."""
    if set(rule) - {"all", "any", "none"} or not any(rule.values()):
        return [f"class {name}: give attributes under 'all', 'any' or 'none', nothing else"]
    known = set(map(composed, names))
    return [
        f"class {name}: no attribute {attribute!r}{suggestion(attribute, names)}"
        for part in rule.values()
        for attribute in part
        if composed(attribute) not in known
    ]


def _in_class(attributes: np.ndarray, names: Sequence[str], rule: Rule) -> np.ndarray:
    columns = {composed(attribute): column for column, attribute in enumerate(names)}

    def chosen(part: str) -> np.ndarray:
        return attributes[:, [columns[composed(name)] for name in rule.get(part, ())]]

    some = chosen("any").any(axis=1) if rule.get("any") else True
    return np.asarray(chosen("all").all(axis=1) & ~chosen("none").any(axis=1) & some)


PARTS = ("pool", "calibration", "control")


@dataclass(frozen=True)
class Split:
    """Three parts that share no image, each the sorted rows (int64) of every class in order.

    What a file tells beside: population, images of each class in the data set; images, the
    fingerprint of the data set.
    """

    classes: tuple[str, ...]
    pool: list[np.ndarray]
    calibration: list[np.ndarray]
    control: list[np.ndarray]
    population: tuple[int, ...] = ()
    images: str = ""

    def rows(self, *parts: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows of some parts in ascending order, and their classes, both int [N]."""
        of_class = [(k, own) for part in parts for k, own in enumerate(getattr(self, part))]
        rows = np.concatenate([own for _, own in of_class])
        labels = np.repeat([k for k, _ in of_class], [len(own) for _, own in of_class])
        order = np.argsort(rows)
        return rows[order], labels[order]


def read_split(path: Path) -> Split:
    """The split in a file; UserError if it is damaged."""
    content = read_json(path)
    with reading(path, "not a split", "split the data set again"):
        names = class_names(content["classes"])
        parts = [[np.array(content[part][name]) for name in names] for part in PARTS]
        population = tuple(int(count) for count in content["population"])
        pool, calibration, control = parts
        split = Split(names, pool, calibration, control, population, str(content["images"]))
        rows = [own for part in parts for own in part]
        if not (rows and len(population) == len(names) and all(map(is_rows, rows))):
            raise ValueError("rows are no numbers")
    return split


def class_names(told: Any) -> tuple[str, ...]:
    """The names of the classes in a file; ValueError unless they are different texts."""
    if not isinstance(told, list) or not all(isinstance(name, str) for name in told):
        raise ValueError("the classes are no names")
    if not told or len(set(told)) < len(told):
        raise ValueError("the classes have no names of their own")
    return tuple(told)


def is_rows(rows: np.ndarray) -> bool:
    """Whether these are rows of a data set, int [n], 1 or more."""
    return rows.ndim == 1 and rows.size > 0 and rows.dtype.kind == "i" and bool(rows.min() >= 0)


def hold_out(
    labels: np.ndarray,
    classes: Sequence[str],
    heldout: int,
    seed: int,
    persons: np.ndarray | None = None,
) -> Split:
    """Hold out `heldout` random images a class: half for calibration (rounded up), half to control.

    labels int [N]: index into `classes`, or -1 for images that are not to be used. persons int [N]:
    who is in an image; nobody is then in two parts, and other images of held-out persons are not
    used. UserError when a class has no more than `heldout` images, as none would be left to train
    on.
    """
    if heldout < 2:
        raise UserError(
            f"holding out {heldout} images a class leaves a part empty: hold out 2 or more"
        )
    few = [
        _too_few(labels, index, name, heldout, persons)
        for index, name in enumerate(classes)
        if np.count_nonzero(labels == index) <= heldout
    ]
    if few:
        raise several("", few)
    who = np.arange(len(labels)) if persons is None else np.unique(persons, return_inverse=True)[1]
    turn = np.random.default_rng(seed).permutation(who.max() + 1)  # persons in a random order
    order = np.argsort(np.argsort(turn)[who], kind="stable")  # image by image, person by person
    split, half = Split(tuple(classes), [], [], []), (heldout + 1) // 2
    taken = np.zeros(len(turn), dtype=bool)
    for part, count in ((split.calibration, half), (split.control, heldout - half)):
        for index, name in enumerate(classes):
            free = order[(labels[order] == index) & ~taken[who[order]]]
            if len(free) <= count:
                raise UserError(_too_few(labels, index, name, heldout, persons))
            part.append(np.sort(free[:count]))
        taken[who[np.concatenate(part)]] = True
    for index, name in enumerate(classes):
        rows = np.flatnonzero((labels == index) & ~taken[who])
        if not len(rows):
            raise UserError(_too_few(labels, index, name, heldout, persons))
        split.pool.append(rows)
    return split


def _too_few(
    labels: np.ndarray, index: int, name: str, heldout: int, persons: np.ndarray | None
) -> str:
    count = np.count_nonzero(labels == index)
    of = "" if persons is None else f" of {len(np.unique(persons[labels == index]))} persons"
    return (
        f"class {name} has {count} different images{of}: {heldout} cannot be held out and "
        f"some be left to train on; give data.heldout a number below {min(heldout, count)}"
    )


MOST_HELD_OUT = 1000  # where a study says no number


def heldout_of(wanted: int | str, counts: Sequence[int]) -> int:
    """How many images a class to hold out: the number that is wanted, or for "auto" what follows.

    That is three tenths of the smallest class, an even number from 4 to MOST_HELD_OUT. counts:
    images of each class.
    """
    if isinstance(wanted, int):
        return wanted
    return max(4, min(MOST_HELD_OUT, 3 * min(counts) // 10) // 2 * 2)
