"""The three regimes of noise levels that [GAUSS] tells apart (definitions.md 7)."""

REGIMES = {"low": (0.002, 0.1), "middle": (0.1, 20.0), "high": (20.0, 80.0)}


def regime(sigma: float) -> str:
    """The name of the regime a noise level is in; beyond both ends it is the one at that end."""
    return next((name for name, (_, end) in REGIMES.items() if sigma < end), "high")
