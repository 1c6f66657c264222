"""Values with intervals, and the tidy table."""
