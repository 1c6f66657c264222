"""The verdict on the slope a study was run for, and the corrections of all others."""

import numpy as np
import pandas as pd
import pytest
from conftest import program
from scipy.stats import nct, t, ttest_1samp

from depthbias.estimates.arm_names import ARMS, in_arm
from depthbias.estimates.endpoints import (
    VERDICT_ARMS,
    Endpoint,
    decision,
    detectable_slope,
    p_value,
    read_slopes,
    verdict,
    verdict_rows,
)
from depthbias.estimates.tidy import tidy
from depthbias.system.errors import UserError
from depthbias.system.files import write_csv

KAPPA = Endpoint("kappa_per_depth", "published", "90-10", 0.1, ("log_odds_shift_per_depth",))


def row(metric, value, half, **keys):
    base = {"study": "s", "ratio": "all", "architecture": "published", "seed": "all"}
    base |= {"sampler": "ddim-4", "metric": metric, "class": "nine", "runs": 9.0}
    return base | {"value": value, "lower": value - half, "upper": value + half} | keys


def study(values, half=0.05, others=(), metric="kappa_per_depth", **keys):
    """A summary with the endpoint in every arm; values: of the arms."""
    arms = zip(VERDICT_ARMS, values, strict=True)
    rows = [row(in_arm(metric, arm), value, half, **keys) for arm, value in arms]
    return tidy([*rows, row("log_odds_shift_per_depth", 0.01, 0.1, ratio="60-40"), *others])


def judged(summary, endpoint=KAPPA):
    rows = verdict_rows(summary, endpoint)
    return rows, verdict(rows, endpoint)


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        ((0.01, 0.2), "amplifies"),
        ((-0.2, -0.01), "attenuates"),
        ((-0.09, 0.09), "no slope"),
        ((-0.11, 0.05), "open"),
        ((-0.05, 0.11), "open"),
        ((0.0, 0.2), "open"),
        ((-0.2, 0.0), "open"),
        ((-0.1, 0.05), "open"),
        ((-0.05, 0.1), "open"),
        ((np.nan, np.nan), "open"),
    ],
)
def test_an_interval_says_one_of_four_things(limits, word):
    assert decision(*limits, smallest=0.1) == word


@pytest.mark.parametrize(
    ("values", "half", "answer", "words"),
    [
        ([0.2] * 5, 0.05, "amplifies", "kappa changes by 0.2 [0.15, 0.25] a stage"),
        ([-0.2] * 5, 0.05, "attenuates", "attenuates the bias"),
        ([0.0] * 5, 0.05, "no slope", "No slope on depth beyond ± 0.1"),
        ([0.0] * 5, 0.5, "cannot tell", "too wide"),
        ([0.2, 0.2, 0.0, 0.2, 0.2], 0.05, "cannot tell", "failed images decide (all images: ampl"),
    ],
)
def test_a_verdict_needs_all_arms(values, half, answer, words):
    _, found = judged(study(values, half))
    assert found["answer"] == answer
    assert words in found["sentence"]
    assert len(found["arms"]) == 5


def test_the_log_odds_of_the_rarest_class_sink_where_bias_grows():
    endpoint = Endpoint("log_odds_shift_per_depth", "published", "90-10", 0.1)
    metric = endpoint.metric
    for value, answer in ((-0.2, "amplifies"), (0.2, "attenuates")):
        assert (
            judged(study([value] * 5, metric=metric, ratio="90-10"), endpoint)[1]["answer"]
            == answer
        )
    other = Endpoint(metric, "published", "75-25", 0.1)
    assert judged(study([0.2] * 5, metric=metric, ratio="90-10"), other)[1]["answer"] == (
        "cannot tell"
    )


def test_of_many_classes_the_last_is_judged_and_other_series_are_not():
    more = [
        row(in_arm("kappa_per_depth", arm), -0.5, 0.05, **{"class": "six"}) for arm in VERDICT_ARMS
    ]
    more += [row("kappa_per_depth", -0.5, 0.05, architecture="constant-width")]
    rows = pd.concat([tidy(more), study([0.2] * 5)], ignore_index=True)
    rows, found = judged(rows)
    assert found["answer"] == "amplifies"
    assert (rows["role"] == "primary").sum() == 5
    assert (rows["role"] == "other").sum() == 6


def test_a_study_without_slopes_says_what_it_needs():
    rows, found = judged(tidy([row("kappa", 1.0, 0.1)]))
    assert rows.empty
    assert found == {
        "answer": "cannot tell",
        "sentence": "Cannot tell: the study has no such slope: it needs three models and two "
        "depths and two ratios.",
        "arms": {},
    }


