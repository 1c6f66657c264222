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
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from depthbias.data.bit_depth import eight_bits
from depthbias.system.errors import UserError, reading, several
from depthbias.system.threads import one_thread_each

# A name for messages, and where the file is, what it holds, or why it cannot be read.
Photo = tuple[str, Path | bytes | UserError]
Size = int | tuple[int, int]  # the side of square images, or height and width, pixels
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


def size_of(given: Sequence[int]) -> Size:
    """The size that a flag of one or two numbers gives."""
    return given[0] if len(given) == 1 else (given[0], given[1])


def sides(size: Size) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else size


def decode(photo: Photo, size: Size, channels: int) -> np.ndarray:
    """One photo as uint8 [height, width, channels] (1: grey, 3: RGB); UserError if unreadable.

    The largest centred part of this shape is resized with Pillow's antialiased Lanczos filter, as
    in EDM's data sets. Channels of more than 8 bits are reduced before (`eight_bits`). Photos of
    more than PIL.Image.MAX_IMAGE_PIXELS (89 million) pixels are refused before they are decoded.
    """
    name, content = photo
    if isinstance(content, UserError):
        raise content
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
            raise ValueError(_unknown(file)) from error
        with opened as image:
            pixels = _part(_plain(image, "L" if channels == 1 else "RGB"), *sides(size))
    return pixels.reshape(*sides(size), channels)


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """Upright, without transparency (put on white), in `mode`."""
    ImageOps.exif_transpose(image, in_place=True)
    image = eight_bits(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert(mode)


def _part(image: Image.Image, height: int, width: int) -> np.ndarray:
    """The largest centred part of this shape, at this size."""
    wide = min(image.width, image.height * width // height)
    high = min(image.height, image.width * height // width)
    left, top = (image.width - wide) // 2, (image.height - high) // 2
    # Cropped first: resize(box=...) would let pixels outside the box into the filter.
    part = image.crop((left, top, left + wide, top + high))
    return np.asarray(part.resize((width, height), Image.Resampling.LANCZOS))


def _unknown(file: io.BytesIO | Path) -> str:
    """Why Pillow does not open a file."""
    start = file.getvalue()[:4] if isinstance(file, io.BytesIO) else file.read_bytes()[:4]
    if start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "a TIFF of a kind that Pillow does not read, such as float colours: use 16 bits"
    return "of no known format"


def _decode_block(photos: list[Photo], size: Size, channels: int) -> tuple[np.ndarray, list[str]]:
    """The images, and what is wrong with those that cannot be read, which are black."""
    images = np.zeros((len(photos), *sides(size), channels), dtype=np.uint8)
    problems = []
    for place, photo in enumerate(photos):
        try:
            images[place] = decode(photo, size, channels)
        except UserError as error:
            problems.append(str(error))
    return images, problems


def decode_stream(
    photos: Iterable[Photo], size: Size, channels: int, workers: int
) -> Iterator[np.ndarray]:
    """Blocks uint8 [n, height, width, channels] in the order of `photos`, for any `workers`.

    About three blocks a worker are held at a time: memory does not depend on the number of photos.
    After the last block a UserError names all photos that cannot be read.
    """
    problems: list[str] = []
    for images, found in _decoded_blocks(photos, size, channels, workers):
        problems += found
        yield images
    if problems:
        raise several("", problems)


def _decoded_blocks(
    photos: Iterable[Photo], size: Size, channels: int, workers: int
) -> Iterator[tuple[np.ndarray, list[str]]]:
    iterator = iter(photos)
    blocks = iter(lambda: list(islice(iterator, BLOCK)), [])
    if workers == 1:
        yield from (_decode_block(block, size, channels) for block in blocks)
        return
    # Spawned, not forked: a fork would share (and count again) the memory of a large zip directory.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_follow_parent)
    waiting: deque[Future[tuple[np.ndarray, list[str]]]] = deque()
    try:
        for block in blocks:
            with one_thread_each():  # a process is started here, where all others are busy
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
