"""What the papers claim that a study can speak to, with the study's verdict and published numbers.

A claim about depth is judged by slopes on depth, each corrected for its number (verdict.csv).
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from depthbias.estimates.endpoints import AMPLIFIES, ATTENUATES, FLAT, Endpoint
from depthbias.estimates.tidy import main_sampler, models, of, over_seeds
from depthbias.report.cells import PARTS, cell
from depthbias.report.names import ratio_title
from depthbias.report.published import LPIPS_X100, NEAREST_COSINE, SOURCE, male_slope

AGREES, DISAGREES, OPEN = "as claimed", "the opposite", "open"
CORRECTED = "open, after the correction"
WORDS = {
    "log_odds_shift_per_depth": "log-odds shift",
    "kappa_per_depth": "kappa",
    "lpips_per_depth": "perceptual distance of two images",
    "nn_cosine_per_depth": "cosine with the nearest training image",
    "nn_distance_per_depth": "distance to the nearest training image",
    "attack_auc_per_depth": "area under the ROC curve of an attack",
    "class_variance_sets_per_depth": "variance of the class between training sets",
    "class_bias_per_depth": "bias² of the class",
}
SUPPORTED, CONTRADICTED, MIXED = "supported", "contradicted", "mixed"
NONE_PUBLISHED = "No number is published."
LEVEL = 0.05


class Claim(NamedTuple):
    """slopes: {metric: its sign if the claim holds}; figure: that shows it; published: in words."""

    title: str
    text: str
    slopes: Mapping[str, int]
    figure: str
    published: str


class Line(NamedTuple):
    """One number that a claim is judged by: what it is, the estimate, what it says."""

    name: str
    estimate: str
    says: str


class Judged(NamedTuple):
    """A claim with its verdict and the numbers behind it."""

    key: str
    claim: Claim
    verdict: str
    lines: list[Line]


def _of(values: Mapping[str, float], unit: str) -> str:
    first, last = next(iter(values)), list(values)[-1]
    return f"{SOURCE}, CelebA: {unit} {values[first]:g} at {first}, {values[last]:g} at {last}."


CLAIMS = {
    "bias": Claim(
        "Bias",
        "A deeper model amplifies the bias of its training data.",
        {"log_odds_shift_per_depth": -1, "kappa_per_depth": 1},
        "kappa",
        f"{SOURCE}, CelebA: the log-odds of the minority (male) change by {male_slope():.3f} a "
        "stage (least squares on its Table 2). arXiv 2506.09106 finds that small shifts can be the "
        "classifier's.",
    ),
    "diversity": Claim(
        "Diversity",
        "The images of a deeper model are more diverse.",
        {"lpips_per_depth": 1},
        "diversity",
        _of(LPIPS_X100, "100 LPIPS is"),
    ),
    "neighbours": Claim(
        "Neighbours",
        "The images of a shallower model are nearer to its training images.",
        {"nn_cosine_per_depth": -1, "nn_distance_per_depth": 1},
        "neighbors",
        _of({name: row[0] for name, row in NEAREST_COSINE.items()}, "the cosine is"),
    ),
    "membership": Claim(
        "Membership",
        "A shallower model gives more of its training images away.",
        {"attack_auc_per_depth": -1},
        "membership",
        NONE_PUBLISHED,
    ),
    "variance": Claim(
        "Variance",
        "Depth acts as more neighbours do: the class that comes back from noise varies less, and "
        "is more biased.",
        {"class_variance_sets_per_depth": -1, "class_bias_per_depth": 1},
        "bias-variance",
        f"{SOURCE} has a sketch (Fig. 1). {NONE_PUBLISHED}",
    ),
    "linearity": Claim(
        "Linearity",
        "A model that generalises is nearer to the Gaussian denoiser of its training images than "
        "to one that has memorised them (multi-delta).",
        {},
        "score-errors",
        f"arXiv 2410.24060 shows it in figures (Fig. 2). {NONE_PUBLISHED}",
    ),
}


def judge(
    summary: pd.DataFrame, slopes: pd.DataFrame, verdict: Mapping[str, Any], endpoint: Endpoint
) -> list[Judged]:
    """The claims that a study has numbers for.

    slopes: `verdict_rows` of the summary; verdict: its answer, which decides on bias.
    """
    judged = []
    for key, claim in CLAIMS.items():
        found = list(
            _linearity(summary) if key == "linearity" else _slopes(slopes, claim, endpoint)
        )
        if found:
            word = _bias(verdict["answer"]) if key == "bias" else _verdict([x.says for x in found])
            judged.append(Judged(key, claim, word, found))
    return judged


def _bias(answer: str) -> str:
    words = {AMPLIFIES: SUPPORTED, ATTENUATES: CONTRADICTED, FLAT: "not seen: no slope"}
    return words.get(answer, "open: cannot tell")


def _verdict(says: list[str]) -> str:
    """One word for what several numbers say, with how many of them."""
    agree, disagree, total = says.count(AGREES), says.count(DISAGREES), len(says)
    if agree and disagree:
        return f"{MIXED}: {agree} {AGREES}, {disagree} {DISAGREES}, of {total}"
    if not agree and not disagree:
        return "open: no slope is told apart from 0" if total > 1 else "open: not told apart from 0"
    word, count = (SUPPORTED, agree) if agree else (CONTRADICTED, disagree)
    return word if count == total else f"{word} in {count} of {total}, the rest open"


def _slopes(slopes: pd.DataFrame, claim: Claim, endpoint: Endpoint) -> Iterator[Line]:
    """Slopes of the endpoint's series in all embeddings and ratios, of the nearest neighbour."""
    names = slopes["metric"].str.split(":").str[0]
    rows = slopes[names.isin(claim.slopes) & (slopes["architecture"] == endpoint.series)]
    rows = rows[rows["value"].notna() & (rows["k"].isna() | (rows["k"] == rows["k"].min()))]
    rows = rows[~rows["metric"].str.endswith(":generated")]  # bias and variance without an image
    for _, row in rows.iterrows():
        name, _, kind = row["metric"].partition(":")
        about = ", ".join(part for part in (kind, row["class"]) if part)
        title = f"{WORDS[name]} ({about}), a stage, {ratio_title(row['ratio'])}"
        yield Line(title, _estimate(row), _says(row, claim.slopes[name]))


