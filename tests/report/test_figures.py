"""Figures and tables from made-up results in the shape of the real ones."""

import json
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jinja2
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from docutils.core import publish_parts
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from PIL import Image
from sklearn.datasets import load_digits

from depthbias.config.reading import load
from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.trainer import write_log
from depthbias.estimates.runs import ordered_architectures
from depthbias.estimates.tidy import read_rows, tidy, write_rows
from depthbias.measures.samples import noise_of, read_generated
from depthbias.report import published
from depthbias.report.architecture_table import architecture_table, section
from depthbias.report.bias_figures import plot_kappa, plot_proportions
from depthbias.report.bias_table import sections, wide_table
from depthbias.report.loss_figure import plot_losses, read_logs
from depthbias.report.pages import Section, html_page, markdown_page
from depthbias.report.sample_figures import plot_grid, plot_real
from depthbias.report.style import COLOURS, save, spread, styled
from depthbias.system.errors import UserError
from depthbias.system.files import write_json, write_npz

ROOT = Path(__file__).parents[2]
PUBLISHED = ["depth2", "depth2-large", "depth3", "depth4", "depth5", "depth6"]
SMALL = ["depth2", "depth3", "depth4"]
RATIOS = {"90-10": (0.9, 0.1), "60-40": (0.6, 0.4)}


def logit(p):
    return np.log(p) - np.log1p(-p)


def made_up_summary(
    classes, ratios, architectures, *, study="made-up", seeds=3, samplers=("ddim-25",)
):
    """Tidy rows of a study in which every stage of depth adds 0.1 to the first class's logit."""
    rng = np.random.default_rng(0)
    rows = []

    def add(metric, value, width, **keys):
        low, high = (value - width, value + width) if width else (None, None)
        rows.append(
            {"study": study, "metric": metric, "value": value, "lower": low, "upper": high} | keys
        )

    for ratio, aims in ratios.items():
        for name, aim in zip(classes, aims, strict=True):
            add("share_train", aim, 0, ratio=ratio, seed="all", **{"class": name})
            for seed in map(str, range(seeds)):
                real = {
                    "ratio": ratio,
                    "architecture": "real",
                    "seed": seed,
                    "class": name,
                    "n": 500,
                }
                add("share_corrected", aim + 0.01 * rng.normal(), 0.02, **real)
        for architecture in architectures:
            drift = (
                0.1 * ((get_architecture(architecture).depth or 1) - 1) * np.eye(len(classes))[0]
            )
            for sampler in samplers:
                for seed in ["all", *map(str, range(seeds))]:
                    noise = (0.02 if seed == "all" else 0.08) * rng.normal(size=len(classes))
                    weights = np.array(aims) * np.exp(drift + noise)
                    for name, aim, share in zip(
                        classes, aims, weights / weights.sum(), strict=True
                    ):
                        keys = {
                            "ratio": ratio,
                            "architecture": architecture,
                            "seed": seed,
                            "sampler": sampler,
                        }
                        keys |= {"class": name, "n": 1000 * (seeds if seed == "all" else 1)}
                        add("share_corrected", share, 0.03 * np.sqrt(share), **keys)
                        add("share_raw", share, 0.03 * np.sqrt(share), **keys)
                        add("log_odds_shift", logit(share) - logit(aim), 0.12, **keys)
    for architecture in architectures:
        for sampler in samplers:
            for seed in ["all", *map(str, range(seeds))]:
                for name in classes if len(ratios) > 1 else ():
                    keys = {
                        "ratio": "all",
                        "architecture": architecture,
                        "seed": seed,
                        "sampler": sampler,
                        "n": 2,
                    }
                    value = (
                        1 + 0.05 * (get_architecture(architecture).depth or 1) + 0.02 * rng.normal()
                    )
                    add("kappa", value, 0.06, **keys, **{"class": name})
    return (
        pd.DataFrame(tidy(rows))
        .astype({"value": float, "lower": float, "upper": float})
        .fillna(dict.fromkeys(("ratio", "architecture", "seed", "sampler", "class"), ""))
    )


