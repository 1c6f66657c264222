"""Paired speed measurements against what users would run otherwise: `python -m benchmarks`."""

import depthbias  # before diffusers, whose imports need its repair of torchvision  # noqa: F401