def test_an_arm_without_a_slope_is_named():
    rows = study([0.2] * 5)
    rows = rows[rows["metric"] != in_arm("kappa_per_depth", "manifold")]
    answer, told = judged(rows)[1]["answer"], judged(rows)[1]["sentence"]
    assert answer == "cannot tell" and "no slope for images on the manifold" in told
    rows = rows[rows["metric"] != in_arm("kappa_per_depth", "decided")]
    lost = f"{ARMS['decided'].title}, images on the manifold"
    told = f"Cannot tell: no slope for {lost}, as too few images count."
    assert judged(rows)[1]["sentence"] == told


SHIFT = Endpoint("log_odds_shift_per_depth", "published", "90-10", 0.1)


@pytest.mark.parametrize(
    ("values", "half", "sentence"),
    [
        (
            [-0.2] * 5,
            0.1,
            "Depth amplifies the bias: {0} by -0.2 [-0.3, -0.1] {1}, and all arms agree.",
        ),
        (
            [0.2] * 5,
            0.1,
            "Depth attenuates the bias: {0} by 0.2 [0.1, 0.3] {1}, and all arms agree.",
        ),
        (
            [0.0125] * 5,
            0.05,
            "No slope on depth beyond ± 0.1 a stage: {0} by 0.0125 [-0.0375, 0.0625] {1}, "
            "and all arms agree.",
        ),
        (
            [0.0] * 5,
            0.5,
            "Cannot tell: {0} by 0 [-0.5, 0.5] {1}, an interval too wide to tell 0 and ± 0.1 "
            "apart.",
        ),
        (
            [0.2, 0.2, 0.2, 0.0, 0.2],
            0.1,
            "Cannot tell: failed images decide ({arms}); {0} by 0.2 [0.1, 0.3] {1}.",
        ),
    ],
)
def test_what_is_said_of_the_log_odds_is_of_all_images(values, half, sentence):
    summary = study(values, half, metric=SHIFT.metric, ratio="90-10")
    slope, stage = "the minority's log-odds shift changes", "a stage with all images"
    words = ["attenuates", "attenuates", "attenuates", "open", "attenuates"]
    titles = [ARMS[arm].title for arm in VERDICT_ARMS]
    arms = "; ".join(f"{title}: {word}" for title, word in zip(titles, words, strict=True))
    assert judged(summary, SHIFT)[1]["sentence"] == sentence.format(slope, stage, arms=arms)


def test_without_a_slope_of_the_log_odds_no_second_ratio_is_asked_for():
    told = judged(tidy([row("kappa", 1.0, 0.1)]), SHIFT)[1]["sentence"]
    assert told.endswith("no such slope: it needs three models and two depths.")


def test_the_interval_that_is_told_is_that_of_all_images():
    found = judged(study([0.2, 0.3, 0.4, 0.5, 0.6], 0.1))[1]
    assert found["answer"] == "amplifies" and "0.2 [0.1, 0.3] a stage with all" in found["sentence"]


def test_rows_of_each_class_may_come_by_turns():
    rows = [
        row(in_arm("kappa_per_depth", arm), value, 0.05, **{"class": name})
        for arm in VERDICT_ARMS
        for name, value in (("six", -0.5), ("nine", 0.2))
    ]
    found, said = judged(tidy(rows), KAPPA._replace(secondary=()))
    primary = found[found["role"] == "primary"]
    assert said["answer"] == "amplifies" and set(primary["class"]) == {"nine"}
    assert (found.loc[found["role"] != "primary", "decision"] == "").all()


def test_a_secondary_slope_is_named_without_its_embedding():
    others = [row("lpips_per_depth:alex", 0, 1), row("lpips_per_depth:vgg", 0, 1)]
    rows, _ = judged(
        study([0.2] * 5, others=others), KAPPA._replace(secondary=("lpips_per_depth",))
    )
    assert (rows["role"] == "secondary").sum() == 2


def test_slopes_are_read_as_they_were_written(tmp_path):
    named = study([0.2] * 5).assign(**{"class": "09"})  # a name, not a number
    rows = verdict_rows(named, KAPPA)
    write_csv(tmp_path / "a.csv", rows)
    pd.testing.assert_frame_equal(
        read_slopes(tmp_path / "a.csv"), rows.reset_index(drop=True), check_dtype=False
    )
    (tmp_path / "b.csv").write_text("role,metric\n")
    with pytest.raises(
        UserError, match=r"b\.csv: not a table of slopes .*: delete it and run again$"
    ):
        read_slopes(tmp_path / "b.csv")


def test_a_misspelt_secondary_slope_is_refused():
    with pytest.raises(UserError, match="no slope 'lpips_per_dept'; did you mean 'lpips_per_dep"):
        judged(
            study([0.2] * 5, others=[row("lpips_per_depth:alex", 0, 1)]),
            KAPPA._replace(secondary=("lpips_per_dept",)),
        )


