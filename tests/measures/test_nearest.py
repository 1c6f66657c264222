"""Nearest neighbours against brute force in float64, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from depthbias.measures import nearest as nearest_module
from depthbias.measures.nearest import Rows, distance_blocks, nearest, nearest_others
from depthbias.system.errors import UserError

METRICS = ("euclidean", "cosine")


def brute_force(queries, reference, k, metric):
    """All pairs in extended precision; of equal distances the lower index first."""
    a, b = np.asarray(queries, np.longdouble), np.asarray(reference, np.longdouble)
    if metric == "cosine":
        a, b = (x / np.sqrt((x**2).sum(axis=1, keepdims=True)) for x in (a, b))
    squares = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    distances = np.sqrt(squares) if metric == "euclidean" else squares / 2
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1).astype(float), order


def made_up(count, width, dtype, seed=0):
    return (np.random.default_rng(seed).random((count, width)) * 255).astype(dtype)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("block", [1 << 28, 6_000])
def test_equals_brute_force_whatever_the_blocks(metric, dtype, block, monkeypatch):
    monkeypatch.setattr(nearest_module, "BLOCK_BYTES", block)
    reference, queries = made_up(120, 33, dtype), made_up(20, 33, dtype, seed=1)
    distances, indices = nearest(queries, reference, 7, metric)
    expected, order = brute_force(queries, reference, 7, metric)
    np.testing.assert_allclose(distances, expected, rtol=1e-12)
    np.testing.assert_array_equal(indices, order)


@pytest.mark.parametrize("block", [1 << 28, 6_000])
def test_ties_go_to_the_lower_index_also_when_they_outnumber_the_candidates(block, monkeypatch):
    monkeypatch.setattr(nearest_module, "BLOCK_BYTES", block)
    reference = made_up(200, 9, np.float32)
    reference[60:160] = reference[7]  # 101 copies; 5 + 64 candidates are looked at first
    distances, indices = nearest(reference[[7, 100] * 20] + np.float32(0.5), reference, 5)
    np.testing.assert_array_equal(indices, [[7, 60, 61, 62, 63]] * 40)
    np.testing.assert_allclose(distances, 1.5)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), k=st.integers(1, 6))
def test_small_whole_numbers_have_many_ties(data, k):
    numbers = st.integers(-2, 2)
    queries = data.draw(arrays(np.int64, (4, 2), elements=numbers))
    reference = data.draw(arrays(np.int64, (6, 2), elements=numbers))
    distances, indices = nearest(queries, reference, k)
    expected, order = brute_force(queries, reference, k, "euclidean")
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(distances, expected, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_near_duplicates_far_from_the_origin_keep_their_digits(metric):
    """|a|^2 + |b|^2 - 2 a.b would cancel: the squares are 1e16 times their difference."""
    rng = np.random.default_rng(2)
    queries = 1e4 + rng.normal(size=(5, 40))
    steps = 1e-4 * np.arange(1, 31)[:, None] * rng.normal(size=(30, 40))
    reference = np.concatenate([queries[0] + steps, 1e4 + rng.normal(size=(50, 40))])
    distances, indices = nearest(queries, reference, 3, metric)
    expected, order = brute_force(queries, reference, 3, metric)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(distances, expected, rtol=1e-6)


def test_many_vectors_of_few_dimensions_are_searched_exactly():
    """Far more are left out than are looked at: 69 of 3,000."""
    rng = np.random.default_rng(4)
    reference, queries = rng.normal(size=(3000, 2)), 3 * rng.normal(size=(40, 2))
    distances, indices = nearest(queries, reference, 5)
    expected, order = brute_force(queries, reference, 5, "euclidean")
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(distances, expected, rtol=1e-12)


def test_what_float32_cannot_tell_apart_is_looked_at_again():
    """One vector 1e4 away makes the products of all others coarser than their distances."""
    rng = np.random.default_rng(5)
    reference = 1e-3 * rng.normal(size=(400, 40))
    queries = np.concatenate([1e-3 * rng.normal(size=(3, 40)), np.full((1, 40), 1e4)])
    distances, indices = nearest(queries, reference, 3)
    expected, order = brute_force(queries, reference, 3, "euclidean")
    np.testing.assert_array_equal(indices[:3], order[:3])
    np.testing.assert_allclose(distances, expected, rtol=1e-9)


def test_near_vectors_of_length_1_are_told_apart():
    """Queries on either side of the origin: products near 1 hide squares of 1e-10 in float32."""
    rng = np.random.default_rng(8)
    far = np.eye(1, 20)
    reference = far + 1e-5 * rng.normal(size=(400, 20))
    queries = np.concatenate([far + 1e-5 * rng.normal(size=(4, 20)), np.repeat(-far, 4, axis=0)])
    distances, indices = nearest(queries, reference, 3)
    expected, order = brute_force(queries, reference, 3, "euclidean")
    np.testing.assert_array_equal(indices[:4], order[:4])
    np.testing.assert_allclose(distances, expected, rtol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("block", [1 << 28, 6_000])
def test_distances_of_all_pairs_come_block_by_block(metric, block, monkeypatch):
    monkeypatch.setattr(nearest_module, "BLOCK_BYTES", block)
    rng = np.random.default_rng(6)
    queries, reference = rng.normal(size=(30, 40)), rng.normal(size=(50, 40))
    found = np.full((30, 50), np.nan)
    for rows, others, distances in distance_blocks(queries, reference, metric):
        assert np.isnan(found[rows, others]).all()
        found[rows, others] = distances
    np.testing.assert_allclose(found, cdist(queries, reference, metric), rtol=1e-12)


def test_distances_of_pairs_keep_their_digits_and_are_euclidean_by_default():
    """|a|^2 + |b|^2 - 2 a.b would cancel."""
    rng = np.random.default_rng(7)
    queries = 1e6 + rng.normal(size=(30, 40))
    reference = queries + 1e-6 * rng.normal(size=(30, 40))
    ((_, _, distances),) = distance_blocks(queries, reference)
    np.testing.assert_allclose(distances, cdist(queries, reference), rtol=1e-12)


@pytest.mark.parametrize("block", [1 << 28, 64])
def test_bad_vectors_of_pairs_are_named(block, monkeypatch):
    monkeypatch.setattr(nearest_module, "BLOCK_BYTES", block)
    with pytest.raises(UserError, match=r"^query 2: its 4 values are not all finite"):
        list(distance_blocks(WITH_NAN, np.ones((6, 4))))
    with pytest.raises(UserError, match=r"^reference image 2: its 4 values are not all finite"):
        list(distance_blocks(np.ones((6, 4)), WITH_NAN))
    message = r"direction and no cosine: leave that image out or use the euclidean metric$"
    with pytest.raises(UserError, match=message):
        list(distance_blocks(WITH_ZERO, np.ones((6, 4)), "cosine"))


def test_a_duplicate_is_at_distance_zero():
    reference = made_up(30, 50, np.float32)
    for metric in METRICS:
        distances, indices = nearest(reference, reference, 1, metric)
        assert not distances.any()
        np.testing.assert_array_equal(indices[:, 0], np.arange(30))


def test_float32_that_overflows_is_still_exact():
    reference = made_up(60, 5, np.float64) * 1e30
    distances, indices = nearest(reference[:3] * 1.001, reference, 2)
    expected, order = brute_force(reference[:3] * 1.001, reference, 2, "euclidean")
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(distances, expected, rtol=1e-9)


class Watched:
    """A set of vectors on disk that notes how many bytes are asked for at once."""

    def __init__(self, vectors, path):
        np.save(path, vectors)
        self._map = np.load(path, mmap_mode="r")
        self.shape, self.most, self.rows_read = vectors.shape, 0, 0

    def __getitem__(self, rows):
        found = self._map[rows]
        self.most = max(self.most, found.size * 8)
        self.rows_read += len(found)
        return found


def test_no_more_than_a_block_is_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(nearest_module, "BLOCK_BYTES", 40_000)
    vectors, others = made_up(900, 48, np.float32), made_up(300, 48, np.float32, seed=3)
    reference, queries = Watched(vectors, tmp_path / "r.npy"), Watched(others, tmp_path / "q.npy")
    _, indices = nearest(queries, reference, 4)
    assert max(reference.most, queries.most) <= 40_000 < 8 * vectors.size
    assert queries.rows_read == 300  # and the queries are read once
    np.testing.assert_array_equal(indices, brute_force(others, vectors, 4, "euclidean")[1])


def test_rows_are_read_lazily_and_in_the_given_order(tmp_path):
    images = made_up(40, 12, np.uint8).reshape(40, 2, 2, 3)
    np.save(tmp_path / "images.npy", images)
    rows = np.array([31, 4, 4, 17, 0, 39])
    chosen = Rows(np.load(tmp_path / "images.npy", mmap_mode="r"), rows)
    assert chosen.shape == (6, 12)
    np.testing.assert_array_equal(chosen[1:3], images[[4, 4]].reshape(2, 12))
    np.testing.assert_array_equal(chosen[np.array([5, 0])], images[[39, 31]].reshape(2, 12))
    distances, indices = nearest(images[[17]].reshape(1, 12), chosen, 1)
    assert (distances[0, 0], indices[0, 0]) == (0, 3)


def test_the_others_of_a_set_leave_out_the_image_itself():
    vectors = made_up(50, 6, np.float64)
    vectors[20:23] = vectors[8]
    rows = np.array([8, 22, 3])
    distances, indices = nearest_others(vectors, rows, 4)
    for row, found, near in zip(rows, indices, distances, strict=True):
        rest = np.delete(np.arange(50), row)
        expected, order = brute_force(vectors[[row]], vectors[rest], 4, "euclidean")
        np.testing.assert_array_equal(found, rest[order[0]])
        np.testing.assert_allclose(near, expected[0], rtol=1e-12)
    copies = np.ones((9, 2))
    _, indices = nearest_others(copies, np.array([7]), 3)  # more copies of it than are found
    np.testing.assert_array_equal(indices, [[0, 1, 2]])


def test_products_are_not_rounded_to_tf32(monkeypatch):
    matmul = torch.backends.cuda.matmul
    seen, product, before = [], torch.addmm, matmul.allow_tf32

    def watched(*args, **options):
        seen.append(matmul.allow_tf32)
        return product(*args, **options)

    monkeypatch.setattr(torch, "addmm", watched)
    try:
        matmul.allow_tf32 = True
        nearest(np.eye(3), np.eye(3), 1)
        assert seen == [False]
        assert matmul.allow_tf32
    finally:
        matmul.allow_tf32 = before


WITH_NAN = np.where(np.arange(24).reshape(6, 4) == 9, np.nan, 1.0)
WITH_ZERO = np.ones((6, 4)) * (np.arange(6) != 5)[:, None]


@pytest.mark.parametrize(
    ("queries", "reference", "k", "metric", "message"),
    [
        (np.ones((3, 4)), np.ones((6, 4)), 7, "euclidean", "7 nearest of 6 images: ask for 1 to 6"),
        (np.ones((3, 4)), np.ones((6, 4)), 0, "euclidean", "0 nearest of 6 images"),
        (np.ones((3, 5)), np.ones((6, 4)), 1, "euclidean", "5 dimensions and the reference 4"),
        (WITH_NAN, np.ones((6, 4)), 1, "euclidean", "query 2: its 4 values are not all finite"),
        (np.ones((3, 4)), WITH_NAN, 1, "euclidean", "reference image 2: its 4 values are not all"),
        (WITH_ZERO, np.ones((6, 4)), 1, "cosine", "query 5: all of its values are 0"),
        (np.ones((3, 4)), WITH_ZERO, 1, "cosine", "reference image 5: all of its values are 0"),
        (np.ones((3, 4)), np.ones((6, 4)), 1, "manhattan", "none of euclidean, cosine"),
    ],
)
@pytest.mark.parametrize("block", [1 << 28, 64])
def test_bad_input_is_one_line(queries, reference, k, metric, message, block, monkeypatch):
    monkeypatch.setattr(nearest_module, "BLOCK_BYTES", block)
    with pytest.raises(UserError, match=message) as caught:
        nearest(queries, reference, k, metric)
    assert "\n" not in str(caught.value)


def test_others_need_another():
    with pytest.raises(UserError, match="2 nearest others of 2 images: ask for 1 to 1"):
        nearest_others(np.eye(2), np.array([0]), 2)
