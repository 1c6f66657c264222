"""Data sets: small files in the exact original formats, second implementations, and bad input."""

import gzip
import hashlib
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from data.pictures import collect, encoded, own_folder, picture, table
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from depthbias.data import celeba, celeba_files, dataset, mnist, persons, photos
from depthbias.data.celeba import load_celeba, read_attributes
from depthbias.data.dataset import DataSet, read_blocks, write_data_set
from depthbias.data.digits import load_digits
from depthbias.data.mnist import load_mnist, read_idx
from depthbias.data.photos import decode, decode_stream
from depthbias.data.resize import area_weights, resized_blocks
from depthbias.system.downloads import download
from depthbias.system.errors import UserError
from depthbias.system.files import map_npz, read_npz

ROOT = Path(__file__).resolve().parents[2]
PREPARE = ROOT / "scripts" / "prepare.py"


@pytest.fixture
def own(tmp_path):
    return own_folder(tmp_path)


def run_prepare(
    *flags: object, limit: Callable[[], None] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PREPARE), *map(str, flags)]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DEPTHBIAS_")}
    return subprocess.run(
        command, capture_output=True, text=True, env=clean | environment, preexec_fn=limit
    )


# ---- the archive -------------------------------------------------------------------------------


def small_set(blocks: list[np.ndarray]) -> DataSet:
    return DataSet(["a", "b"], np.eye(3, 2, dtype=bool), ["x", "y", "longer"], (2, 2, 1), blocks)


def test_archive_round_trip(tmp_path):
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    seen = []
    write_data_set(tmp_path / "a.npz", small_set([images[:2], images[2:]]), seen.append)
    stored, attributes, names, source = read_npz(
        tmp_path / "a.npz", "images", "attributes", "names", "source"
    )
    assert seen == [2, 3]
    assert np.array_equal(stored, images)
    assert stored.dtype == np.uint8 and attributes.dtype == bool
    assert np.array_equal(attributes, np.eye(3, 2, dtype=bool))
    assert names.tolist() == ["a", "b"] and source.tolist() == ["x", "y", "longer"]
    assert np.array_equal(map_npz(tmp_path / "a.npz", "images"), images)


def test_equal_contents_give_equal_bytes_however_blocked_and_whenever(tmp_path, monkeypatch):
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    write_data_set(tmp_path / "a.npz", small_set([images]))
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_data_set(tmp_path / "b.npz", small_set([images[:1], images[1:]]))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_failing_source_leaves_the_old_archive(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"old")

    def failing():
        yield np.zeros((1, 2, 2, 1), np.uint8)
        raise UserError("broken")

    with pytest.raises(UserError, match="broken"):
        write_data_set(tmp_path / "a.npz", small_set(failing()))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == b"old"


def test_read_blocks_covers_every_image(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "BLOCK", 2)
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    write_data_set(tmp_path / "a.npz", small_set([images]))
    blocks = list(read_blocks(tmp_path / "a.npz"))
    assert [len(block) for block in blocks] == [2, 1]
    assert np.array_equal(np.concatenate(blocks), images)


# ---- resizing by area --------------------------------------------------------------------------


@settings(deadline=None)
@given(old=st.integers(1, 40), new=st.integers(1, 40))
def test_area_weights_share_out_every_pixel(old, new):
    weights = area_weights(old, new)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=0), new / old, atol=1e-5 * max(1, new / old))


def test_area_is_box_average_and_repetition():
    images = np.random.default_rng(0).integers(0, 256, (2000, 8, 8), dtype=np.uint8)
    half = np.concatenate(list(resized_blocks(images, 4, 1)))
    box = images.reshape(2000, 4, 2, 4, 2).astype(float).mean(axis=(2, 4))
    assert np.array_equal(half[..., 0], np.rint(box))
    double = np.concatenate(list(resized_blocks(images, 16, 3)))
    for channel in range(3):
        assert np.array_equal(double[..., channel], images.repeat(2, axis=1).repeat(2, axis=2))


