"""How often do the intervals cover? The simulations behind docs/statistics.md.

`python tests/coverage_study.py` prints the tables (a few minutes); the tests run small cases of the
same functions.
"""

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from scipy.special import expit, logit, ndtri

from depthbias.data.subsets import Subset
from depthbias.estimates.intervals import from_draws, over_seeds, share_over_seeds
from depthbias.estimates.runs import Run
from depthbias.estimates.slopes import least_squares_slope
from depthbias.measures.amplification import depth_trend, kappa
from depthbias.measures.between_classifiers import share_over_classifiers
from depthbias.measures.class_shares import Instrument, log_odds
from depthbias.measures.label_rows import label_rows
from depthbias.measures.real_mixes import control_rows
from depthbias.measures.samples import Classes, noise_of

CLASSES = ["major", "minor"]


def covers(estimate, truth):
    return estimate.lower <= truth <= estimate.upper


def calibrated(rng, error, images, draws):
    """A classifier wrong with probability `error`, measured on `images` real images a class."""
    wrong = rng.binomial(images, error, 2)
    confusion = np.array([[images - wrong[0], wrong[1]], [wrong[0], images - wrong[1]]])
    return Instrument(CLASSES, confusion, draws)


def classified(rng, share, error, n):
    """Counts [major, minor] among n images with this true share of the minority."""
    minor = rng.binomial(n, share * (1 - error) + (1 - share) * error)
    return np.array([n - minor, minor])


def coverage_of_run(share, n, error, images, replicates, draws=1000):
    """Coverage of the corrected share of one run."""
    rng = np.random.default_rng(0)
    hits = 0
    for replicate in range(replicates):
        instrument = calibrated(rng, error, images, draws)
        values, _, drawn = instrument.correct(classified(rng, share, error, n), str(replicate))
        hits += covers(from_draws(values[1], drawn[:, 1], n), share)
    return hits / replicates


def coverage_over_seeds(seeds, spread, n, error, images, replicates, share=0.1, draws=400):
    """{interval: coverage} of the mean share and log-odds over seeds whose logits vary by `spread`.

    "share" and "shift" are the intervals that are shipped; "percentile share" and "percentile
    shift" those of the plain hierarchical bootstrap (seeds, images and confusion matrix resampled,
    2.5 % and 97.5 % points).
    """
    rng = np.random.default_rng(0)
    mean_share = expit(logit(share) + spread * np.random.default_rng(1).normal(size=10**6)).mean()
    hits = dict.fromkeys(("share", "shift", "percentile share", "percentile shift"), 0)
    for replicate in range(replicates):
        instrument = calibrated(rng, error, images, draws)
        values, drawn = np.empty(seeds), np.empty((seeds, draws))
        for seed, true in enumerate(expit(logit(share) + spread * rng.normal(size=seeds))):
            counts = classified(rng, true, error, n)
            found, _, resampled = instrument.correct(counts, str(replicate), str(seed))
            values[seed], drawn[seed] = found[1], resampled[:, 1]
        odds, drawn_odds = log_odds(values, n), log_odds(drawn, n)
        hits["share"] += covers(share_over_seeds(values, drawn, n * seeds), mean_share)
        hits["shift"] += covers(over_seeds(odds, drawn_odds, n), logit(share))
        chosen = rng.integers(seeds, size=(seeds, draws))
        for name, own, truth in (("share", drawn, mean_share), ("shift", drawn_odds, logit(share))):
            lower, upper = np.quantile(np.take_along_axis(own, chosen, 0).mean(0), [0.025, 0.975])
            hits[f"percentile {name}"] += lower <= truth <= upper
    return {name: count / replicates for name, count in hits.items()}


