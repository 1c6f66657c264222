"""Same-noise transitions: what a deeper model makes of the noise of image i."""

import numpy as np


def transition_counts(before: np.ndarray, after: np.ndarray, classes: int) -> np.ndarray:
    """int [K, K]: images of class i by one model, j by the other; before, after int [N]."""
    return np.bincount(before * classes + after, minlength=classes**2).reshape(classes, classes)


def equal_margins(table: np.ndarray) -> float:
    """p-value that both models make the same proportions, from the transition counts [K, K].

    Two classes: McNemar's exact test. More: the Stuart-Maxwell chi-square d' V^+ d with d the
    differences of the margins. V is the Laplacian of the graph whose weights are n_ij + n_ji; the
    pseudo-inverse and its rank also hold where classes never change place (statsmodels' SquareTable
    fails there). 1 if no image changed class.
    """
    from scipy.special import chdtrc

    if len(table) == 2:
        from statsmodels.stats.contingency_tables import mcnemar

        return float(mcnemar(table, exact=True).pvalue)
    weights = table + table.T  # the diagonal cancels in the next line
    laplacian = np.diag(weights.sum(axis=0)) - weights
    rank = int(np.linalg.matrix_rank(laplacian, hermitian=True))
    if rank == 0:
        return 1.0
    difference = table.sum(axis=1) - table.sum(axis=0)
    statistic = difference @ np.linalg.pinv(laplacian, hermitian=True) @ difference
    return float(chdtrc(rank, statistic))
