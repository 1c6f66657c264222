"""How far classifiers agree, and what they find at other thresholds, as tidy rows."""

from collections.abc import Iterator, Sequence

import numpy as np

from depthbias.estimates.intervals import Estimate, mixed_share, share_over_seeds, wilson
from depthbias.estimates.runs import ALL, REAL, Run
from depthbias.measures.arms import Shares
from depthbias.measures.opinions import Opinions
from depthbias.measures.rows import Row, grouped, row_of
from depthbias.measures.seen import Seen, agreements, reaches


def agreement_rows(seen: Sequence[Seen], opinions: Opinions) -> Iterator[Row]:
    """Over seeds, for every ratio, architecture and sampler; then held-out images beside them."""
    for group in grouped(seen, "ratio", "architecture", "sampler"):
        run = group[0].run._replace(seed=ALL)
        for name, label, threshold in group[0].above:
            found = [one.above[name, label, threshold] for one in group]
            row = row_of(f"share_above:{name}", _mean(found), run, label, len(group))
            yield row | {"k": threshold}
        for ending in group[0].agreed:
            counted = [one.agreed[ending] for one in group if one.agreed[ending].n]
            if counted:
                yield row_of(f"agreement{ending}", _mean(counted), run, "", len(counted))
    yield from _real_rows(seen, opinions)


def _mean(found: Sequence[Shares]) -> Estimate:
    """The first share over seeds."""
    values, draws = (np.array([one.values[0] for one in found]), [one.draws[:, 0] for one in found])
    return share_over_seeds(values, np.stack(draws), sum(one.n for one in found))


def _real_rows(seen: Sequence[Seen], opinions: Opinions) -> Iterator[Row]:
    """The same of the held-out images that calibrate, mixed at the training ratio.

    Agreement is of all of them, of classes alike.
    """
    study, told, truth = seen[0].run.study, opinions.heldout, opinions.truth
    for ending, flags in agreements(told, opinions.names).items():
        share = wilson(int(flags.sum()), len(flags))
        yield row_of(f"agreement{ending}", share, Run(study, ALL, REAL, ALL))
    for group in grouped(seen, "ratio"):
        run, trained = Run(study, group[0].run.ratio, REAL, ALL), group[0].trained
        for name, label, threshold in group[0].above:
            c, k = opinions.names.index(name), opinions.classes.index(label)
            flags = reaches(told[:, c, k], threshold)
            shares = [
                wilson(int(flags[truth == j].sum()), int((truth == j).sum()))
                for j in range(len(trained))
            ]
            row = row_of(f"share_above:{name}", mixed_share(shares, trained), run, label)
            yield row | {"k": threshold}
