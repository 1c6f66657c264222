"""Shares of the classes by every way of counting images: closed forms, bounds, their errors."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logit

from depthbias.estimates.arm_names import ARMS
from depthbias.estimates.intervals import stream
from depthbias.estimates.noise_bootstrap import NoiseBootstrap
from depthbias.estimates.runs import Run
from depthbias.measures.arms import measure
from depthbias.measures.class_shares import Instrument
from depthbias.measures.classified import Acceptance, Classified
from depthbias.measures.samples import noise_of


def one_run(labels, **fates):
    """A run of two classes whose images are all decided and accepted, if not given."""
    every = np.ones(len(labels), dtype=bool)
    fates = {"decided": every, "accepted": every} | fates
    run, noise = Run("s", "90-10", "depth2", "0", "ddim-4"), noise_of([3], len(labels))
    return Classified(run, np.array([0.9, 0.1]), np.asarray(labels), noise=noise, **fates)


def measured_run(run, rates=(1.0, 1.0), images=10**6, draws=4000):
    instrument = Instrument(["six", "nine"], np.diag([10**6, 10**6]), draws)
    acceptance = Acceptance(["six", "nine"], np.array(rates), np.full(2, images), draws)
    return measure(run, instrument, acceptance, NoiseBootstrap(draws))


def test_without_a_failure_all_arms_agree():
    model = measured_run(one_run([0] * 70 + [1] * 30))
    for arm in ARMS:
        assert model.arms[arm].values == pytest.approx([0.7, 0.3])
        assert model.arms[arm].n == 100
    assert model.failed.values == [0]


def test_shares_on_the_manifold_are_divided_by_the_acceptance_of_real_images():
    """The numbers of a probe: .083 of accepted images, acceptance .907 and .963."""
    labels = np.repeat([0, 1, 0, 1], [917, 83, 60, 140])
    accepted = np.repeat([True, False], [1000, 200])
    found = measured_run(one_run(labels, accepted=accepted), (0.907, 0.963)).arms["manifold"]
    odds = 83 / 0.963 / (917 / 0.907)
    assert found.values[1] == pytest.approx(odds / (1 + odds)) and found.n == 1000
    assert found.values[1] == pytest.approx(0.0786, abs=1e-4)
    # delta method: log-odds have the errors of 83 and 917 images
    assert logit(found.draws[:, 1]).std() == pytest.approx(np.sqrt(1 / 83 + 1 / 917), rel=0.05)


def test_the_error_of_the_acceptance_counts():
    run = one_run(np.repeat([0, 1], 5000))
    found = measured_run(run, (0.9, 0.9), images=50).arms["manifold"]
    expected = np.sqrt(2 * (1 - 0.9) / (50 * 0.9) + 2 / 5000)
    assert logit(found.draws[:, 1]).std() == pytest.approx(expected, rel=0.1)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_whatever_the_failures_are_the_share_lies_between_the_bounds(seed):
    rng = np.random.default_rng(seed)
    labels, decided, accepted = rng.integers(0, 2, 60), *(rng.random((2, 60)) < 0.8)
    model = measured_run(one_run(labels, decided=decided, accepted=accepted), draws=100)
    failed = ~(decided & accepted)
    truth = np.where(failed, rng.integers(0, 2, 60), labels)
    least, most = (model.arms[arm].values for arm in ("least", "most"))
    shares = np.bincount(truth, minlength=2) / 60
    assert (least <= shares).all() and (shares <= most).all()
    assert most - least == pytest.approx(np.full(2, failed.mean()))
    assert least[0] + most[1] == pytest.approx(1)  # all failures to one class are none to the other
    assert model.failed.values == pytest.approx([failed.mean()])
    assert model.arms["least"].draws[:, 0] + model.arms["most"].draws[:, 1] == pytest.approx(1)


def test_draws_of_a_bound_are_the_posterior_of_its_share():
    labels, decided = np.repeat([0, 1, 1], [500, 30, 70]), np.repeat([True, False], [530, 70])
    model = measured_run(one_run(labels, decided=decided), draws=20_000)
    for arm, count in (("least", 30), ("most", 100)):
        draws = model.arms[arm].draws[:, 1]
        halves = 0.5 if arm == "least" else 1  # half an image of the class, and of the failures
        expected = stats.beta(count + halves, 600 - count + 1.5 - halves)
        assert stats.kstest(draws, expected.cdf).statistic < 0.015


def test_draws_of_every_arm_are_those_of_weighted_images():
    """By a loop: weights of noises, half an image more in each part, then the arm's own formula."""
    rng = np.random.default_rng(1)
    labels, decided, accepted = rng.integers(0, 2, 40), *(rng.random((2, 40)) < 0.7)
    run = one_run(labels, decided=decided, accepted=accepted)
    instrument = Instrument(["six", "nine"], np.array([[90, 20], [10, 80]]), 50)
    acceptance = Acceptance(["six", "nine"], np.array([0.8, 0.6]), np.array([30, 20]), 50)
    model = measure(run, instrument, acceptance, NoiseBootstrap(50))
    weights = NoiseBootstrap(50).sums(np.eye(40, dtype=bool), run.noise)

    def shares(group, parts):
        columns = [
            weights[:, own].sum(axis=1)
            + stream("half an image", group, *run.run.key, name).standard_gamma(0.5, 50)
            for name, own in parts.items()
        ]
        stacked = np.stack(columns, axis=1)
        counts = np.array([own.sum() for own in parts.values()])
        return counts / counts.sum(), stacked / stacked.sum(axis=1, keepdims=True)

    own = {"six": labels == 0, "nine": labels == 1}
    sure = decided & accepted
    values, draws = shares("all", own)
    assert model.arms["raw"].values == pytest.approx(values)
    assert model.arms["raw"].draws == pytest.approx(draws)
    assert model.arms[""].values == pytest.approx(instrument.solve(values))
    assert model.arms[""].draws == pytest.approx(instrument.solve_draws(draws))
    values, draws = shares("decided", {name: flags & decided for name, flags in own.items()})
    assert model.arms["decided"].values == pytest.approx(values)
    assert model.arms["decided"].draws == pytest.approx(draws)
    values, draws = shares("manifold", {name: flags & accepted for name, flags in own.items()})
    values, draws = values / acceptance.rates, draws / acceptance.drawn
    assert model.arms["manifold"].values == pytest.approx(values / values.sum())
    assert model.arms["manifold"].draws == pytest.approx(draws / draws.sum(axis=1, keepdims=True))
    values, draws = shares("sure", {n: f & sure for n, f in own.items()} | {"": ~sure})
    assert model.arms["least"].values == pytest.approx(values[:2])
    assert model.arms["least"].draws == pytest.approx(draws[:, :2])
    assert model.arms["most"].values == pytest.approx(values[:2] + values[2])
    assert model.arms["most"].draws == pytest.approx(draws[:, :2] + draws[:, 2:])
    assert model.failed.values == pytest.approx(values[2:])
    assert model.failed.draws == pytest.approx(draws[:, 2:])
    values, draws = shares("open", {"open": ~decided, "decided": decided})
    assert model.undecidable.values == pytest.approx(values[:1])
    assert model.undecidable.draws == pytest.approx(draws[:, :1])
    n = {name: arm.n for name, arm in model.arms.items()}
    sizes = {"decided": decided.sum(), "manifold": accepted.sum()}
    assert n == dict.fromkeys(("", "raw", "least", "most"), 40) | sizes
    assert model.failed.n == model.undecidable.n == model.n == 40
    assert model.run == run.run and model.trained is run.trained


def test_an_arm_without_an_image_has_no_share_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = measured_run(one_run([0, 1, 1], decided=np.zeros(3, dtype=bool)), draws=50)
    assert np.isnan(model.arms["decided"].values).all() and model.arms["decided"].n == 0
    assert model.failed.values == model.undecidable.values == [1]
