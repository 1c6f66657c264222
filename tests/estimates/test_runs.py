"""The run that a file tells: read in one way, and refused in one line."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from depthbias.estimates.runs import Run, as_json, keys_of, ordered_architectures, read_run
from depthbias.system.errors import UserError

TOLD = {"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "0"}


@pytest.mark.parametrize("sampler", ["", "ddim-25"])
def test_what_is_written_is_read(sampler):
    run = Run("s", "90-10", "depth2", "0", sampler)
    assert read_run("a.npz", as_json(run), "s") == read_run("a.json", keys_of(run)) == run
    assert ("sampler" in keys_of(run)) == bool(sampler)


def test_the_key_of_random_numbers_leaves_the_study_out():
    assert Run("s", "90-10", "depth2", "0", "ddim-4").key == ("90-10", "depth2", "0", "ddim-4")


def refusal(told, study=None):
    with pytest.raises(UserError) as caught:
        read_run("a.npz", told, study)
    message = str(caught.value)
    assert message.startswith("a.npz: ") and "\n" not in message
    return message


@pytest.mark.parametrize("key", list(TOLD))
def test_a_missing_key_is_named(key):
    assert f"no '{key}'" in refusal({k: v for k, v in TOLD.items() if k != key})


def test_other_studies_and_unknown_architectures_are_named():
    assert "a run of study 's', not of 't'" in refusal(TOLD, "t")
    assert "did you mean 'depth2'" in refusal(TOLD | {"architecture": "depth2x"})


@pytest.mark.parametrize("value", ["9\n0", "\x1b[2J", [0], None, 0.5])
def test_what_is_neither_a_name_nor_a_number_is_refused(value):
    told = "the run is not described (a value is neither a name nor a number): make it again"
    assert refusal(TOLD | {"ratio": value}) == f"a.npz: {told}"


@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
@example("[" * 100_000)
@example(json.dumps(TOLD)[:-1])
@example(json.dumps(TOLD | {"seed": [0]}))
@example(json.dumps(TOLD | {"study": "a\nb", "architecture": "x\ny"}))
def test_text_that_is_damaged_is_refused_in_one_line(told):
    refusal(told, "s")


def test_architectures_stand_in_reading_order_and_what_is_none_is_left_out():
    names = ["dit-small", "depth4", "train", "", "depth2", "real", "depth4", "depth2-large"]
    found = ordered_architectures(names)
    assert sorted(found) == ["depth2", "depth2-large", "depth4", "dit-small"]
    assert found.index("depth2") < found.index("depth4") and len(found) == 4
