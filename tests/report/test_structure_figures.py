"""Figures of linear and Gaussian structure, from made-up results in the shape of the real ones."""

import json

import numpy as np
import pandas as pd
import pytest

from depthbias.diffusion.schedules import edm_sigmas
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import read_rows, write_rows
from depthbias.measures.samples import noise_of
from depthbias.measures.structure_files import Structure
from depthbias.measures.structure_rows import structure_rows
from depthbias.report.structure_figures import (
    ERRORS,
    LINEARITY,
    WEIGHTS,
    plot_against_depth,
    plot_levels,
)
from depthbias.report.style import save
from depthbias.report.sweep_figure import plot_sweep
from depthbias.report.trajectory_figures import plot_disjoint, plot_trajectories, read_trajectories
from depthbias.system.errors import UserError
from depthbias.system.files import write_npz

SIGMAS = edm_sigmas(10).numpy()


def made_up_run(ratio, architecture, seed, shift=0.0, study="made-up"):
    rng = np.random.default_rng([len(architecture), seed])
    cosines = 0.95 - shift - 0.02 * rng.random((10, 12))
    errors = SIGMAS[:, None] * (0.1 + shift + 0.01 * rng.random((10, 12)))
    values = {
        f"{name}@{angle}": cosines
        for name in ("linearity", "linearity_centred")
        for angle in (15, 45)
    }
    values |= {f"{name}@45": errors for name in ("linearity_nmse", "linearity_nmse_centred")}
    values |= {f"score_error:{name}": errors for name in ("linear", "gaussian", "delta")}
    values |= {"weight_nmse": errors[:, :1], "alignment@1": cosines[:, :1]}
    values |= {"alignment@3": cosines[:, :1], "alignment@10": cosines[:, :1]}
    return Structure(Run(study, ratio, architecture, str(seed)), SIGMAS, values)


def summary(folder, architectures, ratios=("90-10", "60-40"), seeds=2, study="made-up"):
    """The rows of a study, written and read as in the workflow."""
    runs = [
        made_up_run(ratio, architecture, seed, study=study)
        for ratio in ratios
        for architecture in architectures
        for seed in range(seeds)
    ]
    write_rows(folder / "rows.csv", structure_rows(runs))
    return read_rows(folder / "rows.csv")


UNETS = ["depth2", "depth2-large", "depth3"]


@pytest.mark.parametrize(
    ("measures", "share"), [(LINEARITY, False), (ERRORS, True), (WEIGHTS, False)]
)
def test_levels_have_a_panel_a_ratio_and_measure_and_a_line_a_unet(tmp_path, measures, share):
    figure = plot_levels(summary(tmp_path, UNETS), measures, share)
    assert len(figure.axes) == 2 * len(measures)
    for axes in figure.axes:
        assert len(axes.containers) == len(UNETS)
        assert axes.get_xscale() == "log"
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert set(UNETS) <= labels
    save(figure, [tmp_path / "levels.png", tmp_path / "levels.svg"])
    assert (tmp_path / "levels.png").stat().st_size > 5000


def test_lines_show_the_means_over_seeds_within_their_limits(tmp_path):
    rows = summary(tmp_path, ["depth2"], ratios=["90-10"])
    axes = plot_levels(rows, ERRORS, True).axes[1]
    shown = rows[
        (rows.metric == "score_error:gaussian") & (rows.seed == "all") & rows.sigma.notna()
    ]
    x, y = axes.containers[0].lines[0].get_data()
    np.testing.assert_allclose(x, np.sort(SIGMAS))
    np.testing.assert_allclose(y, shown.sort_values("sigma").value)
    low, high = axes.get_ylim()
    assert low < y.min() and y.max() < high


def test_several_series_get_rows_of_their_own(tmp_path):
    architectures = ["depth2-const", "depth3-const", "depth2-matched", "depth3-matched"]
    figure = plot_levels(summary(tmp_path, architectures, ratios=["90-10"]), ERRORS, True)
    assert len(figure.axes) == 6
    assert [len(axes.containers) for axes in figure.axes] == [2] * 6


def test_against_depth_has_a_panel_a_regime_and_measure(tmp_path):
    figure = plot_against_depth(summary(tmp_path, UNETS))
    assert len(figure.axes) == 12
    assert figure.axes[0].get_title() == "low noise (0.002 to 0.1)"
    save(figure, [tmp_path / "depth.png"])


