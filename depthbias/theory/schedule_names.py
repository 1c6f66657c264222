"""The schedules of the bypass by name: one table, no torch. Their functions are in bypass."""

SCHEDULE_TITLES = {
    "all": "all steps",
    "early": "first third",
    "middle": "middle third",
    "late": "last third",
    "progressive": "fading in the first third (ours)",
}
