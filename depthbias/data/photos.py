"""Decoding of photographs, in parallel and as a stream: centre crop to a square, then resize."""

import io
import multiprocessing
import os
import signal
import struct
import threading
import warnings
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from depthbias.system.errors import UserError, reading

Photo = tuple[str, Path | bytes]  # a name for messages, and where the file is or what it holds
BLOCK = 64  # photos a task: large enough to hide the cost of passing it, small enough to hold many
# What Pillow raises on damaged files, besides the bombs.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
)
BOMBS = (Image.DecompressionBombWarning, Image.DecompressionBombError)


def decode(photo: Photo, size: int, channels: int) -> np.ndarray:
    """One photo as uint8 [size, size, channels] (1: grey, 3: RGB); UserError if it is unreadable.

    The largest centred square is resized with Pillow's antialiased Lanczos filter, as in EDM's
    data sets. Photos of more than PIL.Image.MAX_IMAGE_PIXELS (89 million) pixels are refused before
    they are decoded.
    """
    name, content = photo
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    remedy = "replace it, or take its row out of the table"
    with (
        warnings.catch_warnings(),
        reading(name, "it claims too many pixels", "shrink it first", BOMBS),
        reading(name, "unreadable image", remedy, DAMAGE),
    ):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            opened = Image.open(file)
        except UnidentifiedImageError as error:  # whose words name an object, not the file
            raise ValueError("of no known format") from error
        with opened as image:
            pixels = _square(_plain(image, "L" if channels == 1 else "RGB"), size)
    return pixels.reshape(size, size, channels)


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """Upright, without transparency (put on white), in `mode`."""
    if image.mode.startswith(("I", "F")):
        raise ValueError("more than 8 bits a channel: convert it to 8 bits")
    ImageOps.exif_transpose(image, in_place=True)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert(mode)


def _square(image: Image.Image, size: int) -> np.ndarray:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    # Cropped first: resize(box=...) would let pixels outside the box into the filter.
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))


def _decode_block(photos: list[Photo], size: int, channels: int) -> np.ndarray:
    return np.stack([decode(photo, size, channels) for photo in photos])


def decode_stream(
    photos: Iterable[Photo], size: int, channels: int, workers: int
) -> Iterator[np.ndarray]:
    """Blocks uint8 [n, size, size, channels] in the order of `photos`, for any number of workers.

    About three blocks a worker are held at a time: memory does not depend on the number of photos.
    """
    iterator = iter(photos)
    blocks = iter(lambda: list(islice(iterator, BLOCK)), [])
    if workers == 1:
        yield from (_decode_block(block, size, channels) for block in blocks)
        return
    # Spawned, not forked: a fork would share (and count again) the memory of a large zip directory.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_follow_parent)
    waiting: deque[Future[np.ndarray]] = deque()
    try:
        for block in blocks:
            waiting.append(pool.submit(_decode_block, block, size, channels))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process died (out of memory?): run again with fewer workers"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _follow_parent() -> None:
    """In a worker: leave Ctrl-C to the parent, and end when the parent ends, even if killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