def test_area_pads_with_zeros_first():
    images = np.full((1, 28, 28), 200, np.uint8)
    (padded,) = resized_blocks(images, 32, 1, pad=2)
    assert np.array_equal(padded[0, :, :, 0], np.pad(images[0], 2))


def test_digits():
    data = load_digits(8, 1)
    images = collect(data)
    assert images.shape == (1797, 8, 8, 1) and images.dtype == np.uint8
    assert images.min() == 0 and images.max() == 255
    levels = np.unique(images)
    assert np.array_equal(levels, np.rint(np.arange(17) * 255 / 16))
    assert data.attributes.sum(axis=1).tolist() == [1] * 1797
    assert data.names[6] == "6" and data.attributes[:, 6].sum() == 181
    assert data.source[-1] == "digits/1796"


# ---- MNIST -------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.tobytes(), mtime=0)


@pytest.fixture
def mnist_files(tmp_path):
    """A folder of four small files in the official format, their arrays and their hashes."""
    random = np.random.default_rng(0)
    folder = tmp_path / "mnist"
    folder.mkdir()
    arrays, hashes = {}, {}
    for prefix, count in (("train", 6), ("t10k", 3)):
        for part, shape in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            name = f"{prefix}-{part}-ubyte.gz"
            arrays[name] = random.integers(0, 10, shape, dtype=np.uint8)
            (folder / name).write_bytes(idx(arrays[name]))
            hashes[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    return folder, arrays, hashes


def test_mnist_merges_both_splits(mnist_files):
    folder, arrays, hashes = mnist_files
    data = load_mnist([folder], 32, 1, hashes, mirrors=())
    images = collect(data)
    both = np.concatenate(
        [arrays["train-images-idx3-ubyte.gz"], arrays["t10k-images-idx3-ubyte.gz"]]
    )
    assert np.array_equal(images[:, 2:30, 2:30, 0], both)
    assert images.sum() == both.sum()
    labels = np.concatenate(
        [arrays["train-labels-idx1-ubyte.gz"], arrays["t10k-labels-idx1-ubyte.gz"]]
    )
    assert np.array_equal(data.attributes.argmax(axis=1), labels)
    assert data.source == [f"train/{i}" for i in range(6)] + [f"test/{i}" for i in range(3)]


def test_mnist_takes_each_file_from_the_first_folder_that_has_it(mnist_files, tmp_path):
    folder, _, hashes = mnist_files
    other = tmp_path / "other"
    other.mkdir()
    name = "train-labels-idx1-ubyte.gz"
    (folder / name).rename(other / name)
    assert len(load_mnist([tmp_path / "absent", folder, other], 16, 1, hashes, ()).source) == 9


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_mnist_wrong_hash_names_the_file(mnist_files, damage):
    folder, _, hashes = mnist_files
    path = folder / "t10k-images-idx3-ubyte.gz"
    content = path.read_bytes()
    flipped = content[:50] + bytes([content[50] ^ 1]) + content[51:]
    path.write_bytes({"truncated": content[:-20], "flipped": flipped, "empty": b""}[damage])
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte\.gz: MD5 is .* run again"):
        load_mnist([folder], 32, 1, hashes, mirrors=())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip", "damaged or incomplete"),
        (idx(np.zeros((3, 28, 28), np.uint8))[:-12], "damaged or incomplete"),
        (idx(np.zeros((3, 28), np.uint8)), "not an IDX file of bytes in 3-D"),
        (gzip.compress(b"\0\0\x0b\x03" + b"\0" * 20, mtime=0), "not an IDX file of bytes"),
        (gzip.compress(b"\0\0\x08\x03\0\0", mtime=0), "not an IDX file of bytes"),
        (
            gzip.compress(gzip.decompress(idx(np.zeros((3, 28, 28), np.uint8)))[:-1], mtime=0),
            "holds 2351 values, its header promises 2352",
        ),
    ],
)
def test_idx_damage(tmp_path, content, message):
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_idx(tmp_path / "x.gz", 3)
    assert "\n" not in str(error.value) and "x.gz" in str(error.value)