def _estimate(row: Mapping[str, float]) -> str:
    """An estimate with three significant digits of its largest number."""
    largest = max((abs(row[part]) for part in PARTS[:3] if np.isfinite(row[part])), default=0)
    return cell(row, digits=max(0, 2 - math.floor(math.log10(largest))) if largest else 0)


def _says(row: pd.Series, sign: int) -> str:
    """What one slope says about a claim, after the correction for how many slopes there are.

    The endpoint itself was named beforehand, so its interval alone decides.
    """
    p = row["p"] if row["role"] == "primary" else row["p_corrected"]
    if not p < LEVEL:
        return CORRECTED if row["p"] < LEVEL else OPEN
    return AGREES if sign * row["value"] > 0 else DISAGREES


def _linearity(summary: pd.DataFrame) -> Iterator[Line]:
    """At middle noise levels: is the Gaussian nearer than the multi-delta, intervals apart?"""
    rows = over_seeds(models(main_sampler(summary)))
    rows = rows[(rows["class"] == "middle") & rows["sigma"].isna()]
    keys = ["ratio", "architecture"]
    delta = of(rows, "score_error:delta").set_index(keys)
    for _, row in of(rows, "score_error:gaussian").iterrows():
        key = row["ratio"], row["architecture"]
        if key in delta.index:
            other = delta.loc[key]
            says = AGREES if row["upper"] < other["lower"] else OPEN
            says = DISAGREES if other["upper"] < row["lower"] else says
            text = f"{_estimate(row)} against {_estimate(other)}"
            yield Line(f"distance to Gaussian, to multi-delta: {', '.join(key[::-1])}", text, says)
