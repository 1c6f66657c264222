"""A result that means nothing says so where it is read."""

import pandas as pd
import pytest

from depthbias.estimates.tidy import tidy
from depthbias.report.doubts import doubts
from depthbias.report.registry import draw, table

NOTHING = "class shares mean nothing"
LITTLE = "class shares mean little"
ONE_SEED = "One training seed: no interval holds how much trainings differ."


def summary(undecidable, failed=None, seeds=("0", "1"), sampler="dpmpp-20"):
    """Two ratios, with a share of undecidable and of failed images for each architecture."""
    rows = []
    for ratio in ("90-10", "60-40"):
        for name, share in undecidable.items():
            run = {"study": "s", "ratio": ratio, "architecture": name, "sampler": sampler}
            for seed in (*seeds, "all"):
                shares = {"undecidable_share": share, "failed_share": (failed or undecidable)[name]}
                for metric, value in shares.items():
                    rows.append(run | {"seed": seed, "metric": metric, "value": value, "n": 40})
                for label, value in (("six", 0.9), ("nine", 0.1)):
                    of = {"class": label, "seed": seed, "n": 40}
                    for metric in ("share_corrected", "share_train"):
                        rows.append(run | of | {"metric": metric, "value": value})
                    rows.append(run | of | {"metric": "log_odds_shift", "value": value})
    ends = {"lower": 0.05, "upper": 0.95}
    return pd.DataFrame(tidy([ends | row for row in rows]))


@pytest.mark.parametrize(
    ("undecidable", "failed", "words"),
    [
        ({"depth2": 0.1, "depth3": 0.2}, None, []),
        ({"depth2": 0.99, "depth3": 1.0}, None, [f"undecidable: {NOTHING}."]),
        (
            {"depth2": 0.1, "depth3": 0.2},
            {"depth2": 1.0, "depth3": 0.97},
            [f"undecidable or off the manifold of real images: {NOTHING}."],
        ),
        (
            {"depth2": 0.1, "depth3": 0.73},
            None,
            [
                f"At {ratio}, 73 % of the images of depth3 are undecidable: {LITTLE}."
                for ratio in ("90-10", "60-40")
            ],
        ),
        (
            {"depth2": 0.5, "depth3": 0.73},
            None,
            [
                f"At {ratio}, 50 to 73 % of the images of depth2, depth3 are undecidable: {LITTLE}."
                for ratio in ("90-10", "60-40")
            ],
        ),
        (
            {"depth2": 0.1, "depth3": 0.2},
            {"depth2": 0.1, "depth3": 0.6},
            [
                f"At {ratio}, 60 % of the images of depth3 are undecidable or off the manifold"
                for ratio in ("90-10", "60-40")
            ],
        ),
    ],
    ids=["few", "all undecidable", "all failed", "one model", "all models", "failed"],
)
def test_shares_that_mean_little_are_told(undecidable, failed, words):
    told = doubts(summary(undecidable, failed))
    assert len(told) == len(words)
    for sentence, word in zip(told, words, strict=True):
        assert word in sentence


def test_other_samplers_are_left_out():
    both = pd.concat(
        [summary({"depth2": 0.1}), summary({"depth2": 1.0}, sampler="ddim-10")], ignore_index=True
    )
    assert doubts(both) == []


@pytest.mark.parametrize("share", [0.1, 0.99])
def test_one_seed_is_told(share):
    told = doubts(summary({"depth2": share, "depth3": share}, seeds=["0"]))
    assert told[-1] == ONE_SEED and len(told) == 1 + (share > 0.5)


def test_it_stands_in_tables_and_figures():
    rows = summary({"depth2": 0.99, "depth3": 0.99}, seeds=["0"])
    title, _, sections = table("proportions", rows, {})
    assert sections[0].note.startswith("Nearly all images of all models are undecidable: ")
    assert ONE_SEED in sections[0].note and "proportions" in title.lower()
    for name in ("proportions", "kappa"):
        [legend] = draw(name, rows, {}).legends
        text = " ".join(legend.get_title().get_text().split())
        assert NOTHING in text and ONE_SEED in text
    sound = summary({"depth2": 0.1, "depth3": 0.1})
    assert "class shares" not in table("proportions", sound, {})[2][0].note