def test_mnist_images_and_labels_must_go_together(mnist_files):
    folder, _, hashes = mnist_files
    name = "train-labels-idx1-ubyte.gz"
    (folder / name).write_bytes(idx(np.zeros(5, np.uint8)))
    hashes[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    with pytest.raises(UserError, match="do not go with 5 labels"):
        load_mnist([folder], 32, 1, hashes, mirrors=())


def test_real_mnist():
    for folder in (Path(os.environ.get("DEPTHBIAS_DATA", "")), ROOT.parent / "shared" / "data"):
        folders = [folder / "mnist", folder]
        if all(any((place / name).is_file() for place in folders) for name in mnist.HASHES):
            break
    else:
        pytest.skip("the four MNIST files are not in the folder that DEPTHBIAS_DATA names")
    data = load_mnist(folders, 28, 1)
    assert len(data.source) == 70_000
    assert data.attributes[:60_000].sum(axis=0)[[6, 9]].tolist() == [5918, 5949]
    assert data.attributes[60_000:].sum(axis=0)[[6, 9]].tolist() == [958, 1009]
    assert data.attributes[:5].argmax(axis=1).tolist() == [5, 0, 4, 1, 9]


# ---- downloads ---------------------------------------------------------------------------------


class Server(http.server.ThreadingHTTPServer):
    """Serves /good/file.gz, /bad/file.gz (other bytes) and /cut/file.gz (half of what it says)."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, content))
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def mirror(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{kind}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, content: bytes, *args: object) -> None:
        self.content = content
        super().__init__(*args)

    def do_GET(self) -> None:
        kind, name = self.path.strip("/").split("/")
        body = {"good": self.content, "cut": self.content, "bad": self.content[::-1]}.get(kind)
        if body is None or name != "file.gz":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if kind == "cut" else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    server = Server(bytes(range(256)) * 4000)
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("before", [[], ["absent"], ["bad"], ["cut"], ["cut", "bad", "absent"]])
def test_download_takes_the_first_good_mirror(server, tmp_path, before):
    content = bytes(range(256)) * 4000
    path = tmp_path / "raw" / "file.gz"
    mirrors = [server.mirror(kind) for kind in [*before, "good"]]
    download(path, mirrors, hashlib.md5(content).hexdigest())
    assert path.read_bytes() == content
    assert [other.name for other in path.parent.iterdir()] == ["file.gz"]


@pytest.mark.parametrize("kind", ["absent", "bad", "cut", "closed"])
def test_failed_download_leaves_nothing(server, tmp_path, kind):
    md5 = hashlib.md5(bytes(range(256)) * 4000).hexdigest()
    mirror = "http://127.0.0.1:1/" if kind == "closed" else server.mirror(kind)
    path = tmp_path / "raw" / "file.gz"
    with pytest.raises(UserError, match=r"file\.gz: missing, .* put the file there") as error:
        download(path, [mirror], md5)
    assert "\n" not in str(error.value)
    assert list(path.parent.iterdir()) == []


def test_missing_mnist_is_downloaded_into_the_first_folder(mnist_files, tmp_path):
    folder, arrays, hashes = mnist_files
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as files:
        threading.Thread(target=files.serve_forever, args=(0.01,), daemon=True).start()
        mirror = f"http://127.0.0.1:{files.server_address[1]}"
        data = load_mnist([tmp_path / "new", tmp_path / "none"], 32, 1, hashes, [mirror])
        files.shutdown()
    assert len(data.source) == 9
    assert {path.name for path in (tmp_path / "new").iterdir()} == set(arrays)


# ---- photos ------------------------------------------------------------------------------------


def test_photo_is_the_centre_square_only():
    image = Image.new("RGB", (178, 218), "red")
    image.paste((0, 200, 0), (0, 20, 178, 198))
    for content in (encoded(image, "PNG"), encoded(image.rotate(90, expand=True), "PNG")):
        pixels = decode(("x", content), 64, 3)
        assert np.array_equal(pixels, np.broadcast_to(np.uint8([0, 200, 0]), (64, 64, 3)))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_photo_equals_crop_then_resize(channels, mode, tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(picture(1)))
    expected = Image.open(tmp_path / "a.jpg").convert(mode).crop((0, 20, 178, 198))
    expected = np.asarray(expected.resize((64, 64), Image.Resampling.LANCZOS))
    pixels = decode(("x", tmp_path / "a.jpg"), 64, channels)
    assert pixels.shape == (64, 64, channels)
    assert np.array_equal(pixels.squeeze(), expected.squeeze())


def test_photo_is_turned_upright():
    exif = Image.Exif()
    exif[274] = 6  # the camera was turned: show it rotated by 270 degrees
    image = picture(2, 60, 60)
    turned = decode(("x", encoded(image, "PNG", exif=exif)), 60, 3)
    assert np.array_equal(turned, np.rot90(np.asarray(image), -1))


def test_transparency_is_put_on_white():
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert (decode(("x", encoded(clear, "PNG")), 4, 3) == 255).all()


@pytest.mark.parametrize("side", [12, 40])  # Pillow warns up to twice the limit, then raises
def test_decompression_bombs_are_refused(monkeypatch, side):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UserError, match="bomb: it claims too many pixels"):
        decode(("bomb", encoded(Image.new("L", (side, side)), "PNG")), 4, 1)


@pytest.mark.parametrize("content", [b"", b"not an image", encoded(picture(0))[:-2000]])
def test_unreadable_photo_is_named(content):
    with pytest.raises(UserError, match="face: unreadable image") as error:
        decode(("face", content), 16, 3)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of what it skips
@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
    keep=st.floats(0.2, 1),
)
def test_damaged_photos_give_pixels_or_a_user_error(kind, changes, keep):
    content = bytearray(encoded(picture(3, 40, 30), kind))
    for place, value in changes:
        content[int(place * len(content))] = value
    try:
        pixels = decode(("x", bytes(content[: int(keep * len(content))])), 8, 3)
    except UserError:
        return
    assert pixels.shape == (8, 8, 3)


def test_stream_is_the_same_for_any_number_of_workers(monkeypatch):
    monkeypatch.setattr(photos, "BLOCK", 3)
    items = [(str(i), encoded(picture(i, 20, 30))) for i in range(20)]
    one = np.concatenate(list(decode_stream(iter(items), 16, 3, 1)))
    two = np.concatenate(list(decode_stream(iter(items), 16, 3, 2)))
    assert np.array_equal(one, two)
    assert np.array_equal(one[7], decode(items[7], 16, 3))


def test_stream_reads_no_further_than_it_must(monkeypatch):
    monkeypatch.setattr(photos, "BLOCK", 1)
    taken = []
    items = ((taken.append(i), (str(i), encoded(picture(0, 4, 4))))[1] for i in range(1000))
    stream = decode_stream(items, 4, 3, 2)
    next(stream)
    assert len(taken) == 5  # one handed out, two a worker waiting
    stream.close()


@pytest.mark.parametrize(("bad", "named"), [(1, 1), (3, 3), (25, 20)])
@pytest.mark.parametrize("workers", [1, 2])
def test_stream_names_all_photos_that_cannot_be_read(bad, named, workers):
    good = [("good", encoded(picture(0, 8, 8)))] * 100
    items = [item for i in range(bad) for item in [*good, (f"broken{i}", b"x")]]
    stream, count = decode_stream(iter(items), 16, 3, workers), 0
    with pytest.raises(UserError) as error:
        for block in stream:
            count += len(block)
    text = str(error.value)
    assert count == len(items) and "\n" not in text
    assert re.findall(r"broken\d+(?=: unreadable)", text) == [f"broken{i}" for i in range(named)]
    assert text.startswith("broken0" if bad == 1 else f"{bad} problems: broken0")
    assert ("; and 5 more" in text) == (bad == 25)


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (1,)


def test_stream_reports_a_worker_that_died():
    with pytest.raises(UserError, match="worker process died"):
        list(decode_stream([("x", Deadly())], 16, 3, 2))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_killed_parent(tmp_path):
    program = (
        "import itertools, multiprocessing, sys, time\n"
        "from depthbias.data.photos import decode_stream\n"
        f"item = ('x', {encoded(picture(0, 8, 8))!r})\n"
        "stream = decode_stream(itertools.repeat(item), 8, 3, 2)\n"
        "next(stream)\n"
        "print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2 and all(alive(pid) for pid in workers)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not any(alive(pid) for pid in workers):
            break
        time.sleep(0.1)
    assert not any(alive(pid) for pid in workers)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


# ---- CelebA ------------------------------------------------------------------------------------

NAMES = ["5_o_Clock_Shadow", "Blond_Hair", "Male"]


def write_attributes(folder: Path, rows: int, promised: int | None = None) -> np.ndarray:
    """list_attr_celeba.txt as distributed: padded values, and a space at the end of line 2."""
    values = np.random.default_rng(1).choice([-1, 1], (rows, len(NAMES)))
    lines = [str(rows if promised is None else promised), " ".join(NAMES) + " "]
    lines += [
        f"{row + 1:06}.jpg " + " ".join(f"{value:2d}" for value in values[row])
        for row in range(rows)
    ]
    folder.mkdir(exist_ok=True)
    (folder / celeba.ATTRIBUTES).write_text("\n".join(lines) + "\n")
    return values == 1


def write_zip(folder: Path, rows: range, inside: str = "img_align_celeba/") -> None:
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        archive.mkdir("img_align_celeba")
        for row in rows:
            archive.writestr(f"{inside}{row + 1:06}.jpg", encoded(picture(row)))


def test_celeba_from_zip_and_from_folder(tmp_path):
    attributes = write_attributes(tmp_path, 5)
    write_zip(tmp_path, range(5))
    from_zip = load_celeba([tmp_path], 32, 3, 1, False)
    images = collect(from_zip)
    assert np.array_equal(from_zip.attributes, attributes)
    assert from_zip.names == NAMES
    assert from_zip.source == [f"{i:06}.jpg" for i in range(1, 6)]
    assert images.shape == (5, 32, 32, 3)
    assert np.array_equal(images[3], decode(("x", encoded(picture(3))), 32, 3))

    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip") as archive:
        archive.extractall(tmp_path)
    (tmp_path / "img_align_celeba.zip").unlink()
    assert np.array_equal(collect(load_celeba([tmp_path], 32, 3, 1, False)), images)


def test_celeba_extra_images_are_left_out(tmp_path):
    write_attributes(tmp_path, 2)
    write_zip(tmp_path, range(4))
    assert len(collect(load_celeba([tmp_path], 16, 1, 1, False))) == 2


@pytest.mark.parametrize("promised", [4, 6])
def test_celeba_header_must_agree_with_the_rows(tmp_path, promised):
    write_attributes(tmp_path, 5, promised)
    with pytest.raises(UserError, match=f"promises {promised} images, 5 follow"):
        read_attributes(tmp_path / celeba.ATTRIBUTES)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("000002.jpg 1 -1", "line 4: a file name and 3 values"),
        ("000002.jpg 1 -1 1 1", "line 4: a file name and 3 values"),
        ("000002.jpg 1 -1 0", "line 4: a file name and 3 values"),
        ("", "line 4: a file name and 3 values"),
        ("000001.jpg 1 -1 1", "line 4: 000001.jpg was already listed in line 3"),
        ("../000002.jpg 1 -1 1", "line 4: '../000002.jpg' is not a plain file name"),
    ],
)
def test_celeba_bad_row(tmp_path, line, message):
    write_attributes(tmp_path, 3)
    path = tmp_path / celeba.ATTRIBUTES
    lines = path.read_text().split("\n")
    lines[3] = line
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=message):
        read_attributes(path)


@pytest.mark.parametrize("text", ["", "x\nA B\n", "1\n", "1\nA A\n000001.jpg 1 1\n"])
def test_celeba_bad_header(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(UserError, match="line 1 must be the number of images and line 2"):
        read_attributes(tmp_path / "a.txt")


def test_celeba_attributes_that_are_no_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="save it as UTF-8"):
        read_attributes(tmp_path / "a.txt")


def test_celeba_missing_files_say_where_they_go(tmp_path):
    with pytest.raises(UserError, match=r"list_attr_celeba\.txt is missing: accept the licence"):
        load_celeba([tmp_path], 16, 3, 1, False)
    write_attributes(tmp_path, 1)
    with pytest.raises(UserError, match=r"img_align_celeba\.zip or img_align_celeba is missing"):
        load_celeba([tmp_path], 16, 3, 1, False)


@pytest.mark.parametrize("packed", [True, False])
def test_celeba_listed_image_is_missing(tmp_path, packed):
    write_attributes(tmp_path, 3)
    if packed:
        write_zip(tmp_path, range(2))
    else:
        (tmp_path / "img_align_celeba").mkdir()
        for row in range(2):
            (tmp_path / f"img_align_celeba/{row + 1:06}.jpg").write_bytes(encoded(picture(row)))
    with pytest.raises(UserError, match=r"000003\.jpg is missing, though .* lists it"):
        load_celeba([tmp_path], 16, 3, 1, False)


def test_celeba_unreadable_image(tmp_path):
    write_attributes(tmp_path, 1)
    (tmp_path / "img_align_celeba").mkdir()
    (tmp_path / "img_align_celeba/000001.jpg").write_bytes(encoded(picture(0))[:1000])
    with pytest.raises(UserError, match=r"000001\.jpg: unreadable image"):
        collect(load_celeba([tmp_path], 16, 3, 1, False))


def write_persons(folder: Path, name: str, numbers: list[int]) -> None:
    lines = [f"{row + 1:06}.jpg {number}" for row, number in enumerate(numbers)]
    (folder / name).write_text("\n".join(lines) + "\n")


def test_celeba_tells_who_is_in_an_image(tmp_path):
    """The identities where they are there; else the authors' parts."""
    write_attributes(tmp_path, 4)
    write_zip(tmp_path, range(4))
    write_persons(tmp_path, persons.PARTITION, [0, 0, 1, 2])
    found = load_celeba([tmp_path], 16, 3, 1, True).grouped
    assert {name: array.tolist() for name, array in found.items()} == {"partition": [0, 0, 1, 2]}
    write_persons(tmp_path, persons.IDENTITIES, [7, 9, 7, 3])
    found = load_celeba([tmp_path], 16, 3, 1, True).grouped
    assert {name: array.tolist() for name, array in found.items()} == {"persons": [7, 9, 7, 3]}
    assert load_celeba([tmp_path], 16, 3, 1, False).grouped == {}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (None, r"by_person needs identity_CelebA\.txt or list_eval_partition\.txt: place one of"),
        ("000001.jpg 1\n000002.jpg x\n", r"identity_CelebA\.txt, line 2: a file name"),
        ("000001.jpg 1\n000001.jpg 1\n", r"identity_CelebA\.txt, line 2: a file name"),
        ("000001.jpg 1\n", r"000002\.jpg and 1 other images are missing"),
    ],
)
def test_celeba_without_persons_is_refused(tmp_path, lines, message):
    write_attributes(tmp_path, 3)
    write_zip(tmp_path, range(3))
    if lines is not None:
        (tmp_path / persons.IDENTITIES).write_text(lines)
    with pytest.raises(UserError, match=message):
        load_celeba([tmp_path], 16, 3, 1, True)