def test_a_summary_without_structure_is_a_user_error(tmp_path):
    rows = summary(tmp_path, ["depth2"])
    with pytest.raises(UserError, match=r"no alignment \(k 10\)"):
        plot_levels(rows[rows.k != 10], WEIGHTS, False)
    with pytest.raises(UserError, match="no structure of these studies"):
        plot_sweep(rows, {"other": 1.0}, "images")


def test_a_sweep_has_a_column_for_what_was_measured(tmp_path):
    parts = [summary(tmp_path, ["depth2"], ["50-50"], study=f"size-{n}") for n in (34, 544)]
    values = {"size-34": 34.0, "size-544": 544.0}
    bare = plot_sweep(pd.concat(parts), values, "training images")
    assert len(bare.axes) == 3
    assert [len(axes.containers) for axes in bare.axes] == [2, 2, 3]
    for line in bare.axes[0].containers:
        np.testing.assert_allclose(line.lines[0].get_xdata(), np.sort(SIGMAS))
    distance = [
        {
            "study": study,
            "ratio": "50-50",
            "architecture": architecture,
            "seed": "all",
            "metric": "gl_pixel:pixels",
            "value": n / 1000,
        }
        for study, n in values.items()
        for architecture in ("depth2", "real")
    ]
    write_rows(tmp_path / "gl.csv", distance)
    full = plot_sweep(
        pd.concat([*parts, read_rows(tmp_path / "gl.csv")]), values, "training images"
    )
    assert len(full.axes) == 4
    x, y = full.axes[3].containers[0].lines[0].get_data()
    np.testing.assert_allclose(x, [34, 544])
    np.testing.assert_allclose(y, [0.034, 0.544])
    save(full, [tmp_path / "sweep.png"])


def trajectories(folder, architecture, seed=0, noise_seed=5, count=3):
    """Trajectories as measure_structure.py writes them."""
    rng = np.random.default_rng(seed)
    path = folder / f"{architecture}-{seed}-{noise_seed}.npz"
    run = {"study": "made-up", "ratio": "90-10", "architecture": architecture, "seed": str(seed)}
    write_npz(
        path,
        {
            "names": np.array(["architecture", "linear", "gaussian", "delta"]),
            "sigmas": edm_sigmas(4).numpy(),
            "denoised": rng.integers(0, 256, (4, 4, count, 8, 8, 3), dtype=np.uint8),
            "images": rng.integers(0, 256, (4, count, 8, 8, 3), dtype=np.uint8),
            "noise": noise_of([noise_seed], count),
            "run": json.dumps(run),
        },
    )
    return path


def test_trajectories_show_every_denoiser_once(tmp_path):
    files = [trajectories(tmp_path, architecture) for architecture in ("depth3", "depth2")]
    runs = read_trajectories(files)
    assert [one.run.architecture for one in runs] == ["depth2", "depth3"]
    figure = plot_trajectories(runs)
    images = figure.axes[0].get_images()
    assert len(images) == (2 * 2 + 2) * (4 + 3)
    np.testing.assert_array_equal(images[0].get_array(), runs[0].denoised["architecture"][0, 0])
    save(figure, [tmp_path / "trajectories.png"])


def test_trajectories_of_other_noise_are_refused(tmp_path):
    files = [trajectories(tmp_path, "depth2"), trajectories(tmp_path, "depth3", noise_seed=6)]
    with pytest.raises(UserError, match=r"depth3-0-6\.npz: another study, ratio, seed, noise"):
        read_trajectories(files)


def test_halves_say_how_far_two_images_of_one_noise_are(tmp_path):
    first, second = ([trajectories(tmp_path, "depth2", seed=seed)] for seed in (0, 1))
    one, two = read_trajectories(first), read_trajectories(second)
    figure = plot_disjoint(one, two)
    left, right = (run[0].images["architecture"].astype(float) / 127.5 for run in (one, two))
    same = np.mean([np.sqrt(((left[i] - right[i]) ** 2).mean()) for i in range(3)])
    other = np.mean(
        [np.sqrt(((left[i] - right[j]) ** 2).mean()) for i in range(3) for j in range(3) if i != j]
    )
    words = f"same noise: {same:.2f}\nother noise: {other:.2f}"
    assert words in [text.get_text() for text in figure.axes[0].texts]
    assert len(figure.axes[0].get_images()) == 3 * 2 * 3
    equal = plot_disjoint(one, one)
    assert any("same noise: 0.00" in text.get_text() for text in equal.axes[0].texts)
    with pytest.raises(UserError, match="not sampled from the same noise"):
        plot_disjoint(one, read_trajectories([trajectories(tmp_path, "depth2", noise_seed=9)]))
