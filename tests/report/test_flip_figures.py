"""Figures of round trips, from made-up ones."""

import numpy as np
import pandas as pd
import pytest
from measures.test_flips import made_up

from depthbias.estimates.tidy import read_rows, tidy, write_rows
from depthbias.measures.flip_rows import flip_rows
from depthbias.report.flip_figures import MISSING, ONE_SEED
from depthbias.report.registry import draw
from depthbias.system.errors import UserError


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    """Three depths and k-NN at two ratios, 3 seeds, as a summary has them."""
    chances = {"depth2": 0.1, "depth3": 0.2, "depth4": 0.3}
    cells = [(ratio, seed) for ratio in ("90-10", "60-40") for seed in (0, 1, 2)]
    models = [
        made_up(name, seed, ratio, (0.05, chance))
        for name, chance in chances.items()
        for ratio, seed in cells
    ]
    twins = [
        made_up("train", seed, ratio, (0.1, 0.4), k=k) for ratio, seed in cells for k in (1, 30, 0)
    ]
    path = tmp_path_factory.mktemp("summary") / "rows.csv"
    write_rows(path, flip_rows(models, twins))
    return read_rows(path)


def test_bias_and_variance_stand_on_the_same_axes_for_k_and_depth(summary):
    figure = draw("bias-variance", summary, {})
    assert len(figure.axes) == 2 * 2 * 2  # ratios, parts, columns
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    left, right = figure.axes[-2:]
    assert [text.get_text() for text in left.get_xticklabels()] == ["1", "30", "all"]
    assert [text.get_text() for text in right.get_xticklabels()] == ["2", "3", "4"]
    drawn = figure.axes[1].containers[0][0].get_ydata()
    rows = summary[(summary["metric"] == "class_bias:heldout") & summary["sigma"].isna()]
    rows = rows[(rows["ratio"] == "90-10") & (rows["architecture"] != "train")]
    assert np.allclose(drawn, rows.sort_values("architecture")["value"])
    assert "3 training sets (95 % interval), 20 images" in figure.legends[0].get_title().get_text()


def test_flips_have_a_column_a_pair_of_classes(summary):
    figure = draw("flips", summary, {})
    assert [axes.get_title() for axes in figure.axes[:2]] == ["six → nine", "nine → six"]
    assert len(figure.axes) == 4 and len(figure.axes[0].containers) == 3
    twin = figure.axes[0].lines[0].get_ydata()
    rows = summary[(summary["metric"] == "flip_rate:heldout") & (summary["class"] == "six->nine")]
    rows = rows[(rows["architecture"] == "train") & rows["k"].isna() & rows["sigma"].notna()]
    assert np.allclose(twin, rows[rows["ratio"] == "90-10"]["value"])


def test_one_seed_says_why_there_is_nothing_and_still_shows_flips():
    rows = tidy(flip_rows([made_up()], []))
    assert draw("bias-variance", rows, {}).texts[0].get_text() == ONE_SEED
    assert len(draw("flips", rows, {}).axes) == 2


def test_a_summary_without_round_trips_is_a_user_error(summary):
    other = pd.DataFrame(summary[summary["metric"] == "class_bias:heldout"])
    for name in ("bias-variance", "flips"):
        with pytest.raises(UserError, match=MISSING):
            draw(name, other, {})