def test_celeba_damaged_zip(tmp_path):
    write_attributes(tmp_path, 3)
    write_zip(tmp_path, range(3))
    path = tmp_path / "img_align_celeba.zip"
    content = path.read_bytes()
    path.write_bytes(content[:2000] + bytes(100) + content[2100:])
    with pytest.raises(UserError, match=r"000001\.jpg is damaged"):
        collect(load_celeba([tmp_path], 16, 3, 1, False))
    path.write_bytes(content[:2000])
    with pytest.raises(UserError, match="not a complete zip file"):
        load_celeba([tmp_path], 16, 3, 1, False)


def test_celeba_zip_that_climbs_out_is_refused(tmp_path):
    inner = tmp_path / "celeba"
    write_attributes(inner, 1)
    write_zip(inner, range(1), inside="../")
    with pytest.raises(UserError, match=r"000001\.jpg is missing"):
        load_celeba([inner], 16, 3, 1, False)
    assert [path.name for path in tmp_path.iterdir()] == ["celeba"]


def test_celeba_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(celeba_files, "LARGEST", 1000)
    write_attributes(tmp_path, 1)
    write_zip(tmp_path, range(1))
    with pytest.raises(UserError, match="bytes large: refused"):
        collect(load_celeba([tmp_path], 16, 3, 1, False))


