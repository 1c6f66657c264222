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


def in_arm(metric: str, arm: str) -> str:
    """The name of a metric in an arm: kappa, kappa_decided."""
    return f"{metric}_{arm}" if arm else metric
