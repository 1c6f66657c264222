"""The lights and the claims of a page, on made-up summaries."""

import numpy as np
import pytest

from depthbias.estimates.arm_names import in_arm
from depthbias.estimates.endpoints import VERDICT_ARMS, Endpoint, verdict, verdict_rows
from depthbias.estimates.tidy import tidy
from depthbias.measures.manifolds import Manifold
from depthbias.report.claims import judge
from depthbias.report.lights import RULES, lights
from depthbias.report.page import arm_bars

ENDPOINT = Endpoint("kappa_per_depth", "published", "90-10", 0.1, ("log_odds_shift_per_depth",))
MANIFOLD = Manifold(
    (), np.empty((0, 2)), np.empty((0, 0)), np.empty(0), np.empty(0), 5, "pixels", ()
)


def row(metric, value, half=np.nan, **keys):
    base = {"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "all"}
    base |= {"sampler": "ddim-4", "metric": metric, "class": "", "runs": 9.0}
    return base | {"value": value, "lower": value - half, "upper": value + half} | keys


def slope(metric, value, half=0.05, **keys):
    return row(metric, value, half, **{"architecture": "published", "class": "nine"} | keys)


def arms(value, half=0.05):
    return [slope(in_arm("kappa_per_depth", arm), value, half, ratio="all") for arm in VERDICT_ARMS]


def light(key, rows):
    return {one.key: one for one in lights(tidy(rows), ENDPOINT, MANIFOLD)}[key]


def depths(*values):
    names = ("depth2", "depth3", "depth4")
    return [
        row("effective_depth", value, architecture=name, seed=str(seed))
        for name, value in zip(names, values, strict=False)
        for seed in (0, 1)
    ]


def losses(*values):
    return [
        row("heldout_loss", value, architecture=name, sampler="")
        for name, value in zip(("depth2", "depth3"), values, strict=True)
    ]


def precision(held_out, *values):
    rows = [row("precision:pixels", held_out, architecture="real", seed="", sampler="", k=5)]
    names = ("depth2", "depth3")
    return rows + [
        row("precision:pixels", value, architecture=name, k=5)
        for name, value in zip(names, values, strict=True)
    ]


def control(missed, mixes=10):
    keys = [{"architecture": "real", "seed": str(seed), "class": "nine"} for seed in range(mixes)]
    rows = [row("share_control", 0.1, sampler="", **key) for key in keys]
    off = [0.02 if seed < missed else 0.0 for seed in range(mixes)]
    pairs = zip(off, keys, strict=True)
    return rows + [row("share_corrected", 0.1 + d, 0.01, sampler="", **k) for d, k in pairs]


def classifiers(agreement, *values):
    rows = [
        slope(f"kappa_per_depth_by:{number}", value, ratio="all")
        for number, value in enumerate(values)
    ]
    return [*rows, row("agreement", agreement)]


def models(spread):
    names = ("depth2", "depth3", "depth4")
    return [
        row("kappa", 1 + sign * spread, architecture=name, seed=str(seed), ratio="all", **NINE)
        for name in names
        for seed, sign in enumerate((-1, 0, 1))
    ]


NINE = {"class": "nine"}


@pytest.mark.parametrize(
    ("key", "rows", "state", "words"),
    [
        ("depth", depths(2, 3, 4), "holds", "smallest rise is 1.00 a stage"),
        ("depth", depths(2, 3, 3.5), "doubtful", "0.50 a stage, at depth4"),
        ("depth", depths(2, 3, 3), "fails", "depth2 2.0, depth3 3.0, depth4 3.0"),
        ("depth", depths(2), "not measured", "does not measure"),
        ("convergence", losses(1.0, 1.1), "holds", "depth3 has 10 % more"),
        ("convergence", losses(1.2, 1.0), "doubtful", "depth2 has 20 % more"),
        ("convergence", losses(1.0, 1.3), "fails", "30 %"),
        ("quality", precision(0.93, 0.9, 0.88), "holds", "88 % of the images of depth3"),
        ("quality", precision(0.93, 0.8, 0.9), "doubtful", "80 % of the images of depth2"),
        ("quality", precision(0.93, 0.9, 0.7), "fails", "of held-out images 93 % do"),
        ("control", control(1), "holds", "1 of 10 mixes"),
        ("control", control(2), "doubtful", "difference is 2.0 points"),
        ("control", control(3), "fails", "3 of 10"),
        ("classifiers", classifiers(0.96, 0.3, 0.2), "holds", "2 of 2 classifiers"),
        ("classifiers", classifiers(0.96, 0.3, 0.0), "doubtful", "1 of 2 classifiers"),
        ("classifiers", classifiers(0.90, 0.3, 0.2), "doubtful", "agree on 90 %"),
        ("classifiers", classifiers(0.80, 0.3, 0.2), "fails", "agree on 80 %"),
        ("classifiers", classifiers(0.99, 0.3, -0.3), "fails", "1 of 2"),
        ("power", models(0.05), "holds", "9 models with a spread of 0.05"),
        ("power", models(0.1), "doubtful", "0.1 is worth knowing"),
        ("power", models(0.5), "fails", "4 of 5 such studies"),
        ("power", models(0.1)[:2], "not measured", "does not measure"),
    ],
)
def test_a_light_follows_its_thresholds(key, rows, state, words):
    found = light(key, rows)
    assert found.state == state
    assert words in found.told
    assert (found.figure == RULES[key].figure) == (state != "not measured")


def test_only_the_series_of_the_endpoint_counts():
    other = [row("heldout_loss", 9.0, architecture="depth2-large", sampler="")]
    assert light("convergence", [*losses(1.0, 1.0), *other]).state == "holds"


def test_a_light_looks_at_the_main_sampler():
    worse = [one | {"sampler": "heun-9", "value": 0.1} for one in precision(0.93, 0.9, 0.9)[1:]]
    assert light("quality", [*precision(0.93, 0.9, 0.9), *worse]).state == "holds"


def judged(rows):
    summary = tidy(rows)
    slopes = verdict_rows(summary, ENDPOINT)
    found = judge(summary, slopes, verdict(slopes, ENDPOINT), ENDPOINT)
    return {one.key: one for one in found}


def named(rows):
    """Rows with the slope that ENDPOINT names as secondary."""
    return [*rows, slope("log_odds_shift_per_depth", 0.01)]


@pytest.mark.parametrize(
    ("value", "half", "word"),
    [
        (0.3, 0.05, "supported"),
        (-0.3, 0.05, "contradicted"),
        (0.0, 0.05, "not seen: no slope"),
        (0.3, 0.5, "open: cannot tell"),
    ],
)
def test_the_claim_on_bias_is_the_verdict(value, half, word):
    assert judged(named(arms(value, half)))["bias"].verdict == word


def lpips(*values, half=0.05):
    ratios = ("90-10", "60-40")
    return [
        slope("lpips_per_depth:alex", value, half, ratio=ratio, **{"class": ""})
        for value, ratio in zip(values, ratios, strict=False)
    ]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((0.5, 0.5), "supported"),
        ((-0.5, -0.5), "contradicted"),
        ((0.5, 0.0), "supported in 1 of 2, the rest open"),
        ((0.5, -0.5), "mixed: 1 as claimed, 1 the opposite, of 2"),
        ((0.0, 0.0), "open: no slope is told apart from 0"),
        ((0.5,), "supported"),
    ],
)
def test_a_claim_counts_what_its_slopes_say(values, word):
    found = judged(named([*arms(0.3), *lpips(*values)]))["diversity"]
    assert found.verdict == word
    assert len(found.lines) == len(values)
    assert "22.91 at depth2, 29.12 at depth6" in found.claim.published


