"""From raw files to training subsets."""
