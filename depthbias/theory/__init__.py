"""The theory bench: the papers' experiments on models that are known exactly."""
