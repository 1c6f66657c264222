"""The files that say how images count: read together, and refused where they do not fit."""

import numpy as np
import pytest
from scipy import stats

from depthbias.data.subsets import read_subset
from depthbias.estimates.runs import Run, as_json
from depthbias.measures.classified import Acceptance, read_accepted, read_classified
from depthbias.measures.manifolds import Manifold, write_manifold
from depthbias.measures.samples import noise_of
from depthbias.system.errors import UserError
from depthbias.system.files import write_json, write_npz

CLASSES = ["six", "nine"]
RUN = Run("s", "75-25", "depth2", "0", "ddim-4")
RUNS = (RUN, RUN._replace(architecture="depth3"))
PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.55, 0.45]])


def write_classes(folder, run=RUN, classes=CLASSES, seed=7, name=None):
    path = folder / f"{name or '-'.join(run.key)}.npz"
    content = {"run": as_json(run), "noise": noise_of([seed], 3), "classes": np.array(classes)}
    write_npz(path, content | {"probabilities": PROBABILITIES})
    return path


def manifold(acceptance=(0.5, 1.0), study="s", classes=CLASSES):
    runs = tuple(run._replace(study=study) for run in RUNS)
    accepted = np.array([[True, False, True], [False, True, True]])
    found = np.array(acceptance), np.array([20, 10])
    return Manifold(runs, noise_of([7], 3), accepted, *found, 3, "pixels", tuple(classes))


def subset(folder):
    path = folder / "subset.json"
    content = {"ratio": "75-25", "seed": 0, "classes": CLASSES}
    write_json(path, content | {"indices": [1, 2, 3, 4], "labels": [0, 0, 0, 1]})
    return read_subset(path)


def read(folder, paths, threshold=0.8):
    return read_classified(paths, "s", CLASSES, [subset(folder)], threshold, manifold())


def refused(call):
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


def test_runs_are_read_in_their_order(tmp_path):
    paths = [write_classes(tmp_path, run) for run in reversed(RUNS)]
    deeper, first = read(tmp_path, iter(paths))
    assert (first.run, deeper.run) == RUNS
    assert first.trained.tolist() == [0.75, 0.25]
    assert first.labels.tolist() == [0, 1, 0]
    assert first.decided.tolist() == [True, True, False]  # one is exactly at the threshold
    assert first.accepted.tolist() == [True, False, True]
    assert deeper.accepted.tolist() == [False, True, True]
    np.testing.assert_array_equal(first.noise, noise_of([7], 3))
    assert first.counts().tolist() == [2, 1]
    assert first.counts(first.accepted).tolist() == [2, 0]
    assert first.counts(slice(1, 2)).tolist() == [0, 1]


def test_a_run_that_does_not_fit_is_refused(tmp_path):
    path = write_classes(tmp_path)
    again = write_classes(tmp_path, name="again")
    assert refused(lambda: read(tmp_path, [path, again])) == (
        f"{again}: the same run as {path}: give each run once"
    )
    other = write_classes(tmp_path, RUNS[1], classes=["six", "two"])
    assert refused(lambda: read(tmp_path, [path, other])) == (
        f"{other}: its classes are six, two, not six, nine: make it again"
    )
    other = write_classes(tmp_path, RUNS[1], seed=8)
    assert refused(lambda: read(tmp_path, [path, other])) == (
        f"{other}: not from the noise of the manifold: measure the quality again"
    )
    other = write_classes(tmp_path, RUN._replace(study="t"))
    assert refused(lambda: read(tmp_path, [other])) == (
        f"{other}: a run of study 't', not of 's': leave it out"
    )
    other = write_classes(tmp_path, RUN._replace(seed="1"))
    assert (
        refused(lambda: read(tmp_path, [other])) == f"{other}: no subset 75-25 of seed 1 was given"
    )
    other = write_classes(tmp_path, RUN._replace(architecture="depth4"))
    assert "has no run 75-25, depth4" in refused(lambda: read(tmp_path, [other]))


def test_the_manifold_and_its_acceptance_are_read(tmp_path):
    path = tmp_path / "manifold.npz"
    write_manifold(path, manifold())
    found, acceptance = read_accepted(path, "s", CLASSES, 50)
    assert found.runs == RUNS
    assert acceptance.classes == CLASSES and acceptance.draws == 50
    assert acceptance.rates.tolist() == [0.5, 1.0] and acceptance.images.tolist() == [20, 10]


def test_a_manifold_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "manifold.npz"

    def message(**other):
        write_manifold(path, manifold(**other))
        return refused(lambda: read_accepted(path, "s", CLASSES, 50))

    assert message(study="t") == f"{path}: a run of study 't', not of 's': leave it out"
    assert message(classes=["six", "two"]) == (
        f"{path}: its classes are six, two, not six, nine: make it again"
    )
    assert message(acceptance=(0.5, 0.0)) == (
        f"{path}: no held-out image of class nine lies in the ball of another one: "
        "raise quality.manifold_k"
    )


def test_draws_of_the_acceptance_are_its_posterior():
    """Jeffreys': 15 of 20 and 10 of 10; 20,000 draws against the quantiles of beta."""
    found = Acceptance(CLASSES, np.array([0.75, 1.0]), np.array([20, 10]), 20_000)
    for column, (a, b) in enumerate([(15.5, 5.5), (10.5, 0.5)]):
        drawn = found.drawn[:, column]
        assert stats.kstest(drawn, stats.beta(a, b).cdf).pvalue > 0.01
    alone = Acceptance(CLASSES[1:], found.rates[1:], found.images[1:], 20_000)
    np.testing.assert_array_equal(alone.drawn[:, 0], found.drawn[:, 1])  # a class has its stream