def made_up_samples(
    folder, architectures, *, classes=("six", "nine"), size=8, channels=1, count=40
):
    """Archives of samples and classes, with real digits in place of generated images."""
    digits = load_digits()
    big = np.kron(digits.images * 15.9, np.ones((1, size // 8, size // 8)))[..., None]
    images = np.repeat(big, channels, axis=-1).astype(np.uint8)
    rng = np.random.default_rng(0)
    samples, labels = [], []
    base = rng.integers(0, len(classes), count)
    for architecture in architectures:
        flips = rng.random(count) < 0.05 * (get_architecture(architecture).depth or 1)
        true = np.where(flips, (base + 1) % len(classes), base)
        rows = [rng.choice(np.flatnonzero(digits.target == (6, 9, 3, 8)[k])) for k in true]
        certain = np.where(rng.random(count) < 0.1, 0.6, 0.99)
        probabilities = np.full((count, len(classes)), 0.0, np.float32)
        probabilities += ((1 - certain) / (len(classes) - 1))[:, None]
        probabilities[np.arange(count), true] = certain
        keys = {
            "study": "made-up",
            "ratio": "90-10",
            "architecture": architecture,
            "seed": "0",
            "sampler": "ddim-25",
        }
        run = json.dumps(keys)
        samples.append(folder / f"{architecture}-samples.npz")
        labels.append(folder / f"{architecture}-classes.npz")
        common = {"noise": noise_of([7], count), "run": run}
        write_npz(samples[-1], {"images": images[rows], **common})
        names = np.array(classes)
        write_npz(labels[-1], {"probabilities": probabilities, "classes": names, **common})
    return samples, labels


@pytest.fixture(scope="module")
def summary():
    return made_up_summary(("six", "nine"), RATIOS, SMALL)


def estimates(summary, metric, ratio, architecture, name, sampler="ddim-25"):
    keys = (
        (summary.metric == metric)
        & (summary.ratio == ratio)
        & (summary.architecture == architecture)
    )
    rows = summary[keys & (summary["class"] == name) & (summary.sampler == sampler)]
    return rows[rows.seed == "all"].iloc[0]


def panels(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def bars(axes):
    """{(x, lower, upper)} of the vertical error bars in a panel, in data units."""
    found = set()
    for container in axes.containers:
        for segment in container.lines[2][0].get_segments():
            if len(segment):
                (x, low), (_, high) = segment
                found.add((round(x, 6), round(low, 6), round(high, 6)))
    return found


# Style


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.12))
def test_spread_keeps_names_apart_in_order_and_inside(positions, gap):
    moved = spread(positions, gap)
    order = np.argsort(positions, kind="stable")
    steps = np.diff(np.array(moved)[order])
    assert (steps >= gap - 1e-9).all()
    assert min(moved) >= -1e-9 and max(moved) <= 1 + 1e-9


def test_spread_leaves_distant_names_alone():
    assert spread([0.1, 0.9, 0.5], 0.2) == [0.1, 0.9, 0.5]


def test_equal_figures_give_equal_bytes_without_a_date(summary, tmp_path):
    for name in ("a", "b"):
        save(plot_kappa(summary), [tmp_path / f"{name}.svg", tmp_path / f"{name}.png"])
    for ending in ("svg", "png"):
        first, second = (tmp_path / f"{name}.{ending}" for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()
    text = (tmp_path / "a.svg").read_text()
    assert "<dc:date>" not in text and "<text" not in text  # letters are paths: no font needed
    assert Image.open(tmp_path / "a.png").info["dpi"] == pytest.approx((200, 200), abs=0.1)


def test_style_is_independent_of_the_users_settings_and_leaves_them_alone():
    with mpl.rc_context({"font.size": 31.0}):
        with styled():
            assert mpl.rcParams["font.size"] == 8
        assert mpl.rcParams["font.size"] == 31.0


def test_unknown_figure_format_is_refused(summary, tmp_path):
    with pytest.raises(UserError, match=r"f\.bmp: not a figure format"):
        save(plot_kappa(summary), [tmp_path / "f.bmp"])


def test_class_colours_differ_for_the_colour_blind():
    """Distances in CIE Lab after the deuteranopia simulation of Vienot et al. (1999)."""
    rgb = np.array([mpl.colors.to_rgb(colour) for colour in COLOURS]) ** 2.2
    lms = np.array([[17.88, 43.52, 4.12], [3.46, 27.16, 3.87], [0.03, 0.18, 1.47]])
    blind = np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]])
    seen = rgb @ (np.linalg.inv(lms) @ blind @ lms).T
    xyz = seen @ np.array([[0.412, 0.358, 0.180], [0.213, 0.715, 0.072], [0.019, 0.119, 0.950]]).T
    f = np.cbrt(np.clip(xyz / [0.950, 1.0, 1.089], 1e-4, None))
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)
    distances = np.linalg.norm(lab[:, None] - lab, axis=2)[np.triu_indices(len(lab), 1)]
    assert distances.min() > 15  # 2.3 is just noticeable


