"""Models, data sets and studies in forms that other programs read, made from what was recorded."""
