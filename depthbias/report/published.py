"""What "Deeper Diffusion Models Amplify Bias" (arXiv 2505.17560) published, to stand beside ours.

Resolution, epochs, batch size, learning rate and sampler behind them are not published.
"""

import numpy as np
from scipy.special import logit

from depthbias.estimates.slopes import slope_weights

SOURCE = "arXiv 2505.17560"

# Table A: parameters with 3 channels in and out.
PARAMETERS = {
    "depth2": 1_002_883,
    "depth2-large": 15_930_883,
    "depth3": 3_692_867,
    "depth4": 3_859_203,
    "depth5": 16_887_619,
    "depth6": 27_290_691,
}

# Table 2: CelebA, share of each class in percent among 10,000 generated images a model.
CELEBA_TRAINING = {"male": 41.68, "female": 58.32}
CELEBA_GENERATED = {
    "male": dict(zip(PARAMETERS, (40.33, 40.85, 39.18, 37.22, 30.36, 28.85), strict=True)),
    "female": dict(zip(PARAMETERS, (59.67, 59.15, 60.82, 62.78, 69.64, 71.15), strict=True)),
}


def male_log_odds_shifts() -> dict[str, float]:
    """logit of the published share minus that of the training data, for the minority, male."""
    trained = logit(CELEBA_TRAINING["male"] / 100)
    return {
        name: float(logit(share / 100) - trained)
        for name, share in CELEBA_GENERATED["male"].items()
    }


def male_slope() -> float:
    """Least-squares slope of these on depth, logits a stage, without depth2-large."""
    shifts = {k: v for k, v in male_log_odds_shifts().items() if not k.endswith("-large")}
    depths = np.array([float(name.removeprefix("depth")) for name in shifts])
    return float(slope_weights(depths) @ np.array(list(shifts.values())))


# Mean LPIPS x 100 over pairs of generated images.
LPIPS_X100 = dict(zip(PARAMETERS, (22.91, 23.26, 23.17, 25.65, 28.03, 29.12), strict=True))

# Similarity of generated to nearest training images (CelebA). The headings of the four columns are
# lost, so they are columns 1 to 4 and no particular k.
NEAREST_COSINE = {
    "depth3": (0.8751, 0.8612, 0.8567, 0.8543),
    "depth4": (0.8644, 0.8541, 0.8506, 0.8420),
    "depth5": (0.8428, 0.8355, 0.8277, 0.8265),
    "depth6": (0.8142, 0.8112, 0.8056, 0.8016),
}
NEAREST_EUCLIDEAN = {
    "depth3": (97.78, 99.89, 113.01, 116.14),
    "depth4": (106.15, 106.25, 113.11, 115.03),
    "depth5": (106.62, 106.87, 107.25, 117.01),
    "depth6": (121.41, 121.84, 129.91, 143.05),
}