def coverage_of_trend(depths, seeds, spread, uneven, replicates, n=2000):
    """{interval: coverage} of the slope over depth; `uneven`: spread 0.3 to 1.7 times, by depth.

    "shipped", and "cluster-robust" as statsmodels makes it with clusters of one run (normal
    quantiles).
    """
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    rng = np.random.default_rng(0)
    x = np.repeat(np.array(depths, dtype=float), seeds)
    each = spread * (0.3 + 1.4 * (x - x.min()) / np.ptp(x) if uneven else np.ones(len(x)))
    trained, sizes = np.full(len(x), 0.9), np.full(len(x), n)
    hits = dict.fromkeys(("shipped", "cluster-robust"), 0)
    for _ in range(replicates):
        slope = 0.2
        true = expit(logit(0.9) + slope * (x - x.mean()) + each * rng.normal(size=len(x)))
        shares = rng.binomial(n, true) / n
        still = np.tile(shares[:, None], 2)
        hits["shipped"] += covers(depth_trend(x, trained, shares, still, sizes), slope)
        counts = n * np.stack([shares, 1 - shares], axis=1)
        design = np.stack([np.ones(len(x)), x], axis=1)
        groups = {"groups": np.arange(len(x))}
        fit = GLM(counts, design, family=Binomial()).fit(cov_type="cluster", cov_kwds=groups)
        lower, upper = fit.conf_int()[1]
        hits["cluster-robust"] += lower <= slope <= upper
    return {name: count / replicates for name, count in hits.items()}


