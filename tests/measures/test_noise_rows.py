"""Noise seeds as a factor of a study."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from depthbias.estimates.arm_names import ARMS, in_arm
from depthbias.estimates.noise_bootstrap import NoiseBootstrap
from depthbias.estimates.runs import Run
from depthbias.measures.class_shares import Instrument
from depthbias.measures.classified import Acceptance, Classified
from depthbias.measures.noise_rows import noise_rows
from depthbias.measures.samples import noise_of

CLASSES = ["six", "nine"]
INSTRUMENT = Instrument(CLASSES, np.diag([5000, 5000]), 400)
ACCEPTANCE = Acceptance(CLASSES, np.ones(2), np.full(2, 5000), 400)


def run_of(shares, seed, n=2000, rng=None):
    """A model that makes this share of nines from each noise seed, exactly or at random."""
    labels = [rng.random(n) < share if rng else np.arange(n) < round(share * n) for share in shares]
    labels = np.concatenate(labels).astype(int)
    flags = np.ones((2, len(labels)), dtype=bool)
    run = Run("s", "90-10", "depth2", str(seed), "ddim-4")
    noise = noise_of(range(3, 3 + len(shares)), n)
    return Classified(run, np.array([0.9, 0.1]), labels, *flags, noise)


def rows_of(runs):
    rows = noise_rows(runs, INSTRUMENT, ACCEPTANCE, NoiseBootstrap(INSTRUMENT.draws))
    return pd.DataFrame(rows)


def test_the_difference_is_that_of_the_log_odds():
    table = rows_of([run_of([0.1, 0.2], seed) for seed in range(3)]).set_index("metric")
    for arm in ("", "raw", "decided", "manifold"):
        row = table.loc[in_arm("log_odds_noise_difference", arm)]
        assert row["value"] == pytest.approx(logit(0.2) - logit(0.1), abs=1e-3)
        assert row["lower"] > 0.4 and row["upper"] < 1.2
        assert (row["k"], row["class"], row["seed"], row["runs"]) == (4, "nine", "all", 3)
    assert len(table) == len(ARMS)


def test_equal_seeds_differ_by_nothing_but_chance():
    """95 % of the intervals hold 0; 60 studies of 3 models that share the noise (90 %: 3 SE)."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(60):
        common = run_of([0.3, 0.3], 0, 500, rng)
        row = rows_of([replace(common, run=common.run._replace(seed=str(s))) for s in range(3)])
        hits += float(row["lower"].iloc[0]) <= 0 <= float(row["upper"].iloc[0])
    assert hits >= 52


def test_one_noise_seed_makes_no_row():
    assert rows_of([run_of([0.1], 0)]).empty


def test_every_group_has_its_rows_and_rests_on_the_images_of_one_noise_seed():
    """Of three noise seeds two differences; of two ratios each its own, over training seeds."""
    runs = [
        replace(one, run=one.run._replace(ratio=ratio, sampler=sampler))
        for ratio, sampler, shares in (
            ("90-10", "ddim-4", [0.1, 0.2, 0.4]),
            ("60-40", "ddim-4", [0.3, 0.3, 0.2]),
            ("60-40", "heun-4", [0.2, 0.5, 0.2]),
        )
        for one in (run_of(shares, seed, 100) for seed in (0, 1))
    ]
    table = rows_of(runs).set_index(["metric", "ratio", "sampler", "k"])
    assert len(table) == len(ARMS) * 3 * 2 and not table.index.duplicated().any()
    expected = {
        ("90-10", "ddim-4", 4): (0.2, 0.1),
        ("90-10", "ddim-4", 5): (0.4, 0.1),
        ("60-40", "ddim-4", 4): (0.3, 0.3),
        ("60-40", "ddim-4", 5): (0.2, 0.3),
        ("60-40", "heun-4", 4): (0.5, 0.2),
        ("60-40", "heun-4", 5): (0.2, 0.2),
    }
    for key, (share, first) in expected.items():
        row = table.loc[("log_odds_noise_difference_raw", *key)]
        assert row["value"] == pytest.approx(logit(share) - logit(first))
        assert (row["n"], row["runs"], row["seed"]) == (200, 2, "all")
        assert (row["study"], row["architecture"], row["class"]) == ("s", "depth2", "nine")


def test_architectures_are_apart():
    runs = [
        replace(run_of(shares, seed, 100), run=Run("s", "90-10", name, str(seed), "ddim-4"))
        for name, shares in (("depth2", [0.1, 0.2]), ("depth3", [0.1, 0.4]))
        for seed in (0, 1)
    ]
    table = rows_of(runs).set_index(["metric", "architecture"])
    for name, share in (("depth2", 0.2), ("depth3", 0.4)):
        row = table.loc[("log_odds_noise_difference_raw", name)]
        assert row["value"] == pytest.approx(logit(share) - logit(0.1)) and row["runs"] == 2


def test_fates_of_images_go_with_their_noise_and_a_model_without_one_is_left_out():
    """All images of the second noise seed of one model are undecided: it has no such share."""
    runs = [run_of([0.1, 0.2], seed, 100) for seed in (0, 1)]
    runs[1] = replace(runs[1], decided=np.arange(200) < 100)
    accepted = np.arange(200) % 2 > 0
    runs[0] = replace(runs[0], accepted=accepted)
    table = rows_of(runs).set_index("metric")
    row = table.loc["log_odds_noise_difference_decided"]
    assert (row["n"], row["runs"]) == (100, 1)
    assert row["value"] == pytest.approx(logit(0.2) - logit(0.1))
    row = table.loc["log_odds_noise_difference_manifold"]
    assert (row["n"], row["runs"]) == (50 + 100, 2)
    nobody = [replace(run, decided=np.zeros(200, dtype=bool)) for run in runs]
    assert "log_odds_noise_difference_decided" not in set(rows_of(nobody)["metric"])
