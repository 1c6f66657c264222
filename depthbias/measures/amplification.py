"""How training proportions are amplified: the exponent kappa over ratios, the trend over depth."""

import warnings

import numpy as np
from scipy.special import logit

from depthbias.estimates.intervals import (
    Estimate,
    combined,
    independent_share,
    student_half_width,
)
from depthbias.estimates.slopes import cr3_error, intercept_weights, slope_weights
from depthbias.measures.class_shares import log_odds


def kappa(trained: np.ndarray, generated: np.ndarray, n: int) -> np.ndarray:
    """Amplification exponent: slope of logit p_generated on logit p_trained over R ratios.

    trained [R] in (0, 1), at least two different; generated [..., R] shares among n images. [BIAS]
    Theorem 2: the odds after merging are a power of the odds before; 1 is faithful, above 1
    amplifies.
    """
    return log_odds(generated, n) @ slope_weights(logit(trained))


def kappa_intercept(trained: np.ndarray, generated: np.ndarray, n: int) -> np.ndarray:
    """logit p_generated at p_trained = 1/2 on the line whose slope is kappa; 0 in Theorem 2.

    It is what failed images and the classifier's own tilt add: kappa = 1 beside another intercept
    is not faithful.
    """
    return log_odds(generated, n) @ intercept_weights(logit(trained))


def depth_trend(
    depths: np.ndarray, trained: np.ndarray, shares: np.ndarray, draws: np.ndarray, n: np.ndarray
) -> Estimate:
    """Slope of the log-odds shift on depth (logits a stage) over G runs of n [G] images.

    Binomial GLM of the corrected shares [G] with logit link and offset logit trained [G]. A run is
    a cluster; its images are one binomial count, so clusters are observations. Errors: the
    residuals over 1 - leverage (CR3, which has the best coverage for few clusters;
    docs/statistics.md) with Student's t of G - 2 degrees of freedom, combined with the draws [G, B]
    of the shares (linearised): all runs share one confusion matrix and start from the same noise.
    """
    from statsmodels.genmod.families import Binomial  # a second of import time
    from statsmodels.genmod.generalized_linear_model import GLM

    design = np.stack([np.ones(len(depths)), depths], axis=1)
    shares = np.clip(shares, 0.5 / n, 1 - 0.5 / n)
    counts = n[:, None] * np.stack([shares, 1 - shares], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the fit is exact, as it is for two runs
        fit = GLM(counts, design, family=Binomial(), offset=logit(trained)).fit()
    bread, leverage = fit.normalized_cov_params, fit.get_hat_matrix_diag()
    # statsmodels silently gives HC0 for a GLM's cov_type="HC3", hence by hand.
    residuals = n * (shares - fit.fittedvalues)
    half_width = student_half_width(
        cr3_error((bread @ design.T)[1], residuals, leverage), len(depths) - 2
    )
    weights = n * fit.fittedvalues * (1 - fit.fittedvalues)
    slope_of_logits = (bread @ design.T * weights)[1]
    slope = float(fit.params[1])
    errors = log_odds(draws, n[:, None]) - logit(shares)[:, None]
    independent = independent_share(errors, slope_of_logits, design)
    return combined(slope, half_width, slope + slope_of_logits @ errors, len(depths), independent)
