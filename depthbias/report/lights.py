"""What a verdict rests on, as lights: each a number, its threshold, and whether that is met.

The thresholds are ours. docs/verdict.md gives the reasons for them.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from depthbias.diffusion.architectures import ARCHITECTURES, get_architecture
from depthbias.diffusion.brought import SERIES as BROUGHT
from depthbias.estimates.endpoints import (
    AMPLIFIES,
    ATTENUATES,
    Endpoint,
    decision,
    detectable_slope,
    oriented,
    reported,
)
from depthbias.estimates.runs import ordered_architectures
from depthbias.estimates.tidy import main_sampler, models, of, over_seeds, real, single_seeds
from depthbias.measures.effective_depths import effective_depths
from depthbias.measures.manifolds import Manifold

HOLDS, DOUBTFUL, FAILS, UNKNOWN = "holds", "doubtful", "fails", "not measured"


class Study(NamedTuple):
    """What the lights look at: the main sampler's rows of a summary, and the study's endpoint."""

    summary: pd.DataFrame
    endpoint: Endpoint
    manifold: Manifold

    def series(self, rows: pd.DataFrame) -> list[str]:
        """The architectures of the endpoint's series in some rows, by depth."""
        if self.endpoint.series == BROUGHT:  # an audit: all of its subjects
            return ordered_architectures(set(rows["architecture"]))
        named = ordered_architectures(set(rows["architecture"]) & set(ARCHITECTURES))
        return [name for name in named if get_architecture(name).series == self.endpoint.series]


class Found(NamedTuple):
    """badness: 0 is perfect, compared with the thresholds of a light; told: it in a sentence."""

    badness: float
    told: str


class Light(NamedTuple):
    """key: of its rule in RULES; state: HOLDS, DOUBTFUL, FAILS or UNKNOWN; told: the number."""

    key: str
    title: str
    state: str
    told: str
    rule: str
    figure: str


class Rule(NamedTuple):
    """A light holds while the badness is at most `good`, and is doubtful at most at `bad`.

    text: both thresholds in words; figure: that shows the number; measure: None if it has no rows.
    """

    title: str
    measure: Callable[[Study], Found | None]
    good: float
    bad: float
    text: str
    figure: str


def _depth(study: Study) -> Found | None:
    depths = effective_depths(study.summary)
    names = [a for a in study.series(study.summary) if a in depths]
    if len(names) < 2:
        return None
    rises = {
        deep: (depths[deep] - depths[flat]) / (_stages(deep) - _stages(flat))
        for flat, deep in pairwise(names)
    }
    least = min(rises, key=rises.__getitem__)
    told = ", ".join(f"{name} {depths[name]:.1f}" for name in names)
    words = (
        f"Effective depths: {told}. The smallest rise is {rises[least]:.2f} a stage, at {least}."
    )
    return Found(1 - rises[least], words)


def _stages(name: str) -> int:
    return get_architecture(name).stages


def _convergence(study: Study) -> Found | None:
    losses = over_seeds(models(of(study.summary, "heldout_loss")))
    losses = losses[losses["sigma"].isna() & losses["architecture"].isin(study.series(losses))]
    worst, told = -1.0, ""
    for ratio, rows in losses.groupby("ratio", sort=False):
        excess = rows["value"].max() / rows["value"].min() - 1
        if len(rows) > 1 and excess > worst:
            name = rows.loc[rows["value"].idxmax(), "architecture"]
            worst = excess
            told = f"At {ratio}, {name} has {_percent(excess)} more held-out loss than the best."
    return Found(worst, told) if told else None


def _quality(study: Study) -> Found | None:
    rows = of(
        study.summary, f"precision:{study.manifold.embedding}", class_name="", k=study.manifold.k
    )
    expected = real(rows).groupby("ratio")["value"].mean()
    made = over_seeds(models(rows))
    made = made[made["architecture"].isin(study.series(made)) & made["ratio"].isin(expected.index)]
    if made.empty:
        return None
    gaps = made["ratio"].map(expected) - made["value"]
    worst = made.loc[gaps.idxmax()]
    told = (
        f"At {worst['ratio']}, {_percent(worst['value'])} of the images of {worst['architecture']} "
        f"lie on the manifold; of held-out images {_percent(expected[worst['ratio']])} do."
    )
    return Found(float(gaps.max()), told)


def _control(study: Study) -> Found | None:
    rows, keys = real(study.summary), ["ratio", "seed", "class"]
    own = of(rows, "share_control")[[*keys, "value"]]
    found = of(rows, "share_corrected").merge(own, on=keys, suffixes=("", "_true"))
    found = found[found["lower"].notna()]
    if found.empty:
        return None
    true = found["value_true"]
    missed = (found["lower"] > true + 1e-9) | (true > found["upper"] + 1e-9)
    mixes = missed.groupby([found["ratio"], found["seed"]]).any()
    off = (found["value"] - true).abs().max()
    told = (
        f"{int(mixes.sum())} of {len(mixes)} mixes of real images miss their own share; the "
        f"largest difference is {100 * off:.1f} points."
    )
    return Found(float(mixes.mean()), told)


