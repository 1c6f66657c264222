"""Rows of bias, one by one: whose they are, what they are worth, on what they rest."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logit

from depthbias.estimates.arm_names import ARMS, in_arm
from depthbias.estimates.intervals import wilson
from depthbias.estimates.noise_bootstrap import NoiseBootstrap
from depthbias.estimates.runs import Run
from depthbias.measures.amplification import kappa_intercept
from depthbias.measures.bias_rows import bias_rows
from depthbias.measures.class_shares import Instrument
from depthbias.measures.classified import Acceptance, Classified
from depthbias.measures.effective_depths import EffectiveDepth
from depthbias.measures.noise_rows import noise_rows
from depthbias.measures.samples import noise_of
from depthbias.system.errors import UserError

CLASSES = ["six", "nine"]
RATIOS = {"80-20": 0.2, "60-40": 0.4}
DEPTHS = {"depth2": 2, "depth3": 3}
SAMPLERS = ("ddim-4", "heun-4")
N = 200
# nines among N images, by ratio, depth, sampler; every further seed has two more
COUNTS = dict(zip(product(RATIOS, DEPTHS, SAMPLERS), [40, 42, 30, 36, 84, 80, 64, 75], strict=True))


def a_run(ratio, architecture, seed, sampler, nines, trained=None, **fates):
    labels = (np.arange(N) < nines).astype(int)
    every = np.ones(N, dtype=bool)
    fates = {"decided": every, "accepted": every} | fates
    share = RATIOS.get(ratio, trained)
    run = Run("s", ratio, architecture, str(seed), sampler)
    return Classified(run, np.array([1 - share, share]), labels, noise=noise_of([7], N), **fates)


def study(**fates):
    return [
        a_run(*key, 2 * seed + nines, **fates)
        for (ratio, depth, sampler), nines in COUNTS.items()
        for seed in (0, 1)
        for key in [(ratio, depth, seed, sampler)]
    ]


def table_of(runs, effective=None):
    """Rows of a classifier and a manifold without errors."""
    instrument = Instrument(CLASSES, np.diag([10**7, 10**7]), 200)
    acceptance = Acceptance(CLASSES, np.ones(2), np.full(2, 10**7), 200)
    frame = pd.DataFrame(bias_rows(runs, instrument, acceptance, effective or {}))
    keys = ["metric", "ratio", "architecture", "seed", "sampler", "class"]
    assert not frame.duplicated(keys).any() and (frame["study"] == "s").all()
    return frame.set_index(keys).sort_index()


@pytest.fixture
def table():
    return table_of(study(), {"depth2": 2.0, "depth3": 2.5})


def share(ratio, depth, seed, sampler):
    return (COUNTS[ratio, depth, sampler] + 2 * seed) / N


def odds(*key):
    return float(logit(share(*key)))


def test_shares_of_a_run_and_over_its_seeds(table):
    """Where no image fails all arms are the same."""
    for ratio, depth, sampler in COUNTS:
        means = np.mean([share(ratio, depth, seed, sampler) for seed in (0, 1)])
        for seed, value in (
            *((str(s), share(ratio, depth, s, sampler)) for s in (0, 1)),
            ("all", means),
        ):
            for name, arm in product(CLASSES, ARMS.values()):
                row = table.loc[arm.share, ratio, depth, seed, sampler, name]
                assert row["value"] == pytest.approx(value if name == "nine" else 1 - value)
                assert row["lower"] < row["value"] < row["upper"]
                wanted = (2 * N, 2) if seed == "all" else (N, 1)
                assert (row["n"], row["runs"]) == wanted
            trained = table.loc["share_train", ratio, depth, seed, sampler, "nine"]
            assert trained["value"] == RATIOS[ratio]
            recall = table.loc["recall", ratio, depth, seed, sampler, "nine"]
            assert recall["value"] == pytest.approx(value / RATIOS[ratio])
            limits = table.loc["share_corrected", ratio, depth, seed, sampler, "nine"]
            for end in ("lower", "upper"):
                assert recall[end] == pytest.approx(limits[end] / RATIOS[ratio])
            assert recall["n"] == limits["n"]
            for arm in ARMS:
                shift = table.loc[
                    in_arm("log_odds_shift", arm), ratio, depth, seed, sampler, "nine"
                ]
                assert shift["value"] == pytest.approx(logit(value) - logit(RATIOS[ratio]))
                limits = table.loc[ARMS[arm].share, ratio, depth, seed, sampler, "nine"]
                for end in ("lower", "upper"):
                    moved = logit(limits[end]) - logit(RATIOS[ratio])
                    assert shift[end] == pytest.approx(moved)
                assert shift["n"] == (2 * N if seed == "all" else N)
    for metric in ("undecidable_share", "failed_share"):
        row = table.loc[metric, "80-20", "depth2", "0", "ddim-4", ""]
        assert (row["value"], row["n"], row["runs"]) == (0, N, 1)
        row = table.loc[metric, "80-20", "depth2", "all", "ddim-4", ""]
        assert (row["value"], row["n"], row["runs"]) == (0, 2 * N, 2)


def test_lines_over_ratios(table):
    """Slope and height of each seed, their mean, and the slope of these on depth."""
    x = logit(np.array(list(RATIOS.values())))
    for arm, sampler in product(ARMS, SAMPLERS):
        found = {"kappa": {}, "kappa_intercept": {}}
        for depth, seed in product(DEPTHS, (0, 1)):
            line = stats.linregress(x, [odds(ratio, depth, seed, sampler) for ratio in RATIOS])
            for metric, value in (("kappa", line.slope), ("kappa_intercept", line.intercept)):
                row = table.loc[in_arm(metric, arm), "all", depth, str(seed), sampler, "nine"]
                assert row["value"] == pytest.approx(value)
                assert row["n"] == row["runs"] == 2 and row["lower"] < value < row["upper"]
                found[metric].setdefault(depth, []).append(value)
        for metric, values in found.items():
            for depth, own in values.items():
                row = table.loc[in_arm(metric, arm), "all", depth, "all", sampler, "nine"]
                assert row["value"] == pytest.approx(np.mean(own))
                assert row["n"] == row["runs"] == 4
            slope = np.mean(values["depth3"]) - np.mean(values["depth2"])
            for scale, stage in (("depth", 1), ("effective_depth", 0.5)):
                name = in_arm(f"{metric}_per_{scale}", arm)
                row = table.loc[name, "all", "published", "all", sampler, "nine"]
                assert row["value"] == pytest.approx(slope / stage)
                assert row["n"] == row["runs"] == 4


def test_trends_on_depth_of_each_ratio_and_sampler(table):
    """Two depths: the binomial fit goes through the mean share of each."""
    for ratio, sampler, arm in product(RATIOS, SAMPLERS, ARMS):
        means = [np.mean([share(ratio, d, seed, sampler) for seed in (0, 1)]) for d in DEPTHS]
        slope = float(logit(means[1]) - logit(means[0]))
        for scale, stage in (("depth", 1), ("effective_depth", 0.5)):
            name = in_arm(f"log_odds_shift_per_{scale}", arm)
            row = table.loc[name, ratio, "published", "all", sampler, "nine"]
            assert row["value"] == pytest.approx(slope / stage, rel=1e-6)
            assert row["n"] == row["runs"] == 4


def test_the_second_sampler_minus_the_first(table):
    for ratio, depth, arm in product(RATIOS, DEPTHS, ARMS):
        name = in_arm("log_odds_sampler_difference", arm)
        row = table.loc[name, ratio, depth, "all", "heun-4", "nine"]
        pairs = [odds(ratio, depth, s, "heun-4") - odds(ratio, depth, s, "ddim-4") for s in (0, 1)]
        assert row["value"] == pytest.approx(np.mean(pairs))
        assert (row["n"], row["runs"]) == (2 * N, 2)
    assert "ddim-4" not in set(
        table.loc["log_odds_sampler_difference"].index.get_level_values("sampler")
    )


def test_a_seed_without_the_other_sampler_is_left_out():
    runs = [run for run in study() if run.run.seed == "0" or run.run.sampler == "heun-4"]
    row = table_of(runs).loc["log_odds_sampler_difference", "80-20", "depth2", "all", "heun-4"]
    assert (row["n"].item(), row["runs"].item()) == (N, 1)
    expected = odds("80-20", "depth2", 0, "heun-4") - odds("80-20", "depth2", 0, "ddim-4")
    assert row["value"].item() == pytest.approx(expected)


def test_transitions_are_from_the_shallowest_model(table):
    """The nines come first, so images that change are those between the two counts."""
    for ratio, sampler, seed in product(RATIOS, SAMPLERS, (0, 1)):
        before, after = (COUNTS[ratio, depth, sampler] + 2 * seed for depth in DEPTHS)
        moved = {"nine->six": before - after, "six->nine": 0, "nine->nine": after}
        moved["six->six"] = N - before
        for name, count in moved.items():
            row = table.loc["transition", ratio, "depth3", str(seed), sampler, name]
            assert row[["value", "lower", "upper", "n"]].tolist() == pytest.approx(wilson(count, N))
        row = table.loc["transition_p", ratio, "depth3", str(seed), sampler, ""]
        assert row["value"] == pytest.approx(stats.binomtest(0, before - after).pvalue)
        assert row["n"] == N and np.isnan([row["lower"], row["upper"]]).all()
    assert set(table.loc["transition"].index.get_level_values("architecture")) == {"depth3"}


def test_a_ratio_without_a_class_counts_for_no_line():
    """Its shares are there; its log-odds of training would be infinite."""
    extra = [
        a_run(ratio, "depth2", seed, "ddim-4", nines, trained)
        for ratio, trained, nines in (("100-0", 0.0, 3), ("0-100", 1.0, 190))
        for seed in (0, 1)
    ]
    first, second = table_of(study()), table_of([*study(), *extra])
    pd.testing.assert_frame_equal(second.loc[first.index], first)
    added = second[~second.index.isin(first.index)]
    assert set(added.index.get_level_values("ratio")) == {"100-0", "0-100"}
    metrics = set(added.index.get_level_values("metric"))
    assert metrics == {
        *("share_train", "undecidable_share", "failed_share"),
        *(arm.share for arm in ARMS.values()),
    }


def test_failed_images_in_every_arm():
    """Of the images of a run every fourth is undecided, every fifth off the manifold."""
    decided, accepted = np.arange(N) % 4 > 0, np.arange(N) % 5 > 0
    table = table_of(study(decided=decided, accepted=accepted))
    nines = np.arange(N) < 40
    sure = decided & accepted
    key = ("80-20", "depth2", "0", "ddim-4")
    expected = {
        "share_corrected": (nines.mean(), N),
        "share_raw": (nines.mean(), N),
        "share_decided": (nines[decided].mean(), decided.sum()),
        "share_manifold": (nines[accepted].mean(), accepted.sum()),
        "share_least": ((nines & sure).mean(), N),
        "share_most": ((nines & sure).mean() + (~sure).mean(), N),
    }
    for metric, (value, n) in expected.items():
        row = table.loc[(metric, *key, "nine")]
        assert row["value"] == pytest.approx(value, abs=1e-6) and row["n"] == n
    for metric, flags in (("undecidable_share", ~decided), ("failed_share", ~sure)):
        row = table.loc[(metric, *key, "")]
        assert row[["value", "lower", "upper", "n"]].tolist() == pytest.approx(
            wilson(flags.sum(), N)
        )


def test_a_seed_without_a_decided_image_leaves_no_mean_over_seeds():
    runs = [
        a_run("80-20", "depth2", seed, "ddim-4", 40, decided=np.full(N, seed > 0))
        for seed in (0, 1)
    ]
    table = table_of(runs)
    for metric in ("share_decided", "log_odds_shift_decided"):
        row = table.loc[(metric, "80-20", "depth2", "all", "ddim-4", "nine")]
        assert row[["value", "lower", "upper"]].isna().all() and row["n"] == N


def test_noise_seeds_are_compared_in_the_same_arms():
    noise = noise_of([7, 8], N // 2)
    runs = [Classified(**vars(run) | {"noise": noise}) for run in study()[:2]]
    instrument = Instrument(CLASSES, np.array([[90, 5], [10, 95]]), 50)
    acceptance = Acceptance(CLASSES, np.full(2, 0.9), np.full(2, 100), 50)
    rows = [
        row
        for row in bias_rows(runs, instrument, acceptance, {})
        if row["metric"].startswith("log_odds_noise_difference")
    ]
    expected = [*noise_rows(runs, instrument, acceptance, NoiseBootstrap(50))]
    assert len(rows) == len(ARMS)
    pd.testing.assert_frame_equal(pd.DataFrame(rows), pd.DataFrame(expected))


def test_what_has_no_effective_depth_has_0():
    depth = EffectiveDepth({"depth2": 1.5})
    two, three = (a_run("80-20", name, 0, "ddim-4", 40) for name in ("depth2", "depth3"))
    assert (depth(two), depth(three)) == (1.5, 0)


def test_models_from_other_noise_are_not_compared():
    runs = study()
    changed = dict(vars(runs[2]), noise=noise_of([8], N))  # depth2, heun-4
    with pytest.raises(UserError) as caught:
        table_of([*runs[:2], Classified(**changed), *runs[3:]])
    told = "depth2 and depth3 (80-20, seed 0, heun-4): not sampled from the same noise: "
    assert str(caught.value) == f"{told}sample and classify them again"


def test_the_line_at_one_half():
    trained, shares = np.array([0.2, 0.4, 0.7]), np.array([[0.3, 0.3, 0.6], [0.2, 0.4, 0.7]])
    found = kappa_intercept(trained, shares, 10**6)
    expected = stats.linregress(logit(trained), logit(shares[0])).intercept
    assert found == pytest.approx([expected, 0], abs=1e-12)
