"""Rows of the tidy table: selected by what they are about, and united."""

import numpy as np
import pytest

from depthbias.estimates import tidy
from depthbias.system.errors import UserError

PLACES = [
    ("depth2", "0", "ddim-4"),
    ("depth2", "all", "ddim-4"),
    ("depth2", "0", "heun-4"),
    ("published", "all", "ddim-4"),
    ("real", "0", ""),
    ("train", "all", ""),
    ("depth2~depth3", "0", "ddim-4"),
    ("depth2", "0~1", "ddim-4"),
]


def rows(metric="lpips:alex", **keys):
    named = {"study": "s", "ratio": "90-10", "class": "", "metric": metric, "value": 1.0} | keys
    names = ("architecture", "seed", "sampler")
    return tidy.tidy([named | dict(zip(names, place, strict=True)) for place in PLACES])


@pytest.mark.parametrize(
    ("select", "kept"),
    [
        (tidy.models, [0, 1, 2, 3]),
        (tidy.real, [4]),
        (tidy.over_seeds, [1, 3, 5]),
        (tidy.single_seeds, [0, 2, 4, 6]),
        (tidy.main_sampler, [0, 1, 3, 4, 5, 6, 7]),
    ],
)
def test_rows_are_selected_by_what_they_are_about(select, kept):
    assert select(rows()).index.tolist() == kept


def test_a_metric_is_selected_with_all_embeddings_or_one():
    several = tidy.unite([rows(), rows("lpips:vgg"), rows("lpips_within:alex", value=np.nan)])
    assert len(tidy.of(several, "lpips")) == 2 * len(PLACES)
    assert set(tidy.of(several, "lpips:vgg")["metric"]) == {"lpips:vgg"}
    assert len(tidy.of(several, "lpips:vgg")) == len(PLACES)
    assert tidy.of(several, "lpips_within").empty  # no finite value


def test_class_and_k_narrow_a_metric():
    several = tidy.unite([rows(k=k, **{"class": name}) for k in (1, 5) for name in ("", "six")])
    assert len(tidy.of(several, "lpips", k=5, class_name="six")) == len(PLACES)
    assert set(tidy.of(several, "lpips", class_name="")["class"]) == {""}


def test_the_same_row_twice_is_refused():
    with pytest.raises(UserError, match=r"two rows of the same measurement \(s, 90-10, depth2, 0"):
        tidy.unite([rows(), rows()])
