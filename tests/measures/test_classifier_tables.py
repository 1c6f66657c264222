"""Every row about what classifiers find, beside plain loops: what it is of, and its numbers."""

from itertools import product

import numpy as np
import pytest
from scipy.special import logit

from depthbias.estimates.intervals import mixed_share, share_over_seeds, wilson
from depthbias.estimates.runs import Run
from depthbias.estimates.slopes import least_squares_slope
from depthbias.measures.accuracy_rows import accuracy_rows
from depthbias.measures.agreement_rows import agreement_rows
from depthbias.measures.amplification import depth_trend
from depthbias.measures.arms import Shares
from depthbias.measures.between_classifiers import (
    classifier_half_width,
    over_classifiers,
    share_over_classifiers,
    widened,
)
from depthbias.measures.classifier_rows import classifier_rows
from depthbias.measures.opinions import Opinions
from depthbias.measures.samples import noise_of
from depthbias.measures.seen import Seen

NAMES, CLASSES, SAMPLERS, DRAWS = ("a", "b", "c"), ("six", "nine"), ("ddim-4", "heun-4"), 20
NINES = {"90-10": 0.1, "60-40": 0.4, "100-0": 0.0, "0-100": 1.0}
MIXED = ("90-10", "60-40")  # of these alone there is a shift
ABOVE = [("a", "nine", 0.5), ("a", "nine", 0.9), ("c", "nine", 0.5)]
RUNS = [
    Run("s", ratio, architecture, seed, sampler)
    for sampler, seed, architecture, ratio in product(SAMPLERS, "01", ("depth2", "depth3"), NINES)
]
ALONE = Run("s", "90-10", "depth4", "0", "ddim-4")  # one ratio: it has no kappa


def shares(rng, n, count=2):
    values = rng.dirichlet(np.full(count, 3))
    return Shares(values, rng.dirichlet(10 * values + 1, DRAWS), n)


def seen_of(run, place):
    rng, nine = np.random.default_rng(place), NINES[run.ratio]
    outside = 0 if run.seed == "1" else 5  # seed 1 has no image off the manifold
    return Seen(
        run,
        np.array([1 - nine, nine]),
        {name: shares(rng, 40 + place) for name in NAMES},
        {key: shares(rng, 40 + place) for key in ABOVE},
        {"": shares(rng, 40 + place), "_outside:a~b": shares(rng, outside)},
    )


SEEN = [seen_of(run, place) for place, run in enumerate([*RUNS, ALONE])]


def table(rows):
    """{(metric, ratio, architecture, seed, sampler, class, k): numbers}, each row once."""
    found = {}
    for row in rows:
        assert row["study"] == "s"
        names = ("metric", "ratio", "architecture", "seed", "sampler", "class", "k")
        key = tuple(row.get(name) for name in names)
        assert key not in found
        found[key] = tuple(row[name] for name in ("value", "lower", "upper", "n", "runs"))
    return found


def check(rows, expected):
    found = table(rows)
    assert set(found) == set(expected)
    for key, numbers in expected.items():
        assert found[key] == pytest.approx(tuple(numbers), rel=1e-6, nan_ok=True), key


def groups(*names, among=SEEN):
    """{values of the keys: runs}."""
    found = {}
    for one in among:
        found.setdefault(tuple(getattr(one.run, name) for name in names), []).append(one)
    return found


def choices():
    return [("over_classifiers", NAMES), *((f"by:{name}", (name,)) for name in NAMES)]


def arrays(names, members, k):
    values = np.array([[one.shares[name].values[k] for one in members] for name in names])
    draws = [[one.shares[name].draws[:, k] for one in members] for name in names]
    return values, np.array(draws)


def of_shares(members, k, seed):
    """{metric: numbers} of one class in one run, or over seeds."""
    n, runs, trained = sum(one.n for one in members), len(members), members[0].trained[k]
    for ending, names in choices():
        found = share_over_classifiers(*arrays(names, members, k), n, seed == "all")
        yield f"share_{ending}", (*found, runs)
        if 0 < trained < 1:
            shift = logit(np.clip(found[:3], 0.5 / n, 1 - 0.5 / n)) - logit(trained)
            yield f"log_odds_shift_{ending}", (*shift, n, runs)
    if seed == "all":
        means = [np.mean([one.shares[name].values[k] for one in members]) for name in NAMES]
        deviation = np.std(logit(np.clip(means, 0.5 / n, 1 - 0.5 / n)), ddof=1)
        yield "log_odds_classifier_deviation", (deviation, np.nan, np.nan, 3, runs)


def of_slopes(metric, slope, values, draws):
    """{metric: numbers} of a slope on depth by each classifier, and of their mean."""
    each = [slope(*pair) for pair in zip(values, draws, strict=True)]
    spread = classifier_half_width(np.array([one.value for one in each]))
    mean = widened(slope(values.mean(axis=0), draws.mean(axis=0)), spread)
    yield f"{metric}_over_classifiers", (*mean, mean.n)
    for name, found in zip(NAMES, each, strict=True):
        yield f"{metric}_by:{name}", (*found, found.n)


def exponents(sampler, architecture, seed):
    """Kappa by every classifier [C] and its draws [C, B]: the line through both ratios."""
    members = [
        one
        for one in SEEN
        if one.run.ratio in MIXED and one.run[2:] == (architecture, seed, sampler)
    ]
    n, span = min(one.n for one in members), logit(0.4) - logit(0.1)
    values, draws = (logit(np.clip(x, 0.5 / n, 1 - 0.5 / n)) for x in arrays(NAMES, members, 1))
    return (values[:, 1] - values[:, 0]) / span, (draws[:, 1] - draws[:, 0]) / span


