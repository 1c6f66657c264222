"""The names of slopes and of their arms."""

from depthbias.estimates.arm_names import in_arm, slope_names


def words(text):
    return text.split()


MEASURED = words("""attack_auc class_bias_01 class_bias class_variance_01 class_variance_noises
class_variance_sets coverage density effective_depth heldout_loss kid linearity_centred linearity
loss_gap lpips lpips_standardised nn_cosine nn_distance precision recall score_error stage_cost
training_loss""")
OF_BIAS = words("""kappa_per_depth kappa_per_effective_depth
kappa_intercept_per_depth kappa_intercept_per_effective_depth
log_odds_shift_per_depth log_odds_shift_per_effective_depth""")
ENDS = ["", "_raw", "_decided", "_manifold", "_least", "_most"]
SIGNED = words("""kappa_per_depth_by kappa_per_depth_over_classifiers
log_odds_shift_per_depth_by log_odds_shift_per_depth_over_classifiers""")


def test_a_slope_of_bias_has_every_arm_and_any_other_slope_has_none():
    expected = [f"{name}_per_depth" for name in MEASURED]
    expected += [name + end for name in OF_BIAS for end in ENDS] + SIGNED
    assert slope_names() == expected
    assert len(set(expected)) == len(expected) == 63


def test_the_name_of_an_arm_ends_that_of_a_metric():
    assert in_arm("kappa", "decided") == "kappa_decided"
    assert in_arm("kappa", "") == "kappa"