def test_a_slope_that_does_not_survive_the_correction_is_open():
    many = [slope(f"lpips_within_per_depth:{i}", 0.0) for i in range(40)]
    barely = lpips(0.5, half=0.49)
    assert judged(named([*arms(0.3), *barely]))["diversity"].verdict == "supported"
    found = judged(named([*arms(0.3), *barely, *many]))["diversity"]
    assert found.verdict == "open: not told apart from 0"
    assert found.lines[0].says == "open, after the correction"


def test_neighbours_are_the_nearest_ones_and_the_sign_follows_the_measure():
    rows = [
        slope("nn_cosine_per_depth:sscd", -0.2, k=1),
        slope("nn_distance_per_depth:pixels", 9.0, k=1),
        slope("nn_distance_per_depth:pixels", -9.0, k=5),
    ]
    found = judged(named([*arms(0.3), *rows]))["neighbours"]
    assert found.verdict == "supported" and len(found.lines) == 2


def errors(gaussian, delta, half=0.1):
    keys = {"class": "middle", "sampler": ""}
    pairs = (("gaussian", gaussian), ("delta", delta))
    return [row(f"score_error:{name}", value, half, **keys) for name, value in pairs]


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        (errors(1.0, 2.0), "supported"),
        (errors(2.0, 1.0), "contradicted"),
        (errors(1.0, 1.1), "open: not told apart from 0"),
        (errors(1.0, 2.0, np.nan), "open: not told apart from 0"),
    ],
)
def test_linearity_compares_two_denoisers(rows, word):
    assert judged(named([*arms(0.3), *rows]))["linearity"].verdict == word