def test_shares_shifts_kappa_and_slopes():
    expected = {}
    for (ratio, architecture, sampler), members in groups(
        "ratio", "architecture", "sampler"
    ).items():
        for k, name in enumerate(CLASSES):
            for seed, chosen in (*((one.run.seed, [one]) for one in members), ("all", members)):
                for metric, numbers in of_shares(chosen, k, seed):
                    expected[metric, ratio, architecture, seed, sampler, name, None] = numbers
    for sampler in SAMPLERS:
        kappas = {key: exponents(sampler, *key) for key in product(("depth2", "depth3"), "01")}
        values, draws = (np.stack(part, axis=1) for part in zip(*kappas.values(), strict=True))
        for architecture, seed in product(("depth2", "depth3"), ("0", "1", "all")):
            which = [i for i, key in enumerate(kappas) if key[0] == architecture]
            which = which if seed == "all" else [which[int(seed)]]
            for ending, names in choices():
                rows = [NAMES.index(name) for name in names]
                parts = (part[rows][:, which] for part in (values, draws))
                models = 2 * len(which)
                found = over_classifiers(*parts, models, seed == "all")
                key = (f"kappa_{ending}", "all", architecture, seed, sampler, "nine", None)
                expected[key] = (*found, models)
        depths = np.array([2, 2, 3, 3])
        for metric, numbers in of_slopes(
            "kappa_per_depth", lambda *y, x=depths: least_squares_slope(x, *y), values, draws
        ):
            expected[metric, "all", "published", "all", sampler, "nine", None] = numbers
    for (ratio, sampler), members in groups("ratio", "sampler").items():
        if ratio in MIXED:
            about = [np.array([int(one.run.architecture[-1]) for one in members])]
            about += [np.array([one.trained[1] for one in members])]
            n = np.array([one.n for one in members])
            for metric, numbers in of_slopes(
                "log_odds_shift_per_depth",
                lambda *y, about=about, n=n: depth_trend(*about, *y, n),
                *arrays(NAMES, members, 1),
            ):
                expected[metric, ratio, "published", "all", sampler, "nine", None] = numbers
    check(classifier_rows(SEEN, CLASSES), expected)


def opinions():
    """Of 30 held-out images, b is wrong about some sixes and c about some nines, a about none."""
    truth = np.arange(30) % 3 // 2  # 20 sixes, 10 nines
    sure = np.where(truth, 3.0, -3.0)
    told = np.stack([sure, sure, sure], axis=1)
    told[np.flatnonzero(truth == 0)[:4], 1] *= -1
    told[np.flatnonzero(truth == 1)[:3], 2] = -0.5
    told[np.flatnonzero(truth == 1)[:5], 0] = 1.0  # between the thresholds
    heldout = np.stack([-told, told], axis=2).astype(np.float32)
    noise = noise_of([0], 6)
    log_odds = np.zeros((1, 6, 3, 2), dtype=np.float32)
    return Opinions((ALONE,), NAMES, CLASSES, noise, log_odds, heldout, truth)


def test_agreement_and_thresholds_over_seeds_beside_the_held_out_images():
    expected = {}
    for (ratio, architecture, sampler), members in groups(
        "ratio", "architecture", "sampler"
    ).items():
        about = (ratio, architecture, "all", sampler)
        counted = {("agreement", "", None): [one.agreed[""] for one in members]}
        off = [one.agreed["_outside:a~b"] for one in members if one.run.seed == "0"]
        counted["agreement_outside:a~b", "", None] = off
        for name, label, threshold in ABOVE:
            own = [one.above[name, label, threshold] for one in members]
            counted[f"share_above:{name}", label, threshold] = own
        for (metric, label, k), parts in counted.items():
            values = np.array([part.values[0] for part in parts])
            draws = np.array([part.draws[:, 0] for part in parts])
            found = share_over_seeds(values, draws, sum(part.n for part in parts))
            expected[metric, *about, label, k] = (*found, len(parts))
    for pair, same in {"": 23, ":a~b": 26, ":a~c": 27, ":b~c": 23}.items():
        expected[f"agreement{pair}", "all", "real", "all", "", "", None] = (*wilson(same, 30), 1)
    reached = {("a", 0.5): (0, 10), ("a", 0.9): (0, 5), ("c", 0.5): (0, 7)}  # sixes and nines
    for ratio, nine in NINES.items():
        for (name, k), (sixes, nines) in reached.items():
            both = [wilson(sixes, 20), wilson(nines, 10)]
            found = mixed_share(both, np.array([1 - nine, nine]))
            key = (f"share_above:{name}", ratio, "real", "all", "", "nine", k)
            expected[key] = (*found, 1)
    check(agreement_rows(SEEN, opinions()), expected)


def test_accuracy_and_confusion_are_of_the_true_class():
    expected, counts = {}, {"a": (20, 10), "b": (16, 10), "c": (20, 7)}
    for name, right in counts.items():
        own = [wilson(count, total) for count, total in zip(right, (20, 10), strict=True)]
        metric = f"classifier_accuracy:{name}"
        found = {(metric, label): one for label, one in zip(CLASSES, own, strict=True)}
        found[metric, ""] = mixed_share(own, np.array([0.5, 0.5]))
        for true, total, count in zip(CLASSES, (20, 10), right, strict=True):
            for label in CLASSES:
                taken = count if label == true else total - count
                found[f"classified_as:{name}", f"{true}->{label}"] = wilson(taken, total)
        for (metric, label), one in found.items():
            expected[metric, "all", "real", "all", "", label, None] = (*one, 1)
    check(accuracy_rows("s", opinions()), expected)