def test_p_agrees_with_the_interval_and_with_the_t_test():
    for seed in range(20):
        sample = np.random.default_rng(seed).normal(0.5, 1, 6)
        test = ttest_1samp(sample, 0)
        lower, upper = test.confidence_interval()
        found = p_value(sample.mean(), lower, upper, runs=7)  # 5 degrees of freedom in both
        assert found == pytest.approx(test.pvalue, rel=1e-9)
        assert (found < 0.05) == (lower > 0 or upper < 0)
    for value, limits in ((0.3, (0.1, 0.9)), (-0.3, (-0.9, -0.1)), (1.3, (1.1, 1.9))):
        times = abs(value) / 0.2  # of the half width on the side of 0
        for runs, freedom in ((9, 7), (3, 1)):
            expected = 2 * t.sf(times * t.ppf(0.975, freedom), freedom)
            assert p_value(value, *limits, runs) == pytest.approx(expected)


def test_p_of_an_interval_without_width_warns_of_nothing():
    with np.errstate(all="raise"):
        assert p_value(0.3, 0.3, 0.3, 9) == 0 and np.isnan(p_value(0.0, 0.0, 0.0, 9))
    assert np.isnan(p_value(0.3, np.nan, np.nan, 2))
    assert p_value(0.3, 0.3, 0.3, 9) == 0  # whole numbers that agree leave no width
    assert np.isnan(p_value(0.0, 0.0, 0.0, 9))


def test_holm_and_benjamini_hochberg_by_hand():
    def of(p, ratio, metric):
        """A slope of value 1 with this p at 1e6 runs, where t is normal."""
        from scipy.special import ndtri

        half = ndtri(0.975) / -ndtri(p / 2)
        return row(metric, 1.0, half, ratio=ratio, runs=1e6)

    named = [of(p, f"{i}", "log_odds_shift_per_depth") for i, p in enumerate([0.01, 0.04, 0.03])]
    others = [of(p, f"{i}", "lpips_per_depth:alex") for i, p in enumerate([0.01, 0.02, 0.9])]
    arms = [row(in_arm("kappa_per_depth", arm), 0, 1) for arm in VERDICT_ARMS]
    rows, _ = judged(tidy([*arms, *named, *others, row("lpips_per_depth:vgg", 1, np.nan)]))
    holm = rows[rows["role"] == "secondary"]
    np.testing.assert_allclose(holm["p_corrected"], [0.03, 0.06, 0.06], rtol=1e-4)
    assert set(holm["correction"]) == {"Holm, 3 slopes"}
    other = rows[(rows["role"] == "other") & rows["p"].notna()]
    np.testing.assert_allclose(other["p_corrected"], [0.03, 0.03, 0.9], rtol=1e-4)
    assert set(other["correction"]) == {"Benjamini-Hochberg, 3 slopes"}
    assert (rows.loc[rows["role"] == "primary", "correction"] == "none").all()
    assert rows.loc[rows["metric"] == "lpips_per_depth:vgg", "p_corrected"].isna().all()


def test_only_the_main_sampler_counts():
    other = [row(in_arm("kappa_per_depth", arm), -1, 0.1, sampler="heun-9") for arm in VERDICT_ARMS]
    assert judged(study([0.2] * 5, others=other))[1]["answer"] == "amplifies"


def test_the_detectable_slope_is_found_in_80_of_100_simulations():
    depths, spread = np.repeat([2.0, 3.0, 4.0], 5), 0.3
    slope = detectable_slope(depths, spread)
    rng, centred = np.random.default_rng(0), depths - depths.mean()
    values = slope * depths + rng.normal(0, spread, (20_000, len(depths)))
    found = values @ centred / (centred @ centred)
    left = values - values.mean(axis=1, keepdims=True) - found[:, None] * centred
    error = np.sqrt((left**2).sum(axis=1) / (len(depths) - 2) / (centred @ centred))
    assert np.mean(np.abs(found / error) > 2.1604) == pytest.approx(0.8, abs=0.01)  # t, 13, .975
    shift = slope / spread * np.sqrt(centred @ centred)
    missed = nct.cdf(t.ppf(0.975, 13), 13, shift) - nct.cdf(-t.ppf(0.975, 13), 13, shift)
    assert missed == pytest.approx(0.2)
    assert detectable_slope(depths, 2 * spread) == pytest.approx(2 * slope)
    assert detectable_slope(np.repeat(depths, 4), spread) < slope


def test_power_is_printed_in_one_line_and_impossible_designs_refused(monkeypatch, capsys):
    program(monkeypatch, "power", *["--depths", "2", "3", "4", "--seeds", "5", "--spread", "0.3"])
    slope = detectable_slope(np.repeat([2.0, 3.0, 4.0], 5), 0.3)
    told = f"15 models detect a slope of {slope:.3g} a stage with 80 % power.\n"
    assert capsys.readouterr().out == told
    impossible = ("--depths 2 --seeds 5 --spread 0.3", "--depths 2 3 --seeds 1 --spread 0.3")
    for words in (*impossible, "--depths 2 3 --seeds 5 --spread 0"):
        with pytest.raises(SystemExit):
            program(monkeypatch, "power", *words.split())
        assert "give two depths, three models, and a spread above 0" in capsys.readouterr().err
