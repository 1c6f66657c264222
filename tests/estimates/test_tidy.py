"""Rows of the tidy table: selected by what they are about, and united."""

import numpy as np
import pandas as pd
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


def test_rows_are_read_as_they_were_written(tmp_path):
    """Seeds stay text, absent text is empty, absent numbers are not a number."""
    path = tmp_path / "rows.csv"
    row = {"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "007"}
    row |= {"metric": "lpips", "value": 1 / 3, "k": 5}
    tidy.write_rows(path, [row, {"study": "3", "metric": "x", "sigma": 0.5}])
    found = tidy.read_rows(path)
    assert list(found.columns) == tidy.COLUMNS
    first, second = found.to_dict("records")
    assert first["value"] == pytest.approx(1 / 3, rel=1e-9)
    assert {name: first[name] for name in row} == row | {"value": first["value"]}
    assert (first["class"], first["sampler"], second["seed"], second["study"]) == ("", "", "", "3")
    assert np.isnan([first["sigma"], first["lower"], second["k"], second["value"]]).all()
    numbers = {"k", "sigma", *tidy.COLUMNS[tidy.COLUMNS.index("value") :]}
    assert all(pd.api.types.is_float_dtype(found[name]) for name in numbers)


def test_what_is_no_table_of_rows_is_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('study,k\n"a')
    with pytest.raises(UserError) as caught:
        tidy.read_rows(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a table of results (")
    assert message.endswith("): delete it and run again")
    path.write_text("study,k\ns,1\n")
    with pytest.raises(UserError) as caught:
        tidy.read_rows(path)
    columns = ", ".join(tidy.COLUMNS)
    assert str(caught.value) == f"{path}: columns are not {columns}: delete it and run again"


def test_equal_keys_are_refused_whatever_their_values():
    """The message names what is known of the row, and nothing else."""
    first = {"study": "s", "metric": "kid:pixels", "class": "", "k": 5.0}
    parts = [tidy.tidy([first | {"value": value, "seed": ""}]) for value in (1.0, 2.0)]
    with pytest.raises(UserError) as caught:
        tidy.unite(parts)
    told = "two rows of the same measurement (s, kid:pixels, 5.0): give every part once"
    assert str(caught.value) == told


def test_selections_narrow_what_was_selected():
    names = [("lpips", "six", 1), ("lpips", "nine", 1), ("kid", "six", 1), ("lpips", "six", 5)]
    table = tidy.tidy([{"metric": m, "class": c, "k": k, "value": 1.0} for m, c, k in names])
    assert tidy.of(table, "lpips", class_name="six").index.tolist() == [0, 3]
    assert tidy.of(table, "lpips", k=5).index.tolist() == [3]
    assert tidy.of(table, "lpips", class_name="six", k=1).index.tolist() == [0]


def test_rows_that_name_nothing_are_of_no_model_and_no_seed():
    table = tidy.tidy([{"architecture": "", "seed": "0"}, {"architecture": "depth2", "seed": ""}])
    assert tidy.models(table).index.tolist() == [1]
    assert tidy.single_seeds(table).index.tolist() == [0]


def test_the_main_sampler_is_the_first_that_is_named():
    table = tidy.tidy([{"sampler": name} for name in ("", "a", "b", "a", "")])
    assert tidy.main_sampler(table).index.tolist() == [0, 1, 3, 4]
    assert tidy.main_sampler(tidy.tidy([{"sampler": ""}])).index.tolist() == [0]


def test_an_unknown_column_is_a_bug():
    with pytest.raises(ValueError, match=r"^unknown columns: \['colour'\]$"):
        tidy.tidy([{"colour": 1}])