# ---- the program -------------------------------------------------------------------------------


def test_prepare_is_the_same_for_any_number_of_workers(tmp_path):
    write_attributes(tmp_path / "celeba", 150)
    write_zip(tmp_path / "celeba", range(150))
    for workers in (1, 2):
        done = run_prepare(
            *("--dataset", "celeba", "--size", 16, "--channels", 3, "--workers", workers),
            *("--raw", tmp_path / "raw", "--output", tmp_path / f"{workers}.npz"),
            DEPTHBIAS_DATA=str(tmp_path),
        )
        assert done.returncode == 0, done.stderr
        assert "150/150 images" in done.stderr
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()
    assert map_npz(tmp_path / "1.npz", "images").shape == (150, 16, 16, 3)


def test_prepare_reports_bad_input_in_one_line(own, tmp_path):
    (own / "b c.png").write_bytes(b"")
    labels = table(own, "file,label\na.png,x\nb c.png,y\n")
    done = run_prepare(
        *("--dataset", "folder", "--size", 8, "--channels", 3, "--raw", own, "--labels", labels),
        *("--output", tmp_path / "out" / "images.npz"),
    )
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if "images/s" not in line]
    assert any(line.startswith("error: ") and "b c.png: unreadable" in line for line in errors)
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_prepare_reports_a_full_disk_in_one_line(own, tmp_path):
    resource = pytest.importorskip("resource")
    labels = table(own, "file,label\na.png,x\nb c.png,y\nmore/d.png,y\n")
    done = run_prepare(
        *("--dataset", "folder", "--size", 256, "--channels", 3, "--raw", own, "--labels", labels),
        *("--output", tmp_path / "out" / "images.npz"),
        limit=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "images.npz: cannot write: the file would pass the size limit" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "flags",
    [
        ["--dataset", "folder", "--on-conflict", "keep"],
        ["--dataset", "digits", "--labels", "x.csv"],
        ["--dataset", "cifar"],
        ["--dataset", "digits", "--size", "0"],
        ["--dataset", "mnist", "--raw", ""],
        ["--dataset", "folder", "--raw", "", "--labels", "x.csv"],
    ],
)
def test_prepare_usage_errors(flags, tmp_path):
    given = [
        "--size",
        8,
        "--channels",
        1,
        "--raw",
        tmp_path,
        "--output",
        tmp_path / "x.npz",
        *flags,
    ]
    done = run_prepare(*given)
    assert done.returncode == 2
    assert not (tmp_path / "x.npz").exists()


def test_prepare_starts_without_torch():
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", PREPARE, "--help"], capture_output=True, text=True
    ).stderr
    modules = {line.rpartition("|")[2].strip() for line in imported.splitlines()}
    assert "depthbias.data.mnist" in modules
    assert modules.isdisjoint({"torch", "sklearn", "pandas", "pooch", "scipy"})
