"""Copies, their closed forms, and what is made of measurements over seeds and depth."""

import json
from argparse import ArgumentTypeError
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from depthbias.estimates.intervals import Estimate
from depthbias.estimates.measurements import Measured, _image_error, mean_of, rows_of, share_of
from depthbias.estimates.runs import Run
from depthbias.measures.copied_training import copied_shares
from depthbias.measures.copies import (
    authentic,
    copies,
    memorised,
    paired_cosines,
    relative_distances,
)
from depthbias.measures.copy_thresholds import given_thresholds
from depthbias.measures.neighbor_rows import (
    NeighborSettings,
    Neighbours,
    Queries,
    closeness,
    closest,
    find,
    find_others,
    measures_of,
)
from depthbias.system.errors import UserError

RUN = Run("s", "90-10", "depth3", "0", "ddim-25")


def made_up(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 3, 1), dtype=np.uint8)


def test_memorised_is_equal_or_three_times_nearer_to_one_image_than_to_any_other():
    distances = np.array([[1.0, 3.1], [1.0, 2.9], [0.0, 1.0], [2.0, 6.0], [0.0, 0.0]])
    assert memorised(distances).tolist() == [True, False, True, False, True]


def test_an_image_is_authentic_unless_nearer_than_the_neighbour_is_to_its_own():
    """Training images at 0, 1 and 5: those at 0 and 1 are 1 apart, the one at 5 is 4 from 1."""
    training = np.array([[0.0], [1.0], [5.0]])
    queries = np.array([[0.4], [-1.5], [7.0], [9.5], [1.0]])
    found = find(
        "any", "euclidean", queries, training, NeighborSettings([1], {}, "cpu"), np.arange(5)
    )
    assert found.gap.tolist() == [1, 1, 4, 4, 1]
    own = authentic(found.distances[:, 0], found.gap)
    assert own.tolist() == [False, True, False, True, False]
    assert authentic(np.array([2.0]), np.array([2.0])).all()  # as near is not nearer
    options = NeighborSettings([1], {}, "cpu")
    given = Queries(RUN, made_up(5), np.zeros(5, dtype=int), np.arange(5))
    share = values_of(closeness(given, found, ["six"], options))["authentic_share:any", "", 0]
    assert share.value == own.mean()
    assert found.copied is None


def test_the_relative_distance_takes_pixels_of_minus_one_to_one():
    images = np.full((2, 2, 2, 1), 255, dtype=np.uint8)
    images[1] = 0  # both have length 2
    distances = np.array([127.5, 510.0])  # 1 and 4 on that scale
    np.testing.assert_allclose(relative_distances(images, distances), [0.5, 2.0])


def test_no_images_of_a_class_have_no_relative_distances():
    assert relative_distances(made_up(0), np.ones(0)).shape == (0,)


def test_an_image_without_length_is_refused():
    with pytest.raises(UserError, match="image 1 is constant at mid grey"):
        relative_distances(np.array([[[[0.0]]], [[[127.5]]]]), np.ones(2))


def test_the_training_set_against_itself_is_all_copies_and_does_not_generalise():
    images = made_up(40)
    flat = images.reshape(40, -1)
    options = NeighborSettings([1], {"classifier": 0.99}, "cpu")
    found = find("pixels", "euclidean", flat, flat, options, np.arange(40))
    assert relative_distances(images, found.distances[:, 0]).mean() == 0
    assert memorised(found.distances).mean() == 1
    near = find("classifier", "cosine", flat, flat, options, np.arange(40))
    for one in (found, near):
        assert one.copied.tolist() == [1] * 40
    assert 1 - copies(1 - near.distances[:, 0], 0.6).mean() == 0


def test_a_model_reproduces_itself():
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    similar = paired_cosines(vectors, vectors)
    assert (similar == 1).all()
    assert copies(similar, 0.999999).mean() == 1
    assert copies(paired_cosines(vectors, -vectors), 0.6).mean() == 0


