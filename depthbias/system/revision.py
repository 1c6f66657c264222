"""Which revision of this project runs."""

import subprocess
from pathlib import Path


def revision() -> str:
    """The short commit of the checkout that this code is in, marked when files differ from it."""
    words = ["git", "describe", "--always", "--exclude=*", "--dirty=+dirty"]
    folder = Path(__file__).parent
    try:
        done = subprocess.run(words, cwd=folder, text=True, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
