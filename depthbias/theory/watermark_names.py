"""The bands and attacks of the watermark by name: two tables, no torch."""

GAUSSIAN = "gaussian"  # stands for an architecture in rows of the exact flow
BANDS = {
    "low": "around the constant, which is left out",
    "high": "around the finest checkerboard",
}

ATTACKS = {  # what figures call them; their functions are in attacks
    "none": "none",
    "jpeg": "JPEG",
    "noise": "noise",
    "blur": "blur",
    "crop": "crop",
    "resize": "resize",
}