def test_an_estimate_has_three_digits_and_says_what_it_is():
    [line] = judged(named([*arms(0.3), *lpips(0.5, half=12.3)]))["diversity"].lines
    assert line.name.startswith("perceptual distance of two images (alex), a stage, trained on")
    assert line.estimate == "0.5 [-11.8, 12.8]"


def test_a_study_of_one_ratio_is_judged_by_its_log_odds():
    endpoint = Endpoint("log_odds_shift_per_depth", "published", "natural", 0.1)
    rows = [one | {"metric": "log_odds_shift", "ratio": "natural"} for one in models(0.05)]
    metric = endpoint.metric
    rows += [slope(in_arm(metric, a), -0.3, ratio="natural") for a in VERDICT_ARMS]
    summary = tidy(rows)
    slopes = verdict_rows(summary, endpoint)
    found = judge(summary, slopes, verdict(slopes, endpoint), endpoint)
    assert [(one.key, one.verdict) for one in found] == [("bias", "supported")]
    told = {one.key: one.state for one in lights(summary, endpoint, MANIFOLD)}
    assert told["power"] == "holds" and told["quality"] == "not measured"
    scale = arm_bars(slopes, endpoint)
    assert not scale.rising and len(scale.bars) == 5
    for bar in scale.bars:
        assert 0 <= bar.lower < bar.value < bar.upper < scale.zero < scale.far <= 100
    assert scale.zero - scale.near == pytest.approx(scale.far - scale.zero, abs=0.02)


def test_an_arm_without_a_slope_is_shown_as_such():
    rows = [one for one in arms(0.3) if not one["metric"].endswith("_manifold")]
    scale = arm_bars(verdict_rows(tidy(named(rows)), ENDPOINT), ENDPOINT)
    said = [(bar.estimate, bar.says, bar.value is None) for bar in scale.bars]
    assert said[2] == ("-", "no slope", True)
    assert set(said[:2] + said[3:]) == {("0.300 [0.250, 0.350]", "amplifies", False)}


def test_a_study_without_slopes_has_no_claim_and_no_light():
    summary = tidy([row("share_raw", 0.1)])
    assert (
        judge(summary, verdict_rows(summary, ENDPOINT), {"answer": "cannot tell"}, ENDPOINT) == []
    )
    assert {one.state for one in lights(summary, ENDPOINT, MANIFOLD)} == {"not measured"}
