"""Parameters: typed, checked, with one-line errors."""
