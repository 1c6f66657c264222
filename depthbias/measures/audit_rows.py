"""The rows of all groups of an audit as rows of one study."""

from collections.abc import Iterable

import pandas as pd

from depthbias.data.brought import IMAGE
from depthbias.estimates.runs import REAL, TRAIN
from depthbias.estimates.tidy import KEYS, unite


def audit_rows(parts: Iterable[pd.DataFrame], study: str) -> pd.DataFrame:
    """Tidy rows of the groups' tables, under the audit's name.

    Rows about real images come from every group: those with the most images stay, as a group with
    few samples compares them with few training images. The class IMAGE, of a study without classes,
    is that of all images, so its rows go.
    """
    tables = [table.assign(study=study) for table in parts]
    whole = pd.concat(tables, ignore_index=True)
    whole = whole[whole["class"] != IMAGE]
    background = whole["architecture"].isin([REAL, TRAIN])
    most = whole[background].sort_values("n", ascending=False, kind="stable")
    kept = most.drop_duplicates(KEYS).index
    return unite([whole[~background | whole.index.isin(kept)]])
