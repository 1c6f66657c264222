"""Figures of the theory bench: what they draw of rows, and what is left out by name."""

import numpy as np
import pandas as pd
import pytest
import torch

from depthbias.estimates.tidy import tidy
from depthbias.report.style import save
from depthbias.report.theory_figures import FIGURES
from depthbias.system.errors import UserError
from depthbias.theory.landscape_rows import Discrete, Images, energy_rows, merging_rows
from depthbias.theory.phase_rows import phase_rows
from depthbias.theory.phases import Phase


@pytest.fixture(scope="module")
def landscape():
    discrete = Discrete(["60-40", "90-10"], [2, 3], minima=30, landscapes=20, seed=0)
    points = torch.tensor([[0.0, 0], [0.3, 0], [3, 0], [3.4, 0]])
    images = Images("50-50", points, torch.tensor([False, False, True, True]))
    return tidy([*merging_rows(discrete), *energy_rows([images], [0.1, 0.5, 4.0], 0)])


def phase(method, classes, dimension, more):
    """Six N and three trials, which recover from d + more on."""
    fewest = np.array([dimension + more, dimension + more, dimension])
    error = (np.arange(1, 7)[:, None] < fewest).astype(float)
    return Phase(method, classes, dimension, error, error / 2 if method == "denoiser" else None)


@pytest.fixture(scope="module")
def molrg():
    kinds = [("pca", 1), ("denoiser", 1), ("spectral", 2), ("k-subspaces", 2), ("denoiser", 2)]
    made = [phase(*kind, d, kind[0] == "denoiser") for kind in kinds for d in (2, 3)]
    return tidy(phase_rows(made))


def measured(depths):
    """A summary with a kappa for each depth."""
    run = {"study": "s", "ratio": "all", "sampler": "ddim-4", "metric": "kappa", "class": "nine"}
    value = {"value": 1.2, "lower": -0.5, "upper": 6.0, "n": 4, "seed": "all"}
    return pd.DataFrame(tidy([run | value | {"architecture": f"depth{d}"} for d in depths]))


@pytest.mark.parametrize("name", ["merging", "laws", "surface", "energy"])
def test_figures_of_landscapes_are_drawn(landscape, name, tmp_path):
    save(FIGURES[name](landscape, []), [tmp_path / "figure.png"])
    assert (tmp_path / "figure.png").stat().st_size > 5000


@pytest.mark.parametrize("name", ["phases", "boundary"])
def test_figures_of_molrg_are_drawn(molrg, name, tmp_path):
    save(FIGURES[name](molrg, []), [tmp_path / "figure.png"])
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_merging_draws_the_laws_and_the_simulation(landscape):
    pairs, threes = FIGURES["merging"](landscape, []).axes
    assert [axes.get_title() for axes in (pairs, threes)] == ["groups of 2", "groups of 3"]
    heights = [line.get_ydata() for line in threes.lines if line.get_marker() == "None"]
    assert np.allclose(heights[0][:2], [0.4, 0.352]) and np.allclose(heights[1][1], 8 / 35)


def test_kappa_of_studies_stands_beside_the_laws_and_bars_fit(landscape):
    laws, beside = FIGURES["laws"](landscape, [measured([2, 3])]).axes
    assert beside.get_title() == "study s" and beside.get_ylim()[0] < -0.5
    assert beside.get_ylim()[1] > 6
    across = {round(float(line.get_ydata()[0]), 3) for line in beside.lines[:4]}
    assert {1.0, 2.0, 3.0} < across and laws.get_yscale() == "log"


def test_without_a_study_its_panel_is_left_out_by_name(landscape):
    figure = FIGURES["laws"](landscape, [])
    assert len(figure.axes) == 1
    assert "kappa_of names no study" in figure.legends[0].get_title().get_text()


def test_a_study_without_kappa_is_refused_in_one_line(landscape):
    none = measured([2]).assign(metric="recall")
    with pytest.raises(UserError, match="no kappa"):
        FIGURES["laws"](landscape, [none])


def test_phase_diagrams_show_shares_and_the_boundary(molrg):
    axes = {a.get_title(): a for a in FIGURES["phases"](molrg, []).axes if a.get_visible()}
    assert {"K = 1: PCA", "K = 2: K-subspaces", "K = 2: learned denoiser"} <= axes.keys()
    shares = axes["K = 1: learned denoiser"].images[0].get_array()
    assert np.allclose(shares[:, 0], [0, 1 / 3, 1, 1, 1, 1])
    assert axes["K = 1: PCA"].lines[1].get_ydata().tolist() == [2, 3]


def test_the_boundary_stands_inside_its_panel(molrg):
    left = FIGURES["boundary"](molrg, []).axes[0]
    assert left.get_xlim() == pytest.approx((1.4, 3.8)) and left.get_ylim()[1] > 1.6
    drawn = {tuple(line.get_ydata()) for line in left.lines if len(line.get_xdata()) == 2}
    assert (0.0, 0.0) in drawn and any(np.allclose(y, [2 / 3, 2 / 3]) for y in drawn)
