"""What a study was run to answer: a slope on depth named beforehand, and the verdict on it.

The verdict holds in every arm or not at all: all images, decided images, those on the manifold, and
both bounds on failures. That is an intersection-union test, which needs no correction for its five
intervals (Berger, Technometrics 24:295, 1982). All other slopes are corrected for their number.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from depthbias.estimates.arm_names import ARMS, SIGNS, in_arm
from depthbias.estimates.intervals import QUANTILES
from depthbias.estimates.tidy import main_sampler, over_seeds
from depthbias.system.errors import UserError, reading, suggestion

VERDICT_ARMS = [arm for arm in ARMS if arm != "raw"]
ON_DEPTH = "_per_depth", "_per_effective_depth"
COLUMNS = ["role", "metric", "ratio", "architecture", "class", "k", "value", "lower", "upper"]
COLUMNS += ["runs", "p", "correction", "p_corrected", "decision"]
TEXTS = ["role", "metric", "ratio", "architecture", "class", "correction", "decision"]
AMPLIFIES, ATTENUATES, FLAT, OPEN = "amplifies", "attenuates", "no slope", "open"


class Endpoint(NamedTuple):
    """A slope of SIGNS over the architectures of a series, and the smallest one worth knowing.

    ratio: of `log_odds_shift_per_depth`; the exponent kappa is over all of them. secondary: names
    of other slopes.
    """

    metric: str
    series: str
    ratio: str
    smallest: float
    secondary: tuple[str, ...] = ()


def decision(lower: float, upper: float, smallest: float) -> str:
    """What a 95 % interval of a slope, growing with bias, says; `OPEN` where it has none."""
    if lower > 0:
        return AMPLIFIES
    if upper < 0:
        return ATTENUATES
    return FLAT if -smallest < lower and upper < smallest else OPEN


def oriented(row: Mapping[str, float], endpoint: Endpoint) -> tuple[float, float]:
    """(lower, upper) of a row of the endpoint's slope, turned to grow with bias."""
    sign = SIGNS[endpoint.metric]
    lower, upper = sorted([sign * row["lower"], sign * row["upper"]])
    return lower, upper