# Lines over depth


def test_proportions_show_every_estimate_with_its_interval_in_percent(summary):
    figure = plot_proportions(summary)
    for axes, (ratio, aims) in zip(panels(figure), RATIOS.items(), strict=True):
        drawn = bars(axes)
        for architecture in SMALL:
            for name in ("six", "nine"):
                row = estimates(summary, "share_corrected", ratio, architecture, name)
                x = float(get_architecture(architecture).depth)
                assert (x, round(100 * row.lower, 6), round(100 * row.upper, 6)) in drawn
        levels = {
            round(float(line.get_ydata()[0]), 6)
            for line in axes.lines
            if len(line.get_xdata()) == 2
            and line.get_transform() == axes.get_yaxis_transform(which="grid")
        }
        assert levels == {100 * aim for aim in aims}
        assert axes.get_ylim()[0] <= 0 and axes.get_ylim()[1] >= 100
    assert "(%)" in panels(figure)[0].get_ylabel() and "stages" in figure.get_supxlabel()


def test_proportions_show_the_first_seeds_control_left_of_the_models(summary):
    axes = panels(plot_proportions(summary))[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["real", "2", "3", "4"]
    real = summary[
        (summary.architecture == "real") & (summary.ratio == "90-10") & (summary.seed == "0")
    ]
    expected = {
        (1.0, round(100 * row.lower, 6), round(100 * row.upper, 6)) for row in real.itertuples()
    }
    assert {bar for bar in bars(axes) if bar[0] == 1.0} == expected


def test_proportions_give_samplers_and_series_rows_of_their_own():
    architectures = [*PUBLISHED, "depth2-const", "depth3-const", "depth3-matched"]
    ratios = {"natural": (0.5, 0.4, 0.1), "80-15-5": (0.8, 0.15, 0.05)}
    frame = made_up_summary(("a", "b", "c"), ratios, architectures, samplers=("ddim-25", "heun-20"))
    sizes = [
        {"study": "made-up", "architecture": name, "metric": "parameters", "value": 1_000_000.0}
        for name in architectures
    ]
    figure = plot_proportions(pd.concat([frame, tidy(sizes)], ignore_index=True))
    assert len(panels(figure)) == 2 * 3 * len(ratios)
    names = [text.get_text() for axes in panels(figure) for text in axes.texts]
    for words in ("constant width\nDDIM, 25 steps", "equal size\nHeun, 20 steps", "a", "b", "c"):
        assert words in names
    large = estimates(frame, "share_corrected", "natural", "depth2-large", "a")
    assert (2.45, round(100 * large.lower, 6), round(100 * large.upper, 6)) in bars(
        panels(figure)[0]
    )
    assert "depth5\N{NO-BREAK SPACE}1.0" in figure.legends[0].get_title().get_text()


def test_a_network_without_depth_stands_apart_right_of_the_deepest():
    architectures = ["depth2", "dit-small", "depth2-large", "depth3"]
    frame = made_up_summary(("six", "nine"), RATIOS, architectures)
    figure = plot_proportions(frame)
    for axes, ratio in zip(panels(figure), RATIOS, strict=True):
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert labels == ["real", "2", "3", "dit-small"]
        row = estimates(frame, "share_corrected", ratio, "dit-small", "nine")
        assert (4.0, round(100 * row.lower, 6), round(100 * row.upper, 6)) in bars(axes)
        joined = [line for line in axes.lines if line.get_linestyle() not in ("None", "")]
        assert joined and all(4.0 not in line.get_xdata() for line in joined)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "depth2-large, transformer" in legend
    alone = made_up_summary(("six", "nine"), RATIOS, ["dit-small"])
    assert [t.get_text() for t in panels(plot_kappa(alone))[0].get_xticklabels()] == ["dit-small"]


def test_kappa_shows_the_minority_and_its_exponent(summary):
    shift, kappa = panels(plot_kappa(summary))
    assert shift.get_title() == "shift of nine" and "logits" in shift.get_ylabel()
    for ratio in RATIOS:
        row = estimates(summary, "log_odds_shift", ratio, "depth3", "nine")
        assert (3.0, round(row.lower, 6), round(row.upper, 6)) in bars(shift)
    row = estimates(summary, "kappa", "all", "depth4", "nine")
    assert (4.0, round(row.lower, 6), round(row.upper, 6)) in bars(kappa)
    for axes, faithful in ((shift, 0), (kappa, 1)):
        low, high = axes.get_ylim()
        assert low < faithful < high
        assert all(low < bar[1] and bar[2] < high for bar in bars(axes))


def test_kappa_of_one_ratio_shows_the_shift_alone_and_of_three_classes_every_class():
    one = made_up_summary(("female", "male"), {"natural": (0.58, 0.42)}, SMALL)
    assert [axes.get_title() for axes in panels(plot_kappa(one))] == ["shift of male"]
    three = made_up_summary(("a", "b", "c"), {"50-40-10": (0.5, 0.4, 0.1)}, SMALL)
    assert len(panels(plot_kappa(three))) == 3


def test_intervals_that_are_missing_or_infinite_do_not_spoil_the_axes(summary, tmp_path):
    frame = summary.copy()
    frame.loc[frame.seed == "all", ["lower", "upper"]] = np.nan
    frame.loc[(frame.seed == "all") & (frame.architecture == "depth4"), "upper"] = np.inf
    figure = plot_kappa(frame)
    save(figure, [tmp_path / "figure.png"])
    low, high = panels(figure)[0].get_ylim()
    assert high - low < 3


def test_a_summary_without_models_is_a_user_error(summary):
    with pytest.raises(UserError, match="no model to plot"):
        plot_proportions(summary[summary.architecture == "real"])


def test_losses_draw_every_seed_and_the_mean():
    images = np.arange(1000, 11000, 1000)
    logs = pd.concat(
        pd.DataFrame(
            {
                "ratio": "90-10",
                "architecture": architecture,
                "seed": seed,
                "images": images,
                "loss": loss,
                "heldout_loss": 2 * loss,
            }
        )
        for architecture in ("depth2", "depth3-const")
        for seed, loss in (("seed0", 0.1), ("seed1", 0.3))
    )
    figure = plot_losses(logs, "made-up")
    axes, below = panels(figure)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert "held-out" in below.get_ylabel() and "training" in axes.get_ylabel()
    held_out = [line for line in below.lines if line.get_linewidth() > 1]
    assert all(np.allclose(line.get_ydata(), 0.4) for line in held_out) and len(held_out) == 2
    thick = [line for line in axes.lines if line.get_linewidth() > 1]
    assert len(thick) == 2 and len(axes.lines) == 6
    assert all(np.allclose(line.get_ydata(), 0.2) for line in thick)
    assert thick[0].get_xdata().max() == pytest.approx(10, rel=0.1)  # thousands
    assert thick[0].get_linestyle() != thick[1].get_linestyle()
    assert "thousands" in figure.get_supxlabel()


# Images


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    return made_up_samples(tmp_path_factory.mktemp("samples"), SMALL)


def frames(axes):
    """(column, row) of the framed images of a grid."""
    outlines = [p for p in axes.patches if isinstance(p, Rectangle) and not p.get_fill()]
    return {(round(p.get_x() / 1.26), round(p.get_y() / 1.26)) for p in outlines}


def test_grid_frames_the_images_that_changed_class(archives):
    models = {model.run.architecture: model for model in read_generated(*archives)}
    (axes,) = panels(plot_grid(list(models.values())[::-1], 10, 0.9))
    expected, unsure = set(), 0
    for row, architecture in enumerate(SMALL):
        for column in range(10):
            unsure += models[architecture].probabilities[column].max() < 0.9
            if models[architecture].labels[column] != models["depth2"].labels[column]:
                expected.add((column, row))
    assert expected and frames(axes) == expected
    texts = [text.get_text() for text in axes.texts]
    assert unsure and texts.count("?") == unsure
    changed = np.mean(models["depth4"].labels != models["depth2"].labels)
    assert f"{100 * changed:.1f} %" in texts  # over all 40 images, not the ten shown
    assert [text for text in texts if text in SMALL] == SMALL
    assert len(axes.images) == 30


def test_grid_compares_with_the_shallowest_of_the_same_series(tmp_path):
    names = ["depth2", "depth3", "depth3-const", "depth4-const"]
    models = read_generated(*made_up_samples(tmp_path, names))
    by_name = {model.run.architecture: model for model in models}
    (axes,) = panels(plot_grid(models, 10, 0.9))
    changed = by_name["depth4-const"].labels[:10] != by_name["depth3-const"].labels[:10]
    assert {column for column, row in frames(axes) if row == 3} == set(np.flatnonzero(changed))
    assert not {column for column, row in frames(axes) if row == 2}


def test_grid_refuses_other_noise_and_several_runs(archives):
    models = read_generated(*archives)
    models[1].noise[0, 1] = 99
    with pytest.raises(UserError, match="not sampled from the same noise"):
        plot_grid(models, 10, 0.9)
    models = read_generated(*archives)
    models[1] = replace(models[1], run=models[1].run._replace(ratio="60-40"))
    with pytest.raises(UserError, match=r"several values of ratio \(60-40, 90-10\)"):
        plot_grid(models, 10, 0.9)
    with pytest.raises(UserError, match="give each once"):
        plot_grid([models[0], models[0]], 10, 0.9)


def test_samples_without_their_classes_are_refused(archives, tmp_path):
    samples, classes = archives
    with pytest.raises(UserError, match=r"depth4-samples\.npz: no classes of this run"):
        read_generated(samples, classes[:2])
    noise = {"noise": noise_of([7], 1)}
    bad = {"run": "{", "probabilities": np.ones((1, 1)), "classes": np.array(["a"]), **noise}
    write_npz(tmp_path / "bad.npz", bad)
    with pytest.raises(UserError, match="the run is not described"):
        read_generated(samples, [tmp_path / "bad.npz"])


def test_real_and_generated_images_stand_under_their_class(archives):
    models = read_generated(*archives)
    real = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    labels = np.arange(20) % 2
    (axes,) = panels(plot_real(real, labels, models, 0.9))
    top = sorted((image.get_extent()[0], image.get_array()[0, 0]) for image in axes.images[:12])
    assert [value for _, value in top] == [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]
    second = [image.get_array() for image in axes.images[12:18]]
    first_six = models[0].images[models[0].labels == 0][:6, :, :, 0]
    assert np.array_equal(second, first_six)
    strips = [p for p in axes.patches if p.get_fill() and p.get_width() == 1]
    assert {to_hex(strip.get_facecolor()).upper() for strip in strips} == set(COLOURS[:2])


# Tables


def test_table_has_value_interval_and_n_of_every_unet(summary):
    table = wide_table(summary).set_index(["ratio", "metric", "class"])
    line = table.loc[("60-40", "share_corrected", "nine")]
    row = estimates(summary, "share_corrected", "60-40", "depth3", "nine")
    assert (line["depth3"], line["depth3_lower"], line["depth3_upper"], line["depth3_n"]) == (
        row.value,
        row.lower,
        row.upper,
        3000,
    )
    assert line["training"] == 0.4 and line["real_n"] == 500
    (section,) = [s for s in sections(summary) if s.heading.startswith("Trained on 60-40")]
    assert section.header[:4] == ["class", "training data", "real images", "depth2"]
    text = f"{100 * row.value:.1f} [{100 * row.lower:.1f}, {100 * row.upper:.1f}]"
    assert section.rows[1][:2] == ["nine", "40.0"] and section.rows[1][4] == text


def test_published_values_stand_beside_ours_for_celeba_only():
    natural = {"natural": (0.5832, 0.4168)}
    ours = made_up_summary(("female", "male"), natural, PUBLISHED, study="celeba")
    table = wide_table(ours)
    male = table[(table.source == "published") & (table["class"] == "male")].iloc[0]
    assert (male["training"], male["depth5"]) == pytest.approx((0.4168, 0.3036))
    text = markdown_page("t", sections(ours))
    assert re.search(r"male, published +\| +41\.68 \|.* 28\.85 \|", text) and "2505.17560" in text
    other = made_up_summary(("female", "male"), natural, PUBLISHED, study="mine")
    assert "published" not in markdown_page("t", sections(other))


def test_trend_sampler_control_and_transitions_are_tabulated(summary):
    keys = {"study": "made-up", "ratio": "90-10", "sampler": "ddim-25"}
    rows = [
        keys
        | {
            "metric": "log_odds_shift_per_depth",
            "architecture": "published",
            "seed": "all",
            "class": "six",
            "value": 0.11,
            "lower": 0.05,
            "upper": 0.17,
            "n": 9,
        },
        keys
        | {
            "metric": "log_odds_shift_per_depth_least",
            "architecture": "published",
            "seed": "all",
            "class": "six",
            "value": -0.2,
            "lower": -0.3,
            "upper": 0.4,
            "n": 9,
        },
        keys
        | {
            "metric": "log_odds_sampler_difference",
            "architecture": "depth3",
            "seed": "all",
            "class": "six",
            "sampler": "heun-20",
            "value": -0.5,
            "lower": -0.75,
            "upper": 0.25,
            "n": 9,
        },
    ]
    for seed, share, p in (("0", 0.2, 0.001), ("1", 0.4, 0.25)):
        run = keys | {"architecture": "depth3", "seed": seed, "n": 1000}
        rows.append(run | {"metric": "transition", "class": "six->nine", "value": share})
        rows.append(run | {"metric": "transition_p", "class": "", "value": p})
    found = {s.heading: s for s in sections(pd.concat([summary, tidy(rows)]))}
    assert found["Log-odds shift a stage of depth"].rows == [
        ["six, trained on 90-10, DDIM, 25 steps, all images", "0.110 [0.050, 0.170]"],
        ["six, trained on 90-10, DDIM, 25 steps, failures counted away", "-0.200 [-0.300, 0.400]"],
    ]
    assert found["Sampler control"].rows[0][1] == "-0.50 [-0.75, 0.25]"
    moved = found["Same-noise transitions: trained on 90-10, DDIM, 25 steps"]
    assert moved.rows == [["depth3", "30.0", "0.001 to 0.25"]]


def test_pages_of_tables_escape_and_align():
    section = Section("a < b", "note & more", ["name", "x"], [["p|q", "1"], ["long <name>", "22"]])
    text, page = markdown_page("t", [section]), html_page("t", [section])
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1 and "p\\|q" in text
    assert "long &lt;name&gt;" in page and "note &amp; more" in page and "http" not in page


def test_published_numbers_are_consistent():
    assert sum(published.CELEBA_TRAINING.values()) == pytest.approx(100)
    for architecture in PUBLISHED:
        shares = [published.CELEBA_GENERATED[name][architecture] for name in ("male", "female")]
        assert sum(shares) == pytest.approx(100)
    assert list(published.PARAMETERS) == PUBLISHED == list(published.LPIPS_X100)
    shifts = {"depth2": -0.056, "depth2-large": -0.034, "depth3": -0.104, "depth4": -0.187}
    shifts |= {"depth5": -0.494, "depth6": -0.567}
    assert published.male_log_odds_shifts() == pytest.approx(shifts, abs=6e-4)
    assert published.male_slope() == pytest.approx(-0.141, abs=6e-4)


def test_unets_are_ordered_by_series_and_depth():
    names = ["real", "depth3-const", "depth6", "depth3", "depth2-large", "depth2-matched", "depth2"]
    expected = ["depth2", "depth2-large", "depth3", "depth6", "depth3-const", "depth2-matched"]
    assert ordered_architectures(names) == expected


# Scripts and captions


def run_script(monkeypatch, name, *arguments):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    runpy.run_path(str(ROOT / f"scripts/{name}.py"), run_name="__main__")


def test_scripts_write_figures_and_tables(summary, archives, tmp_path, monkeypatch):
    table = tmp_path / "summary.csv"
    write_rows(table, summary)
    logs = [training_log(tmp_path, architecture) for architecture in ("depth2", "depth3")]
    images, subset = tmp_path / "images.npz", tmp_path / "subset.json"
    write_npz(images, {"images": np.zeros((30, 8, 8, 1), np.uint8)}, compress=False)
    rows = {"ratio": "90-10", "seed": 0, "classes": ["six", "nine"]}
    rows |= {"indices": list(range(5, 25)), "labels": [0, 1] * 10}
    write_json(subset, rows)
    samples, classes = archives
    tables = ["--output-csv", "t.csv", "--output-md", "t.md", "--output-html", "t.html"]
    sizes = ["--channels", 1, "--size", 8, "--width", 0.5]
    sizes += ["--study", "digits", "--rows", "parameters.csv"]
    archived = ["--samples", *samples, "--classes", *classes]
    monkeypatch.chdir(tmp_path)
    run_script(monkeypatch, "write_table", "proportions", "--summary", table, *tables)
    run_script(monkeypatch, "write_architectures", "--architectures", *SMALL, *sizes, *tables)
    commands = {
        "plot_summary": ["kappa", "--summary", table],
        "plot_losses": ["--study", "s", "--logs", *logs],
        "plot_grid": archived,
        "plot_real": [*archived, "--images", images, "--subset", subset],
    }
    for name, arguments in commands.items():
        run_script(monkeypatch, name, *arguments, "--output", f"{name}.svg", f"{name}.png")
        width, height = Image.open(f"{name}.png").size
        assert 3.2 <= width / 200 <= 7.01 and 1 < height / 200 < 10
    assert not list(tmp_path.glob(".*tmp"))


def test_measured_parameters_are_the_published_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables = ["--output-csv", "t.csv", "--output-md", "t.md", "--output-html", "t.html"]
    sizes = ["--channels", 1, "--size", 32, "--width", 0.5]
    sizes += ["--study", "digits", "--rows", "parameters.csv"]
    run_script(monkeypatch, "write_architectures", "--architectures", *PUBLISHED, *sizes, *tables)
    table = pd.read_csv("t.csv")
    assert table["name"].tolist() == PUBLISHED
    rows = read_rows("parameters.csv")
    assert rows["architecture"].tolist() == PUBLISHED and set(rows["metric"]) == {"parameters"}
    assert rows["value"].tolist() == table["parameters_study"].tolist()
    assert (table["parameters_measured"] == table["parameters_published"]).all()
    assert (table["parameters_study"] < 0.3 * table["parameters_measured"]).all()
    assert "| 27,290,691 |" in Path("t.md").read_text()


def test_the_table_holds_architectures_of_other_kinds():
    table = architecture_table(["dit-small", "depth3", "depth2-large", "depth2"], 1, 8, 0.5)
    assert table["name"].tolist() == ["depth2", "depth2-large", "depth3", "dit-small"]
    other = section(table, 1, 0.5).rows[-1]
    assert other[:3] == ["dit-small", "transformer", "-"]
    assert other[4:] == ["all", "-", "1,422,220", "390,596"]
    assert table["parameters_study"].tolist()[0] == 252_545


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("plot_summary", ["kappa", "--summary", "absent.csv"], "absent.csv: cannot read"),
        ("plot_losses", ["--study", "s", "--logs", "bad.csv"], "bad.csv: not a training log"),
        ("plot_summary", ["proportions", "--summary", "bad.csv"], "bad.csv: "),
        (
            "plot_summary",
            ["diversity", "--summary", "empty.csv"],
            "diversity: no description of the embeddings",
        ),
        ("plot_grid", ["--samples", "bad.csv", "--classes", "bad.csv"], "bad.csv: "),
    ],
)
def test_bad_input_ends_in_one_line(name, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text("a,b\n1,2\n")
    write_rows("empty.csv", [])
    with pytest.raises(SystemExit) as caught:
        run_script(monkeypatch, name, *arguments, "--output", "figure.svg")
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not Path("figure.svg").exists()


def training_log(folder, architecture="depth2", study="s"):
    """The log of a training as the trainer writes it."""
    path = folder / f"{study}-{architecture}.csv"
    run = {"study": study, "ratio": "90-10", "architecture": architecture, "seed": "0"}
    rows = [{"images": 100, "loss": 1.0}, {"images": 200, "loss": 0.5}]
    write_log(path, run, [row | {"heldout_loss": 2.0} for row in rows])
    return path


def test_a_log_that_does_not_belong_is_named(tmp_path):
    good = training_log(tmp_path)
    assert read_logs([good], "s")["loss"].tolist() == [1.0, 0.5]
    with pytest.raises(UserError, match=r"t-depth2\.csv: a run of study 't', not of 's'"):
        read_logs([good, training_log(tmp_path, study="t")], "s")
    with pytest.raises(UserError, match="unknown architecture 'depth99'"):
        read_logs([training_log(tmp_path, "depth99")], "s")
    mixed = tmp_path / "mixed.csv"
    mixed.write_text(good.read_text() + training_log(tmp_path, "depth3").read_text().split("\n")[1])
    with pytest.raises(UserError, match=r"mixed\.csv: a log of 2 runs"):
        read_logs([mixed], "s")


@pytest.mark.parametrize("caption", sorted((ROOT / "workflow/report").glob("*.rst")))
def test_captions_render_without_warnings(caption, capsys):
    config = load(ROOT / "params.yaml").model_dump()  # as the workflow has it
    snakemake = SimpleNamespace(
        wildcards=SimpleNamespace(study="digits", ratio="90-10", sweep="size"),
        params=SimpleNamespace(label="the number of training images", images=64, noises=8),
        config=config | {"sweeps": {"size": {"study": "digits"}}},
    )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    text = environment.from_string(caption.read_text()).render(snakemake=snakemake)
    body = publish_parts(text, writer="html", settings_overrides={"report_level": 1})["body"]
    assert capsys.readouterr().err == ""
    assert "system-message" not in body and "{" not in body and len(body) > 300
