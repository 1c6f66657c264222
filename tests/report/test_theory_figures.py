"""Figures of the theory bench: what they draw of rows, and what is left out by name."""

import numpy as np
import pandas as pd
import pytest
import torch

from depthbias.estimates.runs import Run, as_json
from depthbias.estimates.tidy import tidy
from depthbias.measures.structure_files import Structure
from depthbias.report.editing_figures import KINDS, PROPERTIES, plot_edits, read_edits
from depthbias.report.style import save
from depthbias.report.theory_figures import FIGURES
from depthbias.system.errors import UserError
from depthbias.system.files import write_npz
from depthbias.theory.editing import SHOWN
from depthbias.theory.landscape_rows import Discrete, Images, energy_rows, merging_rows
from depthbias.theory.model_rows import model_rows
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


def made_up(part, names):
    """Rows of depths 2 and 3 and two seeds at three levels: about half the depth in hundredths."""
    runs = []
    for depth, seed in ((2, 0), (2, 1), (3, 0), (3, 1)):
        noise = np.random.default_rng(seed).normal(size=(3, 4)) / 1000
        values = {name: depth / 200 + noise + place / 10 for place, name in enumerate(names)}
        run = Run("s", "90-10", f"depth{depth}", str(seed))
        runs.append(Structure(run, np.array([0.05, 1.0, 40.0]), values))
    return tidy(model_rows(part, runs))


@pytest.fixture(scope="module")
def jacobian():
    kinds = [f"local_{n}:{k}" for n in ("norm", "cosine", "error") for k in ("leading", "random")]
    steps = [f"{name}@{strength}" for name in kinds for strength in (5, 20)]
    plain = ["jacobian_rank", "jacobian_rank:gaussian", "jacobian_asymmetry"]
    return made_up("jacobian", [*plain, *steps])


@pytest.fixture(scope="module")
def edits():
    kinds = [f"edit_{name}:{kind}" for name in PROPERTIES for kind in KINDS]
    return made_up("editing", [f"{name}@{strength}" for name in kinds for strength in (5, 40)])


def test_the_rank_stands_beside_that_of_the_gaussian(jacobian):
    left, right = FIGURES["rank"](jacobian, []).axes
    (reference,) = [line for line in left.lines if line.get_linestyle() == ":"]
    assert np.allclose(reference.get_ydata(), 0.1 + 0.0125, atol=0.002)  # of both depths
    assert left.get_ylim() == (0, 1.03) and right.get_yscale() == "log"
    assert len([line for line in right.lines if line.get_marker() in "os"]) == 2


def test_rank_asymmetry_and_error_stand_against_depth(jacobian):
    axes = FIGURES["rank-depth"](jacobian, []).axes
    assert len(axes) == 9 and axes[0].get_ylabel() == "rank ratio"
    assert axes[2].get_title() == "high noise (20 to 80)"


def test_local_linearity_is_that_of_the_deepest_network_by_level(jacobian):
    figure = FIGURES["local"](jacobian, [])
    assert "depth3" in figure.legends[0].get_title().get_text()
    assert [text.get_text() for text in figure.legends[0].get_texts()][1] == r"$\sigma$ = 1"
    error = figure.axes[2]  # three levels, and the line at 0
    lines = [line for line in error.lines if line.get_marker() == "o"]
    assert error.get_title() == "error of the change" and error.get_ylim()[0] < 0
    assert np.allclose(lines[0].get_ydata(), [1.115, 1.215], atol=0.003)


def test_properties_of_edits_have_a_row_a_level_and_a_line_a_kind(edits):
    figure = FIGURES["edit-properties"](edits, [])
    assert len(figure.axes) == 3 * len(PROPERTIES)
    assert [axes.get_title() for axes in figure.axes[: len(PROPERTIES)]] == [*PROPERTIES]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*KINDS.values()]


@pytest.mark.parametrize("name", ["rank", "local", "edit-properties"])
def test_rows_without_a_model_are_refused_in_one_line(landscape, name):
    with pytest.raises(UserError) as error:
        FIGURES[name](landscape, [])
    assert "\n" not in str(error.value)


def edited(folder, name, **other):
    """One run whose LOCO edit whitens the first row of every image."""
    pictures = np.full((3, len(SHOWN), 2, 4, 4, 1), 100, np.uint8)
    pictures[:, SHOWN.index("loco"), :, 0] = 255
    content = {
        "run": as_json(Run("s", "90-10", name, "0")),
        "sigmas": np.array([0.5, 1.0, 2.0]),
        "shown": np.array(SHOWN),
        "pictures": pictures,
        "region": np.array([[0, 2], [0, 4]]),
        "strength": np.array(40),
    }
    write_npz(folder / f"{name}.npz", content | other)
    return folder / f"{name}.npz"


def test_pictures_of_edits_show_the_change_and_the_region(tmp_path):
    runs = read_edits([edited(tmp_path, "depth3"), edited(tmp_path, "depth2")])
    assert [run.run.architecture for run in runs] == ["depth2", "depth3"] and runs[0].sigma == 1
    (axes,) = plot_edits(runs).axes
    assert len(axes.images) == 4 * 10 and len(axes.patches) == 4 * 10
    change = axes.images[3].get_array()
    assert change[0].tolist() == [155.0] * 4 and not change[1:].any()
    assert axes.patches[0].get_height() == 0.5 and axes.patches[0].get_width() == 1


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"strength": np.array(20)}, "another study, ratio, seed or edit"),
        ({"pictures": np.zeros((2, 6, 2, 4, 4, 1), np.uint8)}, "holds no edits or is damaged"),
    ],
)
def test_pictures_that_do_not_fit_are_refused_in_one_line(tmp_path, other, words):
    paths = [edited(tmp_path, "depth2"), edited(tmp_path, "depth3", **other)]
    with pytest.raises(UserError, match=words):
        read_edits(paths)
