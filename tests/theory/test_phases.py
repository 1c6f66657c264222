"""Score matching learns subspaces; phase diagrams and their boundary."""

import numpy as np
import pandas as pd
import pytest
import torch

from depthbias.estimates.tidy import tidy
from depthbias.system.errors import UserError
from depthbias.theory.molrg import draw_bases, draw_points, posterior_mean
from depthbias.theory.phase_rows import boundary, phase_rows
from depthbias.theory.phases import Grid, Phase, measure_phases
from depthbias.theory.recovery import bases_of, principal_basis, projector_error
from depthbias.theory.subspace_denoiser import denoising_loss, learn_bases

SPACE = 24


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_one_learned_subspace_is_that_of_pca():
    points = draw_points(draw_bases(4, SPACE, [3], generator()), 8, generator(1))[:, 0]
    start = torch.randn(4, 1, SPACE, 3, generator=generator(2))
    learned = learn_bases(points, torch.full((4,), 8), start, generator(3))
    assert projector_error(learned, principal_basis(points[:, None], 3)).max() < 1e-3


def two_subspaces(count):
    """Points of four trials of two subspaces of dimension 3, and the true bases."""
    bases = draw_bases(4, SPACE, [3, 3], generator())
    return draw_points(bases, count, generator(1)).flatten(1, 2), bases


def test_learning_lowers_the_loss_and_stays_orthonormal():
    points, _ = two_subspaces(8)
    counts = torch.full((4,), 16)
    start = torch.linalg.qr(torch.randn(4, 2, SPACE, 3, generator=generator(2)).double())[0]
    learned = learn_bases(points, counts, start, generator(3), steps=60)
    before, after = (denoising_loss(points, counts, b, generator(4)) for b in (start, learned))
    assert (after < 0.7 * before).all()
    torch.testing.assert_close(learned.mT @ learned, torch.eye(3).double().expand(4, 2, 3, 3))


def test_the_true_subspaces_stay_where_they_are():
    points, bases = two_subspaces(12)
    learned = learn_bases(points, torch.full((4,), 24), bases, generator(3))
    assert projector_error(learned, bases).max() < 0.15


def test_points_beyond_the_count_of_a_run_are_not_looked_at():
    points, bases = two_subspaces(6)
    counts = torch.tensor([12, 12, 6, 6])
    other = points.clone()
    other[2:, 6:] = 99.0
    ends = [learn_bases(p, counts, bases, generator(3), steps=5) for p in (points, other)]
    assert torch.equal(*ends)
    losses = [denoising_loss(p, counts, bases, generator(3)) for p in (points, other)]
    assert torch.equal(*losses)


def test_the_loss_of_one_subspace_is_that_of_the_closed_form():
    """E|U U^T (x + s e) / (1 + s^2) - x|^2 = (s^4 |x|^2 + s^2 d) / (1 + s^2)^2 for x in U."""
    bases = draw_bases(1, SPACE, [3], generator())
    points = draw_points(bases, SPACE, generator(1))[:, 0]
    levels = 0.05 * (0.3 / 0.05) ** ((torch.arange(20).double() + 0.5) / 20)
    mean = points.square().sum(-1).mean()
    squares = levels**2
    expected = ((squares**2 * mean + 3 * squares) / (1 + squares) ** 2).mean()
    found = denoising_loss(points, torch.tensor([SPACE]), bases, generator(2))
    torch.testing.assert_close(found, expected[None], rtol=1e-5, atol=0)


@pytest.fixture(scope="module")
def phases():
    grid = Grid(SPACE, [2, 3], points=6, trials=4, starts=6, seed=0)
    return {(p.method, p.classes, p.dimension): p for p in measure_phases(grid, [1, 2])}


@pytest.mark.parametrize(
    ("method", "classes", "more"), [("pca", 1, 0), ("spectral", 2, 0), ("k-subspaces", 2, 1)]
)
def test_the_boundary_is_where_theory_says(phases, method, classes, more):
    for dimension in (2, 3):
        found = boundary(phases[method, classes, dimension].error)
        assert (found == dimension + more).all()


def test_a_learned_denoiser_nears_the_posterior_mean_where_it_recovers(phases):
    for classes in (1, 2):
        phase = phases["denoiser", classes, 3]
        assert (phase.error[:2] > 0.5).all() and (phase.error[-1] < 0.5).all()
        assert phase.denoising[0].min() > 0.3 and phase.denoising[-1].max() < 0.02


def test_equal_seeds_give_equal_phases(phases):
    again = measure_phases(Grid(SPACE, [2, 3], points=6, trials=4, starts=6, seed=0), [1])
    for phase in again:
        first = phases[phase.method, 1, phase.dimension]
        assert np.array_equal(first.error, phase.error)


def test_the_boundary_counts_the_last_failure():
    errors = np.array([[1.0, 0, 1, 0.5], [0, 0, 1, 0.6], [0, 1, 1, 0.5]])
    assert boundary(errors).tolist() == [2, 4, 4, 3]


def test_rows_hold_shares_and_the_boundary_over_trials():
    fewest = {2: [2, 3], 4: [4, 7]}  # slopes 1 and 2; excess 0 and 2
    made = []
    for dimension, counts in fewest.items():
        errors = np.array([[float(n < least) for least in counts] for n in range(1, 8)])
        made.append(Phase("pca", 1, dimension, errors))
    rows = tidy(pd.DataFrame(phase_rows(made))).set_index(["metric", "class", "k"])
    cell = rows.loc[("molrg_recovered:pca", "1x4", 4)]
    assert cell.value == 0.5 and cell.n == 2 and 0 < cell.lower < 0.5 < cell.upper < 1
    assert rows.loc[("molrg_boundary:pca", "1x", 4)].value == 5.5
    for metric, mean in {"molrg_slope:pca": 1.5, "molrg_excess:pca": 1.0}.items():
        row = rows.loc[metric].iloc[0]
        half = 12.7062 * {"molrg_slope:pca": 0.5, "molrg_excess:pca": 1.0}[metric]
        assert row.value == pytest.approx(mean) and row.upper - mean == pytest.approx(half, 1e-4)


def test_the_denoising_error_has_no_negative_limit():
    errors, gaps = np.zeros((1, 3)), np.array([[0.0, 0.0, 0.3]])
    rows = pd.DataFrame(phase_rows([Phase("denoiser", 1, 2, errors, gaps)])).set_index("metric")
    assert rows.loc["molrg_denoising:denoiser"].lower == 0
    assert rows.loc["molrg_denoising:denoiser"].value == pytest.approx(0.1)
    assert "molrg_slope:denoiser" not in rows.index


def test_subspaces_that_do_not_fit_are_refused_before_anything_runs():
    grid = Grid(7, [2, 4], points=3, trials=1, starts=2, seed=0)
    with pytest.raises(UserError, match="together 8, but the space has 7"):
        next(measure_phases(grid, [1, 2]))


def test_a_posterior_of_equal_classes_is_the_same_for_bases_in_another_order():
    points, bases = two_subspaces(2)
    found = [posterior_mean(points, 0.4, b) for b in (bases, bases.flip(1))]
    torch.testing.assert_close(*found)


def test_bases_of_labels_ignore_the_points_of_other_labels():
    points, bases = two_subspaces(5)
    labels = torch.arange(2).repeat_interleave(5).expand(4, 10)
    assert projector_error(bases_of(points, labels, 2, 3), bases).max() < 1e-6
