"""The programs behind bypass and watermark on the models of a tiny study, and their figures."""

import pytest
from conftest import program

from depthbias.estimates.runs import ALL
from depthbias.estimates.tidy import of, read_rows
from depthbias.report.style import save
from depthbias.report.theory_figures import FIGURES

RUN = "results/tiny/90-10/{}/seed{}/{}"


@pytest.fixture(scope="module")
def bypassed(tiny, tmp_path_factory):
    """Rows of the bypass of four models of the tiny study."""
    runs = [(depth, seed) for depth in ("depth2", "depth3") for seed in (0, 1)]
    output = tmp_path_factory.mktemp("bypass") / "bypass.csv"
    with pytest.MonkeyPatch.context() as patch:
        program(
            patch,
            "measure_bypass",
            *["--models", *(tiny / RUN.format(*run, "model.safetensors") for run in runs)],
            *["--metas", *(tiny / RUN.format(*run, "model.json") for run in runs)],
            *["--subsets", *(tiny / f"data/tiny/90-10/seed{seed}.json" for seed in (0, 1))],
            *["--images", tiny / "data/tiny/images.npz", "--split", tiny / "data/tiny/split.json"],
            *["--classifier", tiny / "results/tiny/classifier.safetensors"],
            *["--classifier-meta", tiny / "results/tiny/classifier.json"],
            *["--backbone", "classifier", "--quality-k", 5, "--schedules", "all", "progressive"],
            *["--percentages", 0, 50, 100, "--sampler", "ddim-4", "--count", 30],
            *["--noise-seed", 0, "--batch-size", 20, "--output", output],
        )
    return read_rows(output)


def test_models_are_bypassed_and_measured(bypassed):
    share = of(bypassed, "bypass_share:progressive", class_name="nine")
    assert set(share["architecture"]) == {"depth2", "depth3"} and set(share["k"]) == {0, 50, 100}
    assert share["sampler"].eq("ddim-4").all() and share["study"].eq("tiny").all()
    assert (of(bypassed, "bypass_perceptual:all", k=100)["value"] > 0).all()
    assert not of(bypassed, "bypass_nearest_change_per_depth:all", k=100).empty


def test_the_figure_of_the_bypass_has_a_column_an_architecture(bypassed, tmp_path):
    figure = FIGURES["bypass"](bypassed, [])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["depth2", "depth3"]
    shares = of(bypassed[bypassed["seed"] == ALL], "bypass_share:all", class_name="nine")
    expected = shares[shares["architecture"] == "depth2"].sort_values("k")["value"].tolist()
    drawn = [list(line.get_ydata()) for line in figure.axes[0].lines]
    assert expected in drawn
    save(figure, [tmp_path / "figure.png"])
    assert (tmp_path / "figure.png").stat().st_size > 5000


@pytest.fixture(scope="module")
def marked(tiny, tmp_path_factory):
    """Rows of the watermark on one model of the tiny study."""
    output = tmp_path_factory.mktemp("watermark") / "watermark.csv"
    with pytest.MonkeyPatch.context() as patch:
        program(
            patch,
            "measure_watermark",
            *["--model", tiny / RUN.format("depth2", 0, "model.safetensors")],
            *["--meta", tiny / RUN.format("depth2", 0, "model.json")],
            *["--images", tiny / "data/tiny/images.npz"],
            *["--subset", tiny / "data/tiny/90-10/seed0.json"],
            *["--bands", "low", "high", "--radius", 2, "--sigmas", 0.3, 1.2],
            *["--attacks", "none", "blur", "--count", 20, "--steps", 6],
            *["--noise-seed", 0, "--key-seed", 0, "--batch-size", 20, "--output", output],
        )
    return read_rows(output)


def test_a_model_and_its_gaussian_are_marked(marked):
    found = of(marked, "watermark_detected:low")
    assert set(found["architecture"]) == {"depth2", "gaussian"}
    assert set(found["class"]) == {"none", "blur"} and set(found["sigma"]) == {0.3, 1.2}
    assert len(of(marked, "watermark_gain")) == 2 * 2 * 64
    variance = of(marked, "watermark_variance")
    both = variance.groupby(["sigma", "k"])["value"].nunique()
    assert (both == 1).all() and variance["value"].min() == 0


@pytest.mark.parametrize(
    ("name", "panels"), [("watermark", 4), ("watermark-roc", 4), ("tradeoff", 3)]
)
def test_figures_of_the_watermark_are_drawn(marked, name, panels, tmp_path):
    figure = FIGURES[name](marked, [])
    assert len(figure.axes) == panels
    save(figure, [tmp_path / "figure.png"])
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_the_tradeoff_shows_the_gains_of_the_gaussian(marked):
    middle = FIGURES["tradeoff"](marked, []).axes[1]
    gain = of(marked, "watermark_gain")
    gain = gain[(gain["architecture"] == "gaussian") & (gain["sigma"] == 0.3)]["value"].tolist()
    assert gain in [list(line.get_ydata()) for line in middle.lines]