def test_paired_cosines_are_those_of_row_i_with_row_i():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(6, 4)), 7 * rng.normal(size=(6, 4))
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    expected = (first * second).sum(axis=1) / lengths
    np.testing.assert_allclose(paired_cosines(first, second), expected, rtol=1e-12)
    assert copies(np.array([0.6, 0.61]), 0.6).tolist() == [False, True]


def test_sets_that_cannot_be_paired_are_refused():
    with pytest.raises(UserError, match=r"\(3, 4\) and \(3, 5\) cannot be paired"):
        paired_cosines(np.ones((3, 4)), np.ones((3, 5)))
    with pytest.raises(UserError, match="image 1: all of its values are 0"):
        paired_cosines(np.eye(2), np.array([[1.0, 0.0], [0.0, 0.0]]))


def values_of(measured):
    return {(one.metric, one.class_name, one.k): one.estimate for one in measured}


def test_closeness_overall_and_by_class():
    training, images, labels = made_up(30), made_up(12, seed=1), np.arange(12) % 2
    options = NeighborSettings([1, 3], {}, "cpu")
    flat = images.reshape(12, -1)
    found = find("pixels", "euclidean", flat, training.reshape(30, -1), options, np.arange(12))
    overall = np.array([0, 2, 5])
    queries = Queries(RUN, images, labels, overall)
    got = values_of(closeness(queries, found, ["six", "nine"], options))
    distances = np.linalg.norm(flat[:, None].astype(float) - training.reshape(1, 30, -1), axis=2)
    near = np.sort(distances, axis=1)
    assert got["nn_distance:pixels", "", 1].value == pytest.approx(near[overall, 0].mean())
    assert got["nn_distance:pixels", "", 3].value == pytest.approx(near[overall, 2].mean())
    assert got["nn_distance_mean:pixels", "", 3].value == pytest.approx(near[overall, :3].mean())
    assert got["nn_distance_mean:pixels", "", 1].value == pytest.approx(near[overall, 0].mean())
    assert got["nn_distance:pixels", "nine", 1].value == pytest.approx(near[labels == 1, 0].mean())
    assert got["nn_distance:pixels", "nine", 1].n == 6
    lengths = np.linalg.norm(flat / 127.5 - 1, axis=1)
    relative = near[:, 0] / 127.5 / lengths
    assert got["gl_pixel:pixels", "", 0].value == pytest.approx(relative[overall].mean())
    memory = near[:, 0] < near[:, 1] / 3
    assert got["memorised_share:pixels", "six", 0].value == memory[labels == 0].mean()
    between = np.linalg.norm(
        training.reshape(30, 1, -1).astype(float) - training.reshape(1, 30, -1), axis=2
    )
    np.fill_diagonal(between, np.inf)
    own = near[:, 0] >= between.min(axis=1)[distances.argmin(axis=1)]
    assert got["authentic_share:pixels", "", 0].value == own[overall].mean()
    assert not any(metric.startswith("gl_score") for metric, _, _ in got)
    measured = list(closeness(queries, found, ["six", "nine"], options))
    assert {m.run for m in measured} == {RUN}
    shares = {m.metric for m in measured if m.share}
    assert shares == {"authentic_share:pixels", "memorised_share:pixels"}