def coverage_of_control(ratio, error, mixed, images, replicates, draws=400):
    """Coverage of the corrected share of the minority in mixes of `mixed` real images.

    ratio: [major, minor] in whole numbers; error and images: of the classifier, as in `calibrated`.
    """
    rng, hits = np.random.default_rng(0), 0
    labels = np.repeat([0, 1], ratio)
    subset = Subset(Path(), "mix", "0", tuple(CLASSES), np.arange(sum(ratio)), labels)
    for replicate in range(replicates):
        truth = np.repeat([0, 1], np.array(ratio) * (mixed // sum(ratio)))
        predicted = np.where(rng.random(len(truth)) < error, 1 - truth, truth)
        instrument = calibrated(rng, error, images, draws)
        named = [replace(subset, seed=str(replicate))]
        rows = {
            (row["metric"], row["class"]): row
            for row in control_rows("study", truth, predicted, named, instrument)
        }
        exact, found = rows["share_control", "minor"], rows["share_corrected", "minor"]
        hits += found["lower"] <= exact["value"] <= found["upper"]
    return hits / replicates


def same_noise_labels(rng, shares, n, correlation):
    """Whether image i of each model is of the minority, bool [..., n]; models share the noise.

    shares [...]: of the minority. Latent normals of one noise correlate by `correlation` between
    models (tetrachoric: measured as 0.88 to 0.96 between trained models).
    """
    common, own = rng.normal(size=n), rng.normal(size=(*shares.shape, n))
    latent = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    return latent < ndtri(shares)[..., None]


def resampled_shares(rng, labels, draws):
    """Shares [..., B] by one Bayesian bootstrap of the noises that all models have in common."""
    n = labels.shape[-1]
    weights = rng.exponential(size=(draws, n)).astype(np.float32)
    sums = (labels.reshape(-1, n).astype(np.float32) @ weights.T).reshape(*labels.shape[:-1], -1)
    halves = rng.gamma(0.5, size=(2, *sums.shape))
    return (sums + halves[0]) / (weights.sum(axis=1) + halves.sum(axis=0))


def coverage_of_design(seeds, ratios, n, spread, correlation, replicates, draws=400):
    """{quantity: coverage} in a study of depths 2, 3 and 4 whose models start from the same noise.

    Every model is faithful but for its own `spread` of the log-odds. Share (and with it
    the log-odds shift, its transform) and trend at the first ratio; kappa and its slope on depth
    over all ratios.
    """
    rng, depths = np.random.default_rng(1), np.array([2.0, 3.0, 4.0])
    trained, x = np.array(ratios), np.repeat(depths, seeds)
    wide = np.random.default_rng(2).normal(size=10**6)
    mean_share = expit(logit(trained[0]) + spread * wide).mean()
    hits = dict.fromkeys(("share", "trend", "kappa", "kappa per depth"), 0)
    for _ in range(replicates):
        own = spread * rng.normal(size=(len(trained), len(depths), seeds))
        labels = same_noise_labels(rng, expit(logit(trained)[:, None, None] + own), n, correlation)
        values, drawn = labels.mean(axis=-1), resampled_shares(rng, labels, draws)
        share = share_over_seeds(values[0, 0], drawn[0, 0], n * seeds)
        exponents = kappa(trained, np.moveaxis(values, 0, -1), n)
        resampled = kappa(trained, np.moveaxis(drawn, 0, -1), n)
        at_first = np.full(len(x), trained[0])
        found = {
            "share": (share, mean_share),
            "kappa": (over_seeds(exponents[0], resampled[0], 1), 1),
            "kappa per depth": (
                least_squares_slope(x, exponents.ravel(), resampled.reshape(-1, draws)),
                0,
            ),
            "trend": (
                depth_trend(
                    x,
                    at_first,
                    values[0].ravel(),
                    drawn[0].reshape(-1, draws),
                    np.full(len(x), n),
                ),
                0,
            ),
        }
        for name, (estimate, truth) in found.items():
            hits[name] += covers(estimate, truth)
    return {name: count / replicates for name, count in hits.items()}


DESIGNS = {
    "seeds": (3, 5),
    "ratios": ((0.1, 0.4), (0.1, 0.2, 0.3, 0.4, 0.5)),
    "images": (500, 2000),
    "spread": (0.02, 0.1, 0.3),
    "correlation": (0, 0.9),
}


def coverage_of_classifiers(classifiers, spread, seeds, replicates, n=500, share=0.1, draws=400):
    """{interval: coverage} of the mean share over classifiers whose logits vary by `spread`.

    Seeds vary by 0.1 logits; image i of all is from the same noise. "without": the same interval
    without the spread of classifiers.
    """
    rng = np.random.default_rng(0)
    hits = {"shipped": 0, "without": 0}
    wide = np.random.default_rng(2).normal(0, np.hypot(spread, 0.1), 10**6)
    truth = expit(logit(share) + wide).mean()
    for _ in range(replicates):
        tilt = rng.normal(0, spread, (classifiers, 1)) + rng.normal(0, 0.1, (1, seeds))
        shares = expit(logit(share) + tilt)
        labels = rng.random(n) < shares[..., None]
        values, drawn = labels.mean(axis=2), resampled_shares(rng, labels, draws)
        found = share_over_classifiers(values, drawn, n * seeds, seeds=True)
        hits["shipped"] += covers(found, truth)
        alone = share_over_seeds(values.mean(axis=0), drawn.mean(axis=0), n * seeds)
        hits["without"] += covers(alone, truth)
    return {name: count / replicates for name, count in hits.items()}


def coverage_of_labels(each, seeds, neither, replicates, spread=0.1, share=0.1, n=500, draws=400):
    """{metric: coverage} of shares by hand, `each` images labelled of each stratum.

    A share `neither` of the images is of no class. The classifier errs on 3 % of the minority and
    1 % of the majority, and takes 30 % of the failures for the minority.
    """
    rng = np.random.default_rng(0)
    wide = expit(logit(share) + spread * np.random.default_rng(2).normal(size=10**6)).mean()
    truth = {"share_by_hand": (1 - neither) * wide, "neither": neither}
    truth["share_by_hand_decided"] = wide
    subset = Subset(Path("s"), "90-10", "0", tuple(CLASSES), np.arange(10), np.arange(10) // 9)
    hits = dict.fromkeys(truth, 0)
    for _ in range(replicates):
        own = expit(logit(share) + spread * rng.normal(size=seeds))
        said = same_noise_labels(rng, own, n, 0.9).astype(int)
        said[rng.random(said.shape) < neither] = 2
        minor = rng.random(said.shape) < np.array([0.01, 0.97, 0.3])[said]
        models, counts = [], {}
        for seed, found in enumerate(minor):
            run = Run("s", "90-10", "depth2", str(seed), "ddim-4")
            told = np.stack([~found, found], axis=1).astype(float)
            models.append(Classes(Path("c"), run, noise_of([0], n), tuple(CLASSES), told))
        for k in (0, 1):
            stratum = rng.permutation(said[minor == k])[:each]
            counts["90-10", "depth2", k] = np.bincount(stratum, minlength=3)
        for row in label_rows(Path("l"), models, counts, [subset], draws):
            name = "neither" if row["class"] == "neither" else row["metric"]
            if row["seed"] == "all" and name in truth and row["class"] != "major":
                hits[name] += row["lower"] <= truth[name] <= row["upper"]
    return {name: count / replicates for name, count in hits.items()}


def print_labels(replicates):
    print("labels: labels a stratum, seeds, neither: coverage of share, neither, decided share")
    for each, seeds, neither in product((5, 25, 75), (3, 5), (0.02, 0.2)):
        cells = coverage_of_labels(each, seeds, neither, replicates).values()
        print(each, seeds, neither, *(f"{100 * cell:.1f}" for cell in cells), flush=True)


def print_classifiers(replicates):
    print("classifiers: classifiers, spread, seeds: coverage with and without their spread")
    for classifiers, spread, seeds in product((3, 4), (0.03, 0.1, 0.3), (3, 5)):
        found = coverage_of_classifiers(classifiers, spread, seeds, replicates)
        cells = [f"{100 * cell:.1f}" for cell in found.values()]
        print(classifiers, spread, seeds, *cells, flush=True)


def print_designs(replicates):
    """Coverage of the whole design, models with common noise, cell by cell."""
    print(*DESIGNS, "coverage", sep=", ")
    for seeds, ratios, n, spread, correlation in product(*DESIGNS.values()):
        found = coverage_of_design(seeds, ratios, n, spread, correlation, replicates)
        cells = (f"{name} {100 * value:.1f}" for name, value in found.items())
        print(seeds, len(ratios), n, spread, correlation, *cells, flush=True)


def print_controls(replicates):
    """Coverage of the control, at 90-10 and 60-40."""
    print("control: mixed images, calibration images a class, error: coverage at 90-10, 60-40")
    for mixed, images in ((30, 27), (500, 500)):
        for error in (0.002, 0.01, 0.03):
            cells = [
                coverage_of_control(ratio, error, mixed, images, replicates)
                for ratio in ((9, 1), (6, 4))
            ]
            print(mixed, images, error, *(f"{100 * cell:.1f}" for cell in cells), flush=True)


def main():
    replicates = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print_designs(replicates)
    print_controls(replicates)
    print_classifiers(replicates)
    print_labels(replicates)
    print("one run: images, calibration images a class, error: coverage at p = 0.02, 0.1, 0.4")
    for n in (500, 10_000):
        for images in (27, 100, 500):
            for error in (0.002, 0.01, 0.03):
                cells = [coverage_of_run(p, n, error, images, replicates) for p in (0.02, 0.1, 0.4)]
                print(n, images, error, *(f"{100 * cell:.1f}" for cell in cells), flush=True)
    print("over seeds: seeds, spread, images, calibration images a class, error")
    for case in ((500, 0.003, 27), (500, 0.01, 500), (10_000, 0.01, 500)):
        for seeds in (2, 3, 5, 10):
            for spread in (0.1, 0.3, 0.6):
                found = coverage_over_seeds(seeds, spread, *case, replicates)
                cells = (f"{name} {100 * value:.1f}" for name, value in found.items())
                print(seeds, spread, *case, *cells, flush=True)
    print("trend: depths, seeds, spread, uneven")
    for depths, seeds in (((2, 3, 4), 2), ((2, 3, 4), 3), ((2, 3, 4, 5), 2), ((2, 3, 4, 5, 6), 5)):
        for spread, uneven in ((0.1, False), (0.3, False), (0.3, True)):
            found = coverage_of_trend(depths, seeds, spread, uneven, replicates)
            cells = (f"{name} {100 * value:.1f}" for name, value in found.items())
            print(depths, seeds, spread, uneven, *cells, flush=True)


if __name__ == "__main__":
    main()