def p_value(value: float, lower: float, upper: float, runs: float) -> float:
    """Two-sided p of no slope, from the slope's 95 % interval; NaN without one.

    The limit on the side of 0 is taken for that of Student's t with runs - 2 degrees of freedom, so
    p < .05 where the interval leaves out 0.
    """
    width = np.float64(value - lower if value > 0 else upper - value)  # may be 0
    freedom = max(runs - 2, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(2 * stdtr(freedom, -abs(value) / width * stdtrit(freedom, QUANTILES[1])))


def verdict_rows(summary: pd.DataFrame, endpoint: Endpoint) -> pd.DataFrame:
    """Every slope on depth of a study with the main sampler: COLUMNS.

    role: primary (the endpoint in one of VERDICT_ARMS, with its decision), secondary (Holm) or
    other (Benjamini and Hochberg). p_corrected is adjusted within the role; NaN for the primary.
    """
    rows = main_sampler(over_seeds(summary))
    rows = rows[rows["metric"].str.contains("|".join(ON_DEPTH))].copy()
    primary = _of_endpoint(rows, endpoint)
    names = rows["metric"].str.split(":").str[0]
    for name in endpoint.secondary:
        if len(rows) and name not in set(names):
            raise UserError(f"endpoint.secondary: no slope {name!r}{suggestion(name, set(names))}")
    named = names.isin(endpoint.secondary)
    rows["role"] = np.select([primary, named], ["primary", "secondary"], "other")
    estimates = rows[["value", "lower", "upper", "runs"]]
    rows["p"] = [p_value(*estimate) for estimate in estimates.itertuples(index=False)]
    rows["correction"], rows["p_corrected"], rows["decision"] = "none", np.nan, ""
    _correct(rows, "secondary", "Holm", "holm")
    _correct(rows, "other", "Benjamini-Hochberg", "fdr_bh")
    for index, row in rows[primary].iterrows():
        rows.loc[index, "decision"] = decision(*oriented(row, endpoint), endpoint.smallest)
    roles = [rows[rows["role"] == role] for role in ("primary", "secondary", "other")]
    return pd.concat(roles)[COLUMNS]


def read_slopes(path: Path) -> pd.DataFrame:
    """The table of `verdict_rows`, from its file; UserError if it is another table."""
    with reading(path, "not a table of slopes", "delete it and run again"):
        rows = pd.read_csv(path, dtype=dict.fromkeys(TEXTS, str))[COLUMNS]
    return rows.fillna(dict.fromkeys(TEXTS, ""))


def _of_endpoint(rows: pd.DataFrame, endpoint: Endpoint) -> pd.Series:
    """Which rows are the endpoint, in one of VERDICT_ARMS, of the class that is reported last."""
    metrics = [in_arm(endpoint.metric, arm) for arm in VERDICT_ARMS]
    found = reported(rows[rows["metric"].isin(metrics)], endpoint)
    return pd.Series(rows.index.isin(found.index), rows.index)


def _correct(rows: pd.DataFrame, role: str, name: str, method: str) -> None:
    """Adjust the p of a role for their number; those that are NaN are not counted."""
    from statsmodels.stats.multitest import multipletests  # a second of import time

    own = (rows["role"] == role) & rows["p"].notna()
    if own.any():
        rows.loc[own, "correction"] = f"{name}, {own.sum()} slopes"
        rows.loc[own, "p_corrected"] = multipletests(rows.loc[own, "p"], method=method)[1]


def reported(rows: pd.DataFrame, endpoint: Endpoint) -> pd.DataFrame:
    """Rows of slopes that are of the endpoint's series, of its ratio if it has one, and class."""
    found = rows[rows["architecture"] == endpoint.series]
    if endpoint.metric == "log_odds_shift_per_depth":
        found = found[found["ratio"] == endpoint.ratio]
    return found[found["class"].isin(found["class"].tail(1))]


def verdict(rows: pd.DataFrame, endpoint: Endpoint) -> dict[str, Any]:
    """{answer, sentence, arms}: answer is AMPLIFIES, ATTENUATES, FLAT or "cannot tell"."""
    primary = rows[rows["role"] == "primary"]
    arms = {
        ARMS[arm].title: row["decision"]
        for arm in VERDICT_ARMS
        for _, row in primary[primary["metric"] == in_arm(endpoint.metric, arm)].iterrows()
    }
    answer, told = _answer(primary, arms, endpoint)
    return {"answer": answer, "sentence": told, "arms": arms}


def _answer(primary: pd.DataFrame, arms: dict[str, str], endpoint: Endpoint) -> tuple[str, str]:
    found = set(arms.values())
    if missing := [ARMS[arm].title for arm in VERDICT_ARMS if ARMS[arm].title not in arms]:
        if arms:
            lost = ", ".join(missing)
            return "cannot tell", f"Cannot tell: no slope for {lost}, as too few images count."
        reason = "the study has no such slope: it needs three models and two depths"
        needs = " and two ratios" if endpoint.metric == "kappa_per_depth" else ""
        return "cannot tell", f"Cannot tell: {reason}{needs}."
    first = primary[primary["metric"] == endpoint.metric].iloc[0]
    interval = f"{first['value']:.3g} [{first['lower']:.3g}, {first['upper']:.3g}] a stage"
    slope = "kappa" if endpoint.metric == "kappa_per_depth" else "the minority's log-odds shift"
    told = f"{slope} changes by {interval} with all images"
    if len(found) > 1:
        parts = "; ".join(f"{title}: {word}" for title, word in arms.items())
        return "cannot tell", f"Cannot tell: failed images decide ({parts}); {told}."
    word = found.pop()
    if word == OPEN:
        bound = f"0 and ± {endpoint.smallest:g}"
        return "cannot tell", f"Cannot tell: {told}, an interval too wide to tell {bound} apart."
    texts = {
        AMPLIFIES: "Depth amplifies the bias",
        ATTENUATES: "Depth attenuates the bias",
        FLAT: f"No slope on depth beyond ± {endpoint.smallest:g} a stage",
    }
    return word, f"{texts[word]}: {told}, and all arms agree."


def detectable_slope(
    depths: np.ndarray, spread: float, power: float = 0.8, level: float = 0.05
) -> float:
    """The slope on depth that a design finds with this power, in units of the spread's.

    depths [G], one of each model; spread: standard deviation of the value between models of one
    depth. By the noncentral t of least squares with G - 2 degrees of freedom (G > 2).
    """
    from scipy.optimize import brentq
    from scipy.stats import nct

    freedom = len(depths) - 2
    error = spread / float(np.sqrt(((depths - depths.mean()) ** 2).sum()))
    critical = float(stdtrit(freedom, 1 - level / 2))

    def missing(shift: float) -> float:
        inside = nct.cdf([-critical, critical], freedom, shift)
        return 1 - float(np.diff(np.nan_to_num(inside))[0]) - power  # NaN far in the tail: 0

    return float(brentq(missing, 0, 100)) * error
