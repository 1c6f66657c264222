"""Files and machines. Knows nothing of images or models."""
