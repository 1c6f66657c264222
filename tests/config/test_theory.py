"""The block `theory` of params.yaml: impossible values end in one line."""

import pytest
from test_config import PARAMS, changed

from depthbias.config.reading import parse
from depthbias.system.errors import UserError

LAND, MOLRG = "theory.landscape", "theory.molrg"
JACOBIAN, EDITING = "theory.jacobian", "theory.editing"
FAMILIES, STAGES = "theory.families", "theory.stages"
BYPASS, MARK = "theory.bypass", "theory.watermark"


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
        (f"{BYPASS}.percentages", [0, 101], "less than or equal to 100, not 101"),
        (f"{BYPASS}.percentages", [-1, 50], "greater than or equal to 0, not -1"),
        (f"{BYPASS}.percentages", [50, 0], "must increase"),
        (f"{BYPASS}.schedules", ["al"], "'progressive', not 'al'"),
        (f"{BYPASS}.sampler", "heun-18", "heun-18"),
        (f"{BYPASS}.study", "digit", "did you mean 'digits'"),
        (f"{MARK}.study", "digit", "did you mean 'digits'"),
        (f"{MARK}.architecture", "depth9", "no 'depth9' in digits; did you mean 'depth"),
        (f"{MARK}.radius", 5, "theory.watermark.radius: 5 in images of 8 pixels: at most 4"),
        (f"{MARK}.sigmas", [1, 0.5], "must increase"),
        (f"{MARK}.sigmas", [0.001, 1], "greater than 0.01"),
        (f"{MARK}.attacks", ["jpg"], "'jpeg'"),
        (f"{FAMILIES}.study", "digit", "did you mean 'digits'"),
        (f"{FAMILIES}.architecture", "depth9", "no 'depth9' in digits; did you mean 'depth"),
        (f"{FAMILIES}.families", ["unet-emd"], "'unet-edm'"),
        (f"{FAMILIES}.overrides", {"unet": {}}, "overrides: 'unet' is not among the families"),
        (f"{FAMILIES}.overrides", {"consistency": {"bugdet": 1}}, "did you mean 'budget'"),
        (f"{FAMILIES}.sizes", [40, 16], "must increase"),
        (f"{FAMILIES}.widths", [0.125], "theory.families.widths: "),
        (f"{STAGES}.architecture", "dit-small", "no U-Net 'dit-small' in digits"),
        (f"{STAGES}.widths", [0.5], "1 for 3 stages: give one each"),
        (f"{STAGES}.widths", [0.5, 0.5, 0.125], "theory.stages.widths: "),
        (f"{STAGES}.stages", 1, "greater than or equal to 2"),
        (f"{STAGES}.sigmas", [1, 2], "3 of 2 levels"),
        ("studies.theory", PARAMS["studies"]["digits"], "has a meaning of its own"),
    ],
)
def test_impossible_values_are_refused_in_one_line(path, value, words):
    with pytest.raises(UserError) as error:
        parse(changed(path, value))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_study_without_a_mid_block_cannot_be_bypassed():
    content = changed("studies.digits.architectures", ["dit-small"])
    with pytest.raises(
        UserError, match=r"theory.bypass.study: no architecture of digits has a mid"
    ):
        parse(content)


def test_a_file_without_the_block_has_no_bench():
    assert parse({key: PARAMS[key] for key in ("active", "studies")}).theory is None
