"""The share of same-noise pairs of images that two models have in common."""

import numpy as np
import pytest
from measures.made_up_study import CLASSES

from depthbias.estimates.intervals import wilson
from depthbias.estimates.runs import Run, as_json
from depthbias.measures.embedding_files import read_embedded, write_embedded
from depthbias.measures.reproducibility import reproducibility
from depthbias.measures.samples import noise_of
from depthbias.system.errors import UserError

ABOUT = {
    "sscd": {"metric": "cosine"},
    "pixels": {"metric": "euclidean"},
    "diversity": {"embedding": "classifier", "metric": "squared"},
}


def written(folder, run, angles, noise=7):
    """A run whose images point into these directions, degrees."""
    angles = np.radians(angles)
    vectors = {"sscd": 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)}
    n, path = len(angles), folder / f"{'-'.join(run.key)}.npz"
    others = {"run": as_json(run), "noise": noise_of([noise], n), "sums": np.ones((n, 2))}
    others |= {"labels": np.zeros(n, int), "classes": np.array(CLASSES)}
    write_embedded(path, vectors, ABOUT, others)
    return read_embedded(path, "s")


def test_pairs_that_differ_in_one_thing_alone(tmp_path):
    """Of cosines 1, cos 10, cos 50, -1: above 0.5 are three, above 0.9 two."""
    base = Run("s", "90-10", "depth3", "0", "ddim-4")
    same = [0, 0, 0, 0], [0, 10, 50, 180]
    runs = [
        written(tmp_path, base, same[0]),
        written(tmp_path, base._replace(architecture="depth2"), same[1]),
        written(tmp_path, base._replace(seed="1"), same[1]),
        written(tmp_path, base._replace(ratio="60-40"), same[0]),
        written(tmp_path, base._replace(sampler="heun-4"), same[0]),
        written(tmp_path, base._replace(architecture="depth2", seed="1"), same[0]),
    ]
    for threshold, count in ((0.5, 3), (0.9, 2)):
        found = list(reproducibility(runs, "sscd", threshold))
        assert {m.metric for m in found} == {"rp_score:sscd"} and all(m.share for m in found)
        assert {(m.run.architecture, m.run.seed): m.estimate for m in found} == {
            ("depth2~depth3", "0"): wilson(count, 4),
            ("depth2~depth3", "1"): wilson(count, 4),
            ("depth3", "0~1"): wilson(count, 4),
            ("depth2", "0~1"): wilson(count, 4),
        }
        assert len(found) == 4
        assert {m.run[:2] + m.run[4:] for m in found} == {("s", "90-10", "ddim-4")}


def test_other_noise_is_refused(tmp_path):
    first = Run("s", "90-10", "depth2", "0", "ddim-4")
    runs = [
        written(tmp_path, first, [0, 1]),
        written(tmp_path, first._replace(architecture="depth3"), [0, 1], noise=8),
    ]
    with pytest.raises(UserError) as caught:
        list(reproducibility(runs, "sscd", 0.5))
    a, b = (model.path for model in runs)
    assert str(caught.value) == f"{a} and {b}: not from the same noise: sample again"
    other = written(tmp_path, first._replace(ratio="60-40"), [0, 1], noise=8)
    assert not list(reproducibility([runs[0], other], "sscd", 0.5))  # no pair, no comparison


def test_embeddings_without_cosines_are_refused(tmp_path):
    runs = [written(tmp_path, Run("s", "90-10", "depth2", "0", "ddim-4"), [0, 1])]
    with pytest.raises(UserError) as caught:
        list(reproducibility(runs, "pixels", 0.5))
    assert str(caught.value) == "copies: pixels is not compared by cosines: name one that is"
    with pytest.raises(UserError, match="has no embedding inception"):
        list(reproducibility(runs, "inception", 0.5))
