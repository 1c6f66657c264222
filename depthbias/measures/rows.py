"""Grouping runs, and tidy rows of what is found about them."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.intervals import Estimate
from depthbias.estimates.runs import Run

Row = dict[str, Any]


class OfRun(Protocol):
    """Anything that is about one run."""

    @property
    def run(self) -> Run: ...


Item = TypeVar("Item", bound=OfRun)


def row_of(metric: str, estimate: Estimate, run: Run, class_name: str = "", runs: int = 1) -> Row:
    """The tidy row of an estimate that rests on so many runs."""
    keys = {"metric": metric, "class": class_name, **run._asdict()}
    return keys | estimate._asdict() | {"runs": runs}


def grouped(items: Iterable[Item], *names: str) -> list[list[Item]]:
    """Those whose runs agree in the named keys, in the order of their first."""
    groups = defaultdict(list)
    for item in items:
        groups[tuple(getattr(item.run, name) for name in names)].append(item)
    return list(groups.values())


def depth_of(item: OfRun) -> int:
    """Depth of the architecture; 0 where it has none."""
    return get_architecture(item.run.architecture).depth or 0


def by_series(
    items: Iterable[Item], depth: Callable[[Item], float] = depth_of
) -> dict[str, list[Item]]:
    """Those of each series that has several depths; networks without depth belong to none."""
    groups = defaultdict(list)
    for item in items:
        if depth(item):
            groups[get_architecture(item.run.architecture).series].append(item)
    return {series: group for series, group in groups.items() if len(set(map(depth, group))) > 1}
