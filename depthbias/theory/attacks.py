"""What happens to images on their way: compression, noise, blur, crop, change of size.

Each takes images uint8 [N, H, W, C] and gives images of that kind and shape.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from depthbias.estimates.intervals import stream

JPEG_QUALITY = 75  # Pillow's default
NOISE = 0.05  # deviation, of the range of the pixels
BLUR = 0.5  # deviation of the Gaussian, pixels
CROPPED = 8  # one part in so many of the side is cut off at each edge, one pixel at least
SHRUNK = 0.75  # of the side


def attack(name: str, images: np.ndarray) -> np.ndarray:
    """The images after one of ATTACKS."""
    return ATTACKS[name](images)


def _each(change: Callable[[Image.Image], Image.Image]) -> Callable[[np.ndarray], np.ndarray]:
    """An attack that changes one picture after the other."""

    def changed(images: np.ndarray) -> np.ndarray:
        grey = images.shape[3] == 1
        pictures = (Image.fromarray(image[:, :, 0] if grey else image) for image in images)
        return np.stack([np.asarray(change(p)).reshape(images.shape[1:]) for p in pictures])

    return changed


def _jpeg(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY)
    return Image.open(file)


def _cropped(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    edge = max(1, width // CROPPED)
    return picture.resize(
        (width, height), Image.Resampling.BICUBIC, (edge, edge, width - edge, height - edge)
    )


def _resized(picture: Image.Image) -> Image.Image:
    small = tuple(round(SHRUNK * side) for side in picture.size)
    return picture.resize(small, Image.Resampling.BICUBIC).resize(  # type: ignore[arg-type]
        picture.size, Image.Resampling.BICUBIC
    )


def _noisy(images: np.ndarray) -> np.ndarray:
    noise = stream("attack", "noise").normal(0, 255 * NOISE, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


ATTACKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda images: images,
    "jpeg": _each(_jpeg),
    "noise": _noisy,
    "blur": _each(lambda picture: picture.filter(ImageFilter.GaussianBlur(BLUR))),
    "crop": _each(_cropped),
    "resize": _each(_resized),
}
