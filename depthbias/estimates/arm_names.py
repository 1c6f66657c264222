"""Which images count: the arms of measurements of class shares, and slopes to be judged in all."""

from typing import NamedTuple


class Arm(NamedTuple):
    """share: the metric of its shares; title: in tables and figures."""

    share: str
    title: str


# The name of an arm ends the names of its metrics. The first one is of all images.
ARMS = {
    "": Arm("share_corrected", "all images"),
    "raw": Arm("share_raw", "all images, classifier taken as exact"),
    "decided": Arm("share_decided", "decided images"),
    "manifold": Arm("share_manifold", "images on the manifold"),
    "least": Arm("share_least", "failures counted away"),
    "most": Arm("share_most", "failures counted towards it"),
}

# The slopes that may be an endpoint, and the sign with which they grow where bias is amplified: of
# the class reported, the last one, the rarest, the log-odds sink.
SIGNS = {"kappa_per_depth": 1, "log_odds_shift_per_depth": -1}


# What slopes on depth are of, beside bias. A new one that a study names as secondary stands here.
MEASURED_ON_DEPTH = (
    "attack_auc",
    "class_bias_01",
    "class_bias",
    "class_variance_01",
    "class_variance_noises",
    "class_variance_sets",
    "coverage",
    "density",
    "effective_depth",
    "heldout_loss",
    "kid",
    "linearity_centred",
    "linearity",
    "loss_gap",
    "lpips",
    "lpips_standardised",
    "nn_cosine",
    "nn_distance",
    "precision",
    "recall",
    "score_error",
    "stage_cost",
    "training_loss",
)


def slope_names() -> list[str]:
    """Every slope on depth that a summary may have."""
    slopes = [f"{name}_per_depth" for name in MEASURED_ON_DEPTH]
    for name in ("kappa", "kappa_intercept", "log_odds_shift"):
        for on in ("per_depth", "per_effective_depth"):
            slopes += [in_arm(f"{name}_{on}", arm) for arm in ARMS]
    return slopes + [f"{name}_{by}" for name in SIGNS for by in ("by", "over_classifiers")]


def in_arm(metric: str, arm: str) -> str:
    """The name of a metric in an arm: kappa, kappa_decided."""
    return f"{metric}_{arm}" if arm else metric