def test_cosines_are_reported_as_similarities_and_copies_by_their_threshold():
    training = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    angles = np.deg2rad([10.0, 40.0, 80.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    options = NeighborSettings([1, 2], {"sscd": 0.9}, "cpu")
    found = find("sscd", "cosine", vectors, training, options, np.arange(3))
    queries = Queries(RUN, made_up(3), np.zeros(3, dtype=int), np.arange(3))
    got = values_of(closeness(queries, found, ["six"], options))
    nearest, second = np.cos(np.deg2rad([10, 40, 10])), np.cos(np.deg2rad([80, 50, 80]))
    assert got["nn_cosine:sscd", "", 1].value == pytest.approx(nearest.mean())
    assert got["nn_cosine_mean:sscd", "", 2].value == pytest.approx((nearest + second).mean() / 2)
    assert got["gl_score:sscd", "", 0].value == pytest.approx(1 / 3)  # only that at 40 degrees
    assert got["copied_share:sscd", "", 0].value == pytest.approx(2 / 3)
    assert found.copied.tolist() == [1, 1, 0]
    assert got["gl_score:sscd", "six", 0] == got["gl_score:sscd", "", 0]
    assert got["copied_share:sscd", "six", 0] == got["copied_share:sscd", "", 0]
    assert {m.run for m in closeness(queries, found, ["six"], options)} == {RUN}
    pairs = closest(queries, found, np.array([7, 8, 9]), 3)
    assert [(p["index"], p["row"]) for p in pairs] == [(0, 7), (2, 8), (1, 7)]
    assert {p["embedding"] for p in pairs} == {"sscd"}
    assert [p["value"] for p in pairs] == pytest.approx(np.cos(np.deg2rad([10, 10, 40])))
    assert not any("pixels" in metric for metric, _, _ in got)


def test_training_images_among_the_others_are_never_nearer_than_those_are():
    training = made_up(20).reshape(20, -1)
    options = NeighborSettings([1], {}, "cpu")
    found = find_others("pixels", "euclidean", np.array([3, 11]), training, options)
    assert (found.indices != np.array([[3], [11]])).all()
    run = RUN._replace(architecture="train", sampler="")
    queries = Queries(run, made_up(20)[[3, 11]], np.zeros(2, dtype=int), np.arange(2))
    got = values_of(closeness(queries, found, ["six"], options))
    assert not any(metric.startswith("authentic_share") for metric, _, _ in got)


def test_the_closest_pairs_name_image_and_training_image():
    training = np.array([[0.0], [10.0], [20.0]])
    queries = Queries(RUN, made_up(3), np.zeros(3, dtype=int), np.arange(3))
    found = find(
        "pixels",
        "euclidean",
        np.array([[13.0], [19.0], [2.0]]),
        training,
        NeighborSettings([1], {}, "cpu"),
        np.arange(3),
    )
    pairs = closest(queries, found, np.array([100, 200, 300]), 2)
    assert [(p["rank"], p["index"], p["row"], p["value"]) for p in pairs] == [
        (1, 1, 300, 1.0),
        (2, 2, 100, 2.0),
    ]
    assert pairs[0]["architecture"] == "depth3"


def test_of_equally_near_pairs_the_first_image_comes_first():
    near = np.random.default_rng(0).integers(0, 3, 500)
    queries = Queries(RUN, made_up(1), np.zeros(500, dtype=int), np.arange(500))
    indices = np.zeros((500, 1), dtype=int)
    found = Neighbours("pixels", "euclidean", near[:, None].astype(float), indices, near)
    pairs = closest(queries, found, np.array([7]), 500)
    expected = sorted(range(500), key=lambda i: (near[i], i))
    assert [pair["index"] for pair in pairs] == expected


def test_all_measures_are_of_closeness_and_where_it_is_told_of_copied_training_images():
    training, images, labels = made_up(20), made_up(8, seed=1), np.arange(8) % 2
    queries = Queries(RUN, images, labels, np.array([0, 1, 2, 5]))
    options, classes = NeighborSettings([1], {}, "cpu"), ["six", "nine"]
    found = find(
        "any",
        "euclidean",
        images.reshape(8, -1),
        training.reshape(20, -1),
        options,
        queries.overall_rows,
    )
    near = values_of(closeness(queries, found, classes, options))
    of_training = np.arange(20) % 2
    alone = measures_of(queries, found, of_training, classes, options)
    assert values_of(alone) == near
    copied = np.arange(20) % 3
    both = [*measures_of(queries, replace(found, copied=copied), of_training, classes, options)]
    assert {one.run for one in both} == {RUN}
    shares = values_of(copied_shares(RUN, "any", copied, 4, of_training, classes))
    assert values_of(both) == near | shares


def test_a_mean_has_students_interval_and_a_share_wilsons():
    values = np.random.default_rng(0).exponential(size=37)
    found = mean_of(values, RUN, "x").estimate
    expected = stats.t.interval(0.95, 36, values.mean(), stats.sem(values))
    np.testing.assert_allclose(found[:3], [values.mean(), *expected])
    share = share_of(np.arange(20) < 3, RUN, "y").estimate
    wilson = stats.binomtest(3, 20).proportion_ci(method="wilson")
    np.testing.assert_allclose(share, [0.15, wilson.low, wilson.high, 20])
    assert np.isnan(mean_of(values[:0], RUN, "x").estimate.value)
    single = mean_of(values[:1], RUN, "x").estimate
    assert single.value == values[0]
    assert np.isnan(single.lower)


def test_draws_have_the_error_of_the_images_and_are_shared_by_seeds():
    values = np.random.default_rng(1).normal(size=400)
    one = mean_of(values, RUN, "x")
    other = mean_of(values, RUN._replace(seed="7"), "x")
    assert one.draws.std() == pytest.approx(stats.sem(values), rel=0.06)
    np.testing.assert_array_equal(one.draws, other.draws)
    assert not np.array_equal(
        one.draws, mean_of(values, RUN._replace(architecture="depth4"), "x").draws
    )
    share = share_of(np.zeros(100, dtype=bool), RUN, "y")
    assert np.quantile(share.draws, 0.975) == pytest.approx(
        stats.beta.ppf(0.975, 0.5, 100.5), rel=0.1
    )


def exact(run, value, metric="nn_distance:pixels", error=0.0, **more):
    """A measurement with a given 95 % interval of its images."""
    return Measured(run, metric, Estimate(value, value - error, value + error, 50), **more)


def frame(rows):
    return {
        (r["metric"], r["architecture"], r["seed"], r["ratio"], r["class"], r["k"]): r for r in rows
    }


def test_over_seeds_is_students_interval_of_the_runs():
    values = [3.0, 5.0, 4.5]
    runs = [exact(RUN._replace(seed=str(seed)), value) for seed, value in enumerate(values)]
    rows = frame(rows_of(runs, []))
    found = rows["nn_distance:pixels", "depth3", "all", "90-10", "", None]
    expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    np.testing.assert_allclose([found["lower"], found["upper"]], expected)
    assert (found["value"], found["n"]) == (pytest.approx(np.mean(values)), 150)
    assert len(rows) == 4


def test_over_seeds_also_holds_the_error_of_the_images():
    runs = [exact(RUN._replace(seed=str(seed)), 2.0, error=0.3) for seed in range(3)]
    found = frame(rows_of(runs, []))["nn_distance:pixels", "depth3", "all", "90-10", "", None]
    assert found["upper"] - 2 == pytest.approx(0.3, rel=0.1)  # the noise is that of all seeds


def test_images_from_the_same_noise_are_compared_one_by_one():
    """What all seeds share in image i does not average out; between depths it cancels."""
    rng = np.random.default_rng(3)
    common, trend = rng.normal(size=400), "nn_distance_per_depth:pixels"

    def half_widths(own):
        runs = [
            mean_of(
                0.3 * depth + common * own + 0.01 * rng.normal(size=400),
                Run("s", "90-10", f"depth{depth}", str(seed), "ddim-25"),
                "nn_distance:pixels",
                k=1,
            )
            for depth in (2, 3, 4)
            for seed in range(3)
        ]
        rows = frame(rows_of(runs, ["nn_distance:pixels"]))
        mean = rows["nn_distance:pixels", "depth2", "all", "90-10", "", 1]
        slope = rows[trend, "published", "all", "90-10", "", 1]
        return [(row["upper"] - row["lower"]) / 2 for row in (mean, slope)]

    mean, slope = half_widths(1.0)
    assert mean == pytest.approx(1.96 * stats.sem(common), rel=0.1)  # not over the root of 3
    assert slope < 0.05 * mean
    mean, _ = half_widths(0.0)
    assert mean < 0.01


def test_images_of_different_noise_count_as_independent():
    rng = np.random.default_rng(4)
    runs = [
        mean_of(
            rng.normal(size=400),
            Run("s", "90-10", f"depth{depth}", "0", "ddim-25"),
            "nn_distance:pixels",
        )
        for depth in (2, 4)
    ]
    together = _image_error(runs, np.array([-0.5, 0.5]))
    assert together.std() == pytest.approx(0.5 * np.sqrt(2 / 400), rel=0.1)
    apart = [replace(one, values=None) for one in runs]
    assert _image_error(apart, np.array([-0.5, 0.5])).std() == pytest.approx(
        together.std(), rel=0.1
    )


def grid_of_runs(rng, depths=(2, 3, 4, 5), seeds=3, k=1):
    return [
        exact(
            Run("s", "90-10", f"depth{depth}", str(seed), "ddim-25"),
            10 + 0.7 * depth + rng.normal(),
            k=k,
        )
        for depth in depths
        for seed in range(seeds)
    ]


def test_the_slope_on_depth_equals_least_squares_with_errors_of_hc3():
    runs = grid_of_runs(np.random.default_rng(0))
    rows = frame(rows_of(runs, ["nn_distance:pixels"]))
    found = rows["nn_distance_per_depth:pixels", "published", "all", "90-10", "", 1]
    depths = np.repeat([2.0, 3, 4, 5], 3)
    values = np.array([one.estimate.value for one in runs])
    fit = sm.OLS(values, sm.add_constant(depths)).fit(cov_type="HC3", use_t=True)
    assert found["value"] == pytest.approx(fit.params[1], rel=1e-10)
    np.testing.assert_allclose([found["lower"], found["upper"]], fit.conf_int()[1], rtol=1e-8)
    assert found["n"] == 12


def test_the_slope_leaves_out_what_has_no_depth_in_the_series():
    runs = grid_of_runs(np.random.default_rng(1))
    more = [
        exact(Run("s", "90-10", architecture, "0", "ddim-25"), 99.0, k=1)
        for architecture in ("real", "train", "depth2-large", "dit-small", "depth2~depth3")
    ]
    of_class = [exact(one.run, 5.0, class_name="six", k=1) for one in runs]
    trend = "nn_distance_per_depth:pixels"
    first = [row for row in rows_of(runs, ["nn_distance:pixels"]) if row["metric"] == trend]
    second = [
        row
        for row in rows_of([*runs, *more, *of_class], ["nn_distance:pixels"])
        if row["metric"] == trend
    ]
    assert first == second
    assert len(first) == 1


def test_a_slope_needs_two_depths_and_three_runs_for_an_interval():
    runs = grid_of_runs(np.random.default_rng(2), depths=(3,))
    trend = "nn_distance_per_depth:pixels"
    assert not [r for r in rows_of(runs, ["nn_distance:pixels"]) if r["metric"] == trend]
    runs = grid_of_runs(np.random.default_rng(2), depths=(2, 4), seeds=1)
    (found,) = [r for r in rows_of(runs, ["nn_distance:pixels"]) if r["metric"] == trend]
    slope = (runs[1].estimate.value - runs[0].estimate.value) / 2
    assert found["value"] == pytest.approx(slope)
    assert np.isnan(found["lower"])


def test_pairs_of_seeds_and_what_has_no_seed_are_not_averaged():
    runs = [exact(RUN._replace(seed=seed), 1.0) for seed in ("0~1", "0~2", "all")]
    assert [row["seed"] for row in rows_of(runs, [])] == ["0~1", "0~2", "all"]


def test_thresholds_of_copies_are_cosines_or_calibrated():
    given = {"pixels": 0.97, "inception": "calibrated", "dino": 0.001, "clip": 0.999}
    assert given_thresholds(json.dumps(given)) == given
    assert given_thresholds("{}") == {}


@pytest.mark.parametrize("value", [0, 1, 1.5, -0.1, True, False, None, "0.9", "calibrate", [0.9]])
def test_a_threshold_of_another_kind_is_refused_by_name(value):
    with pytest.raises(
        ArgumentTypeError, match=r"pixels: .* is neither calibrated nor from 0 to 1"
    ):
        given_thresholds(json.dumps({"inception": 0.9, "pixels": value}))
