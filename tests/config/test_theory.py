"""The block `theory` of params.yaml: impossible values end in one line."""

import pytest
from test_config import PARAMS, changed

from depthbias.config.reading import parse
from depthbias.system.errors import UserError

LAND, MOLRG = "theory.landscape", "theory.molrg"
JACOBIAN, EDITING = "theory.jacobian", "theory.editing"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (f"{LAND}.sigmas", [1, 0.5], "must increase"),
        (f"{LAND}.sigmas", [1, 1, 2], "must increase"),
        (f"{LAND}.sigmas", [0, 1], "greater than 0"),
        (f"{LAND}.ratios", ["90-10", "50-30"], "sums to 80"),
        (f"{LAND}.ratios", ["90-10", "50-30-20"], "3 parts"),
        (f"{LAND}.groups", [1], "greater than or equal to 2"),
        (f"{LAND}.study", "digit", "did you mean 'digits'"),
        (f"{LAND}.kappa_of", ["mnisst"], "did you mean 'mnist'"),
        (f"{MOLRG}.dimensions", [2, 25], "two subspaces of 25 do not fit into a space of 48"),
        (f"{MOLRG}.dimensions", [2, 2], "listed twice"),
        (f"{MOLRG}.pionts", 3, "did you mean 'points'"),
        (f"{JACOBIAN}.study", "digit", "did you mean 'digits'"),
        (f"{JACOBIAN}.sigmas", [1, 0.5], "must increase"),
        (f"{JACOBIAN}.sigmas", [1, 100], "less than or equal to 80"),
        (f"{JACOBIAN}.strengths", [20, 20], "must increase"),
        (f"{EDITING}.study", "mnisst", "did you mean 'mnist'"),
        (f"{EDITING}.levels", [1, 0.5], "must increase"),
        (f"{EDITING}.rows", [4, 4], "theory.editing: rows 4 to 4"),
        (f"{EDITING}.columns", [0, 9], "columns 0 to 9: a region needs"),
        (f"{EDITING}.rows", [4], "at least 2"),
        (f"{EDITING}.sampler", "ddpm-20", "theory.editing.sampler"),
        ("studies.theory", PARAMS["studies"]["digits"], "has a meaning of its own"),
    ],
)
def test_impossible_values_are_refused_in_one_line(path, value, words):
    with pytest.raises(UserError) as error:
        parse(changed(path, value))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_file_without_the_block_has_no_bench():
    assert parse({key: PARAMS[key] for key in ("active", "studies")}).theory is None
