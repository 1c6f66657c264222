"""Images of more than 8 bits a channel, as 8: one rule, which never clips a value."""

from typing import Any

import numpy as np
from PIL import Image

DEEP = ("PNG", "TIFF", "PPM", "JPEG2000")  # whose grey values Pillow gives over all 16 bits
WIDE = ("PNG", "PPM")  # whose 16 bits Pillow may give as 32
BITS, COMPRESSION, PHOTOMETRIC, BLACK_IS_ZERO = 258, 259, 262, 1  # tags of TIFF
ROUNDING = 1e-6  # how far a float value may be beyond 0 to 1
REMEDY = "save it with 8 or 16 bits a channel, without a sign"


def eight_bits(image: Image.Image) -> Image.Image:
    """The image itself if it has 8 bits a channel, else one that has; ValueError if it cannot.

    Of 16-bit channels the upper 8 bits are kept (Pillow itself does so with colours); float values
    from 0 to 1 are scaled to 0..255 and rounded. A transparent grey becomes white.
    """
    if not image.mode.startswith(("I", "F")):
        return image
    _refuse_other_scales(image)
    values = np.asarray(image)
    if image.mode == "F":
        low, high = float(values.min()), float(values.max())
        if not (low >= -ROUNDING and high <= 1 + ROUNDING):
            raise ValueError(f"float values from {low:g} to {high:g}: scale them to 0 to 1")
        return Image.fromarray(np.rint(values * 255).clip(0, 255).astype(np.uint8))
    grey = (values >> 8).astype(np.uint8)
    if isinstance(clear := image.info.get("transparency"), int):
        grey[values == clear] = 255
    return Image.fromarray(grey)


def _refuse_other_scales(image: Image.Image) -> None:
    """Refuse values of which it is not certain that the whole range of the type is meant."""
    formats = WIDE if image.mode == "I" else DEEP
    if image.mode != "F" and image.format not in formats:
        raise ValueError(f"grey values that are not of 8 or 16 bits: {REMEDY}")
    tags: Any = getattr(image, "tag_v2", {})
    if tags.get(PHOTOMETRIC, BLACK_IS_ZERO) != BLACK_IS_ZERO:
        raise ValueError(f"0 stands for white: {REMEDY}, and 0 for black")
    if image.mode == "F" and tags and tags.prefix == b"MM" and tags[COMPRESSION] != 1:
        # Pillow 13 swaps bytes that libtiff has swapped already.
        raise ValueError("compressed big-endian floats: save it without compression")
    if image.mode != "F" and tags and tags.get(BITS) != (16,):
        raise ValueError(f"{tags.get(BITS, ['?'])[0]} bits a channel: {REMEDY}")
