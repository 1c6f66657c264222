"""The 1,797 handwritten digits (8x8, 17 grey levels) that come with scikit-learn."""

import numpy as np

from depthbias.data.dataset import DataSet, one_hot
from depthbias.data.resize import resized_blocks

# Images of each digit.
COUNTS = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)


def load_digits(size: int, channels: int) -> DataSet:
    """The data set at size x size, values 0..16 scaled to 0..255; labels "0" to "9"."""
    from sklearn import datasets  # a second of import time that only this data set needs

    bunch = datasets.load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    return DataSet(
        names=[str(digit) for digit in range(10)],
        attributes=one_hot(bunch.target, 10),
        source=[f"digits/{row}" for row in range(len(images))],
        shape=(size, size, channels),
        blocks=resized_blocks(images, size, channels),
    )