def _classifiers(study: Study) -> Found | None:
    slopes = over_seeds(of(study.summary, f"{study.endpoint.metric}_by"))
    words = [
        decision(*oriented(row, study.endpoint), study.endpoint.smallest)
        for _, row in reported(slopes, study.endpoint).iterrows()
    ]
    agreed = over_seeds(models(of(study.summary, "agreement")))
    agreed = agreed[agreed["metric"] == "agreement"]
    if not words or agreed.empty:
        return None
    worst = agreed.loc[agreed["value"].idxmin()]
    badness = max(0.0, 0.95 - worst["value"]) * 10  # .85 is 1
    if len(set(words)) > 1:
        badness = max(badness, 2.0 if {AMPLIFIES, ATTENUATES} <= set(words) else 1.0)
    same = max(map(words.count, words))
    told = (
        f"{same} of {len(words)} classifiers lead to the same answer. They agree on "
        f"{_percent(worst['value'])} of the images of {worst['architecture']} at {worst['ratio']}."
    )
    return Found(badness, told)


def _power(study: Study) -> Found | None:
    metric = study.endpoint.metric.removesuffix("_per_depth")
    rows = single_seeds(models(of(study.summary, metric)))
    rows = rows[(rows["metric"] == metric) & rows["architecture"].isin(study.series(rows))]
    if metric == "log_odds_shift":
        rows = rows[rows["ratio"] == study.endpoint.ratio]
    rows = rows[rows["class"].isin(rows["class"].tail(1))]
    groups = [group["value"].to_numpy() for _, group in rows.groupby("architecture")]
    freedom = sum(len(group) - 1 for group in groups)
    if len(groups) < 2 or len(rows) < 3 or freedom < 1:
        return None
    spread = np.sqrt(sum(((g - g.mean()) ** 2).sum() for g in groups) / freedom)
    if not spread:
        return None
    depths = rows["architecture"].map(_stages).to_numpy(dtype=float)
    slope = detectable_slope(depths, float(spread))
    told = (
        f"{len(rows)} models with a spread of {spread:.2g} find a slope of {slope:.2g} a stage in "
        f"4 of 5 such studies; {study.endpoint.smallest:g} is worth knowing."
    )
    return Found(slope / study.endpoint.smallest, told)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


RULES = {
    "depth": Rule(
        "Effective depth",
        _depth,
        0.2,
        0.7,
        "Holds while every stage adds at least 0.8 to the effective depth; fails below 0.3.",
        "depth-use",
    ),
    "convergence": Rule(
        "Convergence",
        _convergence,
        0.10,
        0.25,
        "Holds while no architecture has over 10 % more held-out loss than the best; fails above "
        "25 %.",
        "convergence",
    ),
    "quality": Rule(
        "Quality",
        _quality,
        0.05,
        0.15,
        "Holds while precision is at most 0.05 below that of held-out images; fails 0.15 below.",
        "quality",
    ),
    "control": Rule(
        "Control",
        _control,
        0.10,
        0.25,
        "Real images mixed at the training ratio must come out at it. Holds up to 10 % of mixes "
        "missed (5 % are expected); fails above 25 %.",
        "proportions",
    ),
    "classifiers": Rule(
        "Classifiers",
        _classifiers,
        0.0,
        1.0,
        "Holds while all lead to one answer and agree on 95 % of the images; fails if two lead to "
        "opposite answers, or below 85 %.",
        "thresholds",
    ),
    "power": Rule(
        "Power",
        _power,
        1.0,
        2.0,
        "Holds while a slope worth knowing would be found in 4 of 5 such studies; fails if only "
        "one over twice as large would.",
        "kappa",
    ),
}


def audit_lights(summary: pd.DataFrame, endpoint: Endpoint, manifold: Manifold) -> list[Light]:
    """The lights that need no depth; of an endpoint whose series is BROUGHT."""
    study = Study(summary, endpoint, manifold)
    return [_light(key, RULES[key], RULES[key].measure(study)) for key in ("quality", "control")]


def lights(summary: pd.DataFrame, endpoint: Endpoint, manifold: Manifold) -> list[Light]:
    """All lights of a study, in the order of RULES."""
    study = Study(main_sampler(summary), endpoint, manifold)
    return [_light(key, rule, rule.measure(study)) for key, rule in RULES.items()]


def _light(key: str, rule: Rule, found: Found | None) -> Light:
    if found is None:
        return Light(key, rule.title, UNKNOWN, "The study does not measure it.", rule.text, "")
    state = HOLDS if found.badness <= rule.good + 1e-9 else FAILS
    if state == FAILS and found.badness <= rule.bad + 1e-9:
        state = DOUBTFUL
    return Light(key, rule.title, state, found.told, rule.text, rule.figure)
