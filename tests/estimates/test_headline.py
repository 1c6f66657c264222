"""The headline numbers: which rows of a summary they are, and how they are nested."""

import numpy as np
import pytest

from depthbias.estimates.arm_names import ARMS
from depthbias.estimates.headline import headline, nested, shares
from depthbias.estimates.tidy import tidy

RUN = {"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "all"}
RUN |= {"sampler": "ddim-4", "class": "", "lower": 0.0, "upper": 1.0, "n": 10}


def row(metric, value=0.5, **keys):
    return RUN | {"metric": metric, "value": value} | keys


def chosen(*rows):
    """(metric, class, k, value) of the headline of a table."""
    found = headline(tidy(rows))[["metric", "class", "k", "value"]]
    return [tuple(r) for r in found.fillna(0).itertuples(index=False)]


@pytest.mark.parametrize(
    "keys",
    [
        {"seed": "0"},
        {"seed": "0~1"},
        {"architecture": "real"},
        {"architecture": "train"},
        {"architecture": "depth2~depth3"},
        {"sampler": "heun-9"},
        {"value": np.nan},
    ],
)
def test_only_models_over_seeds_with_the_main_sampler(keys):
    """The main sampler is the first of the table."""
    assert chosen(row("lpips:alex", 1.0), row("lpips:alex", **{"value": 2.0} | keys)) == [
        ("lpips:alex", "", 0, 1.0)
    ]


def test_rows_without_a_sampler_stay():
    assert len(chosen(row("linearity", **{"class": "middle", "k": 45, "sampler": ""}))) == 1


def test_the_metrics_and_their_order():
    amplification = ("kappa", "kappa_per_depth", "log_odds_shift_per_depth")
    names = ["share_corrected", "undecidable_share", "failed_share"]
    for metric in amplification:
        for arm in ARMS:
            names.append(f"{metric}_{arm}" if arm else metric)
    names += ["lpips", "lpips_per_depth"]
    for measure in ("nn_distance", "nn_cosine"):
        names += [measure, f"{measure}_per_depth"]
    names += ["memorised_share", "kid"]
    middle = [row(name, k=45, **{"class": "middle"}) for name in ("linearity_per_depth",)]
    middle += [row("linearity", k=45, **{"class": "middle"})]
    table = [*middle, *(row(name, k=1) for name in reversed(names)), row("recall")]
    found = [metric for metric, _, _, _ in chosen(*table)]
    assert found == [*names, "linearity", "linearity_per_depth"]


@pytest.mark.parametrize("metric", ["nn_distance:pixels", "nn_cosine:sscd"])
def test_the_smallest_k_of_all_images(metric):
    rows = [row(metric, k, k=k) for k in (5.0, 3.0)]
    rows += [row(metric, 9.0, k=3.0, **{"class": "six"})]
    assert chosen(*rows) == [(metric, "", 3.0, 3.0)]
    slopes = f"{metric.partition(':')[0]}_per_depth:pixels"
    assert chosen(*(row(slopes, k, k=k) for k in (5.0, 3.0))) == [(slopes, "", 3.0, 3.0)]


@pytest.mark.parametrize("metric", ["memorised_share:pixels", "kid:pixels"])
def test_all_images_where_classes_are_left_out(metric):
    assert chosen(row(metric), row(metric, 0.9, **{"class": "six"})) == [(metric, "", 0, 0.5)]


@pytest.mark.parametrize("metric", ["linearity", "linearity_per_depth"])
def test_linearity_at_middle_noise_and_45_degrees(metric):
    several = [row(metric, k=k, **{"class": name}) for k in (15, 45) for name in ("low", "middle")]
    assert chosen(*several) == [(metric, "middle", 45, 0.5)]


def test_shares_of_every_class_stay_and_are_nested_by_it():
    rows = [
        row("share_corrected", 0.8, **{"class": "six"}),
        row("share_corrected", 0.2, **{"class": "nine"}),
        row("share_corrected", 0.3, ratio="60-40", architecture="depth3", **{"class": "nine"}),
        row("lpips:alex", 0.1),
        row("lpips:alex", 0.4, architecture="depth3"),
        row("linearity", 0.9, k=45, **{"class": "middle"}),
        row("lpips:vgg", 0.7, **{"class": "six"}),
    ]
    assert nested(headline(tidy(rows))) == {
        "share_corrected": {
            "90-10": {"depth2": {"six": 0.8, "nine": 0.2}},
            "60-40": {"depth3": {"nine": 0.3}},
        },
        "lpips:alex": {"90-10": {"depth2": 0.1, "depth3": 0.4}},
        "lpips:vgg": {"90-10": {"depth2": {"six": 0.7}}},
        "linearity": {"90-10": {"depth2": 0.9}},  # its class is a regime of noise: always the same
    }


def test_shares_are_drawn_with_their_limits():
    rows = [
        row("share_corrected", 0.8, lower=0.7, upper=0.9, **{"class": "six"}),
        row("lpips:alex"),
        row("share_corrected", 0.2, lower=0.1, upper=0.3, ratio="60-40", **{"class": "nine"}),
    ]
    found = shares(headline(tidy(rows)))
    assert list(found.columns) == ["estimate", "share", "lower", "upper"]
    assert [tuple(r) for r in found.itertuples(index=False)] == [
        ("90-10 depth2 six", 0.8, 0.7, 0.9),
        ("60-40 depth2 nine", 0.2, 0.1, 0.3),
    ]
