"""16-bit and float images: one rule for grey and colour, PNG, TIFF and their kin."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from depthbias.data.photos import decode
from depthbias.system.errors import UserError

SIDE = 4
# Corners of the range, of a byte, and what rounding would change.
VALUES = [0, 1, 127, 128, 255, 256, 257, 32767, 32768, 32895, 65279, 65280, 65407, 65408, 65534]
GREY = np.array([*VALUES, 65535], np.uint16).reshape(SIDE, SIDE)
COLOUR = np.stack([GREY, GREY.T, GREY[::-1]], axis=2)
TYPE_OF = {1: 0, 2: 4, 3: 2, 4: 6}  # of PNG, by the number of channels


def png(pixels, **chunks):
    """A PNG with 16 bits a channel, of uint16 [H, W, C]; more chunks by name."""
    height, width, channels = pixels.shape

    def chunk(name, content):
        crc = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + crc

    header = struct.pack(">IIBBBBB", width, height, 16, TYPE_OF[channels], 0, 0, 0)
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    parts = [(b"IHDR", header), *((k.encode(), v) for k, v in chunks.items())]
    parts += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff(pixels, order="<", deflate=False, photometric=None, bits=None):
    """A TIFF of one strip, of any array [H, W, C]."""
    height, width, channels = pixels.shape
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    body = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    body = zlib.compress(body) if deflate else body
    if photometric is None:
        photometric = 1 if channels < 3 else 2
    bits = [bits or pixels.dtype.itemsize * 8] * channels
    tags = {256: [width], 257: [height], 258: bits, 259: [8 if deflate else 1]}
    tags |= {262: [photometric], 273: [8], 277: [channels], 278: [height], 279: [len(body)]}
    tags |= {339: [kind] * channels} | ({338: [2]} if channels == 4 else {})
    place = 8 + len(body) + len(body) % 2
    after, entries, extra = place + 2 + 12 * len(tags) + 4, b"", b""
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}H", *values)
        if len(packed) > 4:
            extra, packed = extra + packed, struct.pack(f"{order}I", after + len(extra))
        entries += struct.pack(f"{order}HHI", tag, 3, len(values)) + packed.ljust(4, b"\0")
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", place)
    body = body.ljust(place - 8, b"\0")
    return start + body + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + extra


def saved(array, kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def pgm(values):
    return f"P5 {SIDE} {SIDE} 65535\n".encode() + values.astype(">u2").tobytes()


@pytest.mark.parametrize(
    "content",
    [
        png(GREY[..., None]),
        saved(GREY, "PNG"),
        tiff(GREY[..., None]),
        tiff(GREY[..., None], ">"),
        tiff(GREY[..., None], deflate=True),
        tiff(GREY[..., None], ">", deflate=True),
        saved(GREY, "TIFF", compression="tiff_lzw"),
        pgm(GREY),
        saved(GREY, "JPEG2000", irreversible=False),
    ],
    ids=[
        "png",
        "png-pillow",
        "tiff",
        "tiff-big",
        "tiff-deflate",
        "tiff-big-deflate",
        "lzw",
        "pgm",
        "jp2",
    ],
)
def test_of_16_bit_grey_the_upper_8_are_kept(content):
    assert np.array_equal(decode(("x", content), SIDE, 1)[..., 0], GREY // 256)
    assert np.array_equal(
        decode(("x", content), SIDE, 3), np.repeat(GREY[..., None] // 256, 3, axis=2)
    )


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize(
    "write",
    [png, tiff, lambda p: tiff(p, ">"), lambda p: tiff(p, "<", True), lambda p: tiff(p, ">", True)],
    ids=["png", "tiff", "tiff-big", "tiff-deflate", "tiff-big-deflate"],
)
def test_of_16_bit_colours_the_upper_8_are_kept(write, alpha):
    opaque = np.full((SIDE, SIDE, 1), 65535, np.uint16)
    pixels = np.concatenate([COLOUR, opaque], axis=2) if alpha else COLOUR
    assert np.array_equal(decode(("x", write(pixels)), SIDE, 3), COLOUR // 256)


def test_grey_and_colour_follow_one_rule():
    grey = decode(("x", png(GREY[..., None])), SIDE, 3)
    same = decode(("x", png(np.repeat(GREY[..., None], 3, axis=2))), SIDE, 3)
    assert np.array_equal(grey, same)


def test_transparent_16_bit_grey_is_put_on_white():
    clear = png(np.stack([GREY, np.zeros_like(GREY)], axis=2))
    assert (decode(("x", clear), SIDE, 1) == 255).all()
    chosen = png(GREY[..., None], tRNS=struct.pack(">H", 32767))
    expected = np.where(GREY == 32767, 255, GREY // 256)
    assert np.array_equal(decode(("x", chosen), SIDE, 1)[..., 0], expected)


@pytest.mark.parametrize(("order", "deflate"), [("<", False), ("<", True), (">", False)])
def test_floats_from_0_to_1_are_scaled_and_rounded(order, deflate):
    values = np.linspace(0, 1, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE, 1)
    content = tiff(values, order, deflate)
    assert np.array_equal(decode(("x", content), SIDE, 1), np.rint(values * 255))


def test_floats_a_rounding_error_beyond_1_are_accepted():
    values = np.full((SIDE, SIDE, 1), np.nextafter(np.float32(1), np.float32(2)))
    assert (decode(("x", tiff(values)), SIDE, 1) == 255).all()


@pytest.mark.parametrize("size", [2, 3])
def test_deep_images_are_cropped_and_resized_as_others_are(size):
    deep = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300
    shallow = (deep // 256).astype(np.uint8)
    found = decode(("x", png(deep[..., None])), size, 1)
    assert np.array_equal(found, decode(("x", saved(shallow, "PNG")), size, 1))


SIGNED = np.arange(-8, 8, dtype=np.int16).reshape(SIDE, SIDE, 1)
FLOATS = np.linspace(0, 1, 48, dtype=np.float32).reshape(SIDE, SIDE, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tiff(FLOATS[..., :1] * 255), r"float values from 0 to 244\.\d+: scale them to 0 to 1"),
        (tiff(FLOATS[..., :1] - 1), r"float values from -1 to -0\.\d+: scale them to 0 to 1"),
        (tiff(FLOATS[..., :1] * np.float32("nan")), "float values from nan to nan: scale them"),
        (tiff(FLOATS[..., :1] / np.float32(1e-30)), r"float values from 0 to 9\.\d+e\+29: scale"),
        (tiff(FLOATS[..., :1], ">", True), "compressed big-endian floats: save it without compr"),
        (tiff(SIGNED), "grey values that are not of 8 or 16 bits: save it with 8 or 16 bits"),
        (tiff(SIGNED.astype(np.int32)), "grey values that are not of 8 or 16 bits"),
        (tiff(SIGNED.astype(np.uint32)), "grey values that are not of 8 or 16 bits"),
        (tiff(GREY[..., None], photometric=0), "0 stands for white: save it"),
        (tiff(FLOATS[..., :1], photometric=0), "0 stands for white: save it"),
        (tiff(GREY[:, :3, None], bits=12), "12 bits a channel: save it with 8 or 16 bits"),
        (tiff(FLOATS), "a TIFF of a kind that Pillow does not read, such as float colours"),
        (tiff(FLOATS.astype(np.float64)), "a TIFF of a kind that Pillow does not read"),
        (tiff(FLOATS[..., :1].astype(np.float16)), "a TIFF of a kind that Pillow does not read"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_values_of_unclear_scale_are_refused(content, message, channels):
    with pytest.raises(UserError, match=f"deep: unreadable image .*{message}") as error:
        decode(("deep", content), SIDE, channels)
    assert "\n" not in str(error.value)
