"""Figures and table of membership attacks and of copied training images, from made-up results."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.measurements import rows_of
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import read_rows, tidy, write_rows
from depthbias.measures.copied_training import copied_shares
from depthbias.measures.denoising_errors import DenoisingErrors, write_denoising_errors
from depthbias.measures.membership_rows import membership_rows
from depthbias.report.copied_figure import plot_copied
from depthbias.report.membership_figures import plot_membership, plot_roc
from depthbias.report.membership_table import sections, wide_table
from depthbias.report.registry import draw
from depthbias.report.style import save
from depthbias.system.errors import UserError

ROOT = Path(__file__).parents[2]
LEVELS = (0.1, 1.0, 10.0)
ARCHITECTURES = ("depth2", "depth3")
LEAK = {"depth2": 0.5, "depth3": 0.0}


def made_up(ratio, architecture, seed, m=120, n=100):
    """Errors of a run; members of depth 2 have half the error of other images."""
    shape = (len(LEVELS), n)
    others = np.random.default_rng(0).gamma(4, 1, shape)
    members = np.random.default_rng([seed, 1]).gamma(4, 1, (len(LEVELS), m))
    members *= 1 - LEAK[architecture]
    share = int(ratio[:2]) / 100
    return DenoisingErrors(
        run=Run("made-up", ratio, architecture, str(seed)),
        sigmas=np.array(LEVELS),
        noise_seed=0,
        heldout_errors=others,
        training_errors=members,
        heldout_residuals=np.sqrt(others),
        training_residuals=np.sqrt(members),
        heldout_labels=np.arange(n) % 2,
        training_labels=(np.arange(m) >= share * m).astype(int),
        heldout_rows=np.arange(n) + m,
        training_rows=np.arange(m),
        cut_errors=np.zeros((get_architecture(architecture).stages - 1, *shape)),
        constant_errors=np.ones(n),
        classes=("six", "nine"),
        proportions=np.array([share, 1 - share]),
        level_weights=np.ones(len(LEVELS)),
    )


@pytest.fixture(scope="module")
def runs():
    return [
        made_up(ratio, architecture, seed)
        for ratio in ("90-10", "60-40")
        for architecture in ARCHITECTURES
        for seed in (0, 1)
    ]


@pytest.fixture(scope="module")
def summary(runs, tmp_path_factory):
    path = tmp_path_factory.mktemp("membership") / "summary.csv"
    write_rows(path, membership_rows(runs))
    return read_rows(path)


def value(summary, metric, architecture, ratio="90-10", sigma=None, class_name=""):
    rows = summary[(summary["metric"] == metric) & (summary["architecture"] == architecture)]
    rows = rows[(rows["ratio"] == ratio) & (rows["class"] == class_name) & (rows["seed"] == "all")]
    level = rows["sigma"].isna() if sigma is None else rows["sigma"] == sigma
    return rows[level].iloc[0]


def ends(axes):
    """(x, lower, upper) of every error bar."""
    found = set()
    for container in axes.containers:
        for segment in container[2][0].get_segments():
            found.add(tuple(np.round([segment[0][0], segment[0][1], segment[1][1]], 6)))
    return found


def test_auc_against_noise_has_a_column_an_attack_and_a_row_a_ratio(summary):
    figure = draw("membership", summary, {})
    assert len(figure.axes) == 4
    assert [axes.get_title() for axes in figure.axes[:2]] == ["loss attack", "SimA attack"]
    row = value(summary, "attack_auc:sima", "depth2", "60-40", sigma=1.0)
    assert (1.0, round(row.lower, 6), round(row.upper, 6)) in ends(figure.axes[3])
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert low < 0.5 < high and axes.get_xscale() == "log"
    assert "2 seeds" in figure.legends[0].get_title().get_text()


def test_a_summary_without_attacks_is_a_user_error():
    rows = [{"study": "s", "architecture": "depth2", "metric": "kappa", "value": 1.0, "class": ""}]
    for function in (plot_membership, sections):
        with pytest.raises(UserError, match="measure the study's membership"):
            function(pd.DataFrame(tidy(rows)).fillna({"seed": "all"}))


def test_roc_has_log_axes_and_a_line_above_chance_for_the_model_that_leaks(runs):
    own = [one for one in runs if one.run.ratio == "90-10"]
    figure = plot_roc(own)
    assert len(figure.axes) == 2
    for axes in figure.axes:
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert axes.get_xlim() == axes.get_ylim() == pytest.approx((0.1 / 50, 1))
        thick = [line for line in axes.lines if line.get_linewidth() > 1]
        leaks, knows_nothing = (line.get_ydata() for line in thick)
        x = thick[0].get_xdata()
        assert leaks[-1] == knows_nothing[-1] == pytest.approx(1)
        assert (leaks >= knows_nothing).all()
        middle = (x > 0.05) & (x < 0.5)
        assert (leaks[middle] > 2 * x[middle]).all()
        (band,) = axes.collections
        points = band.get_paths()[0].vertices
        for place, y in zip(x[middle], knows_nothing[middle], strict=True):
            inside = points[np.isclose(points[:, 0], place), 1]
            assert inside.min() - 0.02 <= y <= inside.max() + 0.02


def test_roc_takes_one_ratio(runs):
    with pytest.raises(UserError, match="one study and ratio"):
        plot_roc(runs)


def test_equal_curves_give_equal_bytes(runs, tmp_path):
    own = [one for one in runs if one.run.ratio == "90-10"]
    for name in ("a", "b"):
        save(plot_roc(own), [tmp_path / f"{name}.svg"])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_table_has_both_attacks_the_classes_and_the_trend(summary):
    table = wide_table(summary)
    assert list(table["ratio"]) == ["90-10"] * 2 + ["60-40"] * 2
    first = table.iloc[0]
    row = value(summary, "attack_tpr:loss", "depth2")
    assert first["attack_tpr:loss"] == row.value and first["attack_tpr:loss_upper"] == row.upper
    row = value(summary, "attack_auc:sima", "depth2", class_name="nine")
    assert first["attack_auc:sima nine"] == row.value
    found = {one.heading: one for one in sections(summary)}
    whole = found["Membership attacks: trained on 90-10"]
    assert whole.header[1:3] == ["loss attack, AUC", "loss attack, found at 1%"]
    row = value(summary, "attack_auc:loss", "depth2")
    assert whole.rows[0][1] == f"{row.value:.3f} [{row.lower:.3f}, {row.upper:.3f}]"
    assert found["AUC of the SimA attack by class: trained on 60-40"].header[1:] == ["six", "nine"]
    trend = found["Trend over depth"]
    slope = summary[summary["metric"] == "attack_auc_per_depth:loss"].iloc[0]
    assert trend.rows[0][0] == "loss attack, trained on 90-10"
    assert trend.rows[0][1].startswith(f"{slope.value:.4f} [")
    assert slope.value < 0  # the deeper model leaks nothing


def run_script(name, *words, **flags):
    words = list(words)
    for key, given in flags.items():
        items = given if isinstance(given, list) else [given]
        words += [f"--{key.replace('_', '-')}", *map(str, items)]
    kept, sys.argv = sys.argv, [name, *words]
    try:
        runpy.run_path(str(ROOT / "scripts" / f"{name}.py"), run_name="__main__")
    finally:
        sys.argv = kept


def test_scripts_measure_plot_and_write(runs, tmp_path):
    own = [one for one in runs if one.run.ratio == "90-10"]
    paths = [tmp_path / f"{i}.npz" for i in range(len(own))]
    for path, one in zip(paths, own, strict=True):
        write_denoising_errors(path, one)
    table = tmp_path / "membership.csv"
    run_script("measure_membership", measurements=paths, study="made-up", output=table)
    pd.testing.assert_frame_equal(
        read_rows(table), read_rows_of(membership_rows(own), tmp_path / "again.csv")
    )
    run_script("plot_roc", measurements=paths, output=[tmp_path / "roc.png"])
    pages = {f"output_{kind}": tmp_path / f"table.{kind}" for kind in ("csv", "md", "html")}
    run_script("write_table", "membership", summary=table, **pages)
    assert "SimA attack" in (tmp_path / "table.md").read_text()
    with pytest.raises(SystemExit, match="a run of study 'made-up'"):
        run_script("measure_membership", measurements=paths, study="other", output=table)


def read_rows_of(rows, path):
    write_rows(path, rows)
    return read_rows(path)


def copies(tmp_path):
    """A summary with curves of depth 2, which copies a lot, of depth 3 and of held-out images."""
    measured = []
    for seed in ("0", "1"):
        for name, rate, samples in (("depth2", 0.3, 200), ("depth3", 0.02, 200), ("real", 0.1, 20)):
            counts = np.random.default_rng([int(seed), samples]).poisson(rate, 50)
            run = Run("made-up", "90-10", name, seed, "" if name == "real" else "ddim-25")
            for embedding in ("pixels", "classifier"):
                labels = np.zeros(50, dtype=int)
                measured += copied_shares(run, embedding, counts, samples, labels, ["six"])
    return read_rows_of(rows_of(measured, []), tmp_path / "copies.csv")


ABOUT = {"pixels": {}, "classifier": {"copies": {"threshold": 0.98765}}, "inception": {}}


def test_copied_training_images_against_samples(tmp_path):
    summary = copies(tmp_path)
    figure = plot_copied(summary, ABOUT)
    assert len(figure.axes) == 2
    assert "d1/d2" in figure.axes[0].get_title() and "0.9877" in figure.axes[1].get_title()
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        real, *lines = [line for line in axes.lines if len(line.get_xdata()) > 2]
        assert real.get_xdata().tolist() == [1, 2, 5, 10, 20]
        assert lines[0].get_xdata().tolist() == [1, 2, 5, 10, 20, 50, 100, 200]
        rows = summary[(summary["architecture"] == "depth2") & (summary["seed"] == "all")]
        rows = rows[(rows["metric"] == "training_copied_share:pixels") & (rows["class"] == "")]
        assert lines[0].get_ydata() == pytest.approx(100 * rows["value"].to_numpy())
        assert (np.diff(lines[0].get_ydata()) > 0).all()
        assert lines[0].get_ydata()[-1] > lines[1].get_ydata()[-1]


def test_a_summary_without_copies_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="measure the study's neighbours"):
        plot_copied(copies(tmp_path), {"inception": {}})
