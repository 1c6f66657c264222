"""How often each classifier of a study is right about held-out images, as tidy rows."""

from collections.abc import Iterator

import numpy as np

from depthbias.estimates.intervals import mixed_share, wilson
from depthbias.estimates.runs import ALL, REAL, Run
from depthbias.measures.opinions import Opinions
from depthbias.measures.rows import Row, row_of


def accuracy_rows(study: str, opinions: Opinions) -> Iterator[Row]:
    """Rows of the architecture REAL: accuracy, of each class and balanced, and the confusion."""
    run, classes = Run(study, ALL, REAL, ALL), opinions.classes
    for name in opinions.names:
        confusion = opinions.confusion(name)
        totals = confusion.sum(axis=0)
        right = [wilson(int(confusion[k, k]), int(n)) for k, n in enumerate(totals)]
        balanced = mixed_share(right, np.full(len(classes), 1 / len(classes)))
        metric = f"classifier_accuracy:{name}"
        yield row_of(metric, balanced, run)
        for k, class_name in enumerate(classes):
            yield row_of(metric, right[k], run, class_name)
        for true, found in np.ndindex(confusion.shape):
            share = wilson(int(confusion[found, true]), int(totals[true]))
            named = f"{classes[true]}->{classes[found]}"
            yield row_of(f"classified_as:{name}", share, run, named)
