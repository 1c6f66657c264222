"""Which images count: the arms of every measurement of class shares, and what they are called."""

from typing import NamedTuple


class Arm(NamedTuple):
    """share: the metric of its shares; title: in tables and figures."""

    share: str
    title: str


# The name of an arm ends the names of its metrics. The first one is of all images.
ARMS = {
    "": Arm("share_corrected", "all images"),
    "decided": Arm("share_decided", "decided images"),
    "manifold": Arm("share_manifold", "images on the manifold"),
    "least": Arm("share_least", "failures counted away"),
    "most": Arm("share_most", "failures counted towards it"),
}


def in_arm(metric: str, arm: str) -> str:
    """The name of a metric in an arm: kappa, kappa_decided."""
    return f"{metric}_{arm}" if arm else metric
