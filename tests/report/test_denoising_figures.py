"""Figures of stage costs and of losses by level, and the sentences about dead stages."""

import numpy as np
import pytest
from measures.denoising_runs import DEAD, SIGMAS, made_up

from depthbias.estimates.tidy import read_rows, tidy, write_rows
from depthbias.measures.denoising_rows import denoising_rows
from depthbias.report.denoising_figures import NO_STAGES
from depthbias.report.depth_notes import depth_notes
from depthbias.report.registry import draw
from depthbias.system.errors import UserError

ALIVE = {"depth2": [[2, 2, 2]], "depth3": [[3, 3, 3], [1.2, 1.2, 1.2]]}
RATIOS = ("90-10", "60-40")


def rows(costs, ratios=RATIOS, seeds=2, gap=-0.1):
    return tidy(
        denoising_rows(
            [
                made_up(name, of, seed, ratio, gap=gap)
                for ratio in ratios
                for name, of in costs.items()
                for seed in range(seeds)
            ]
        )
    )


def texts(figure):
    legend = figure.legends[0]
    return legend.get_title().get_text().replace("\n", " "), [t.get_text() for t in legend.texts]


def test_depth_use_has_a_panel_a_unet_and_ratio_and_a_line_a_stage(tmp_path):
    write_rows(tmp_path / "rows.csv", rows(ALIVE | {"depth4": DEAD, "dit-small": []}))
    figure = draw("depth-use", read_rows(tmp_path / "rows.csv"), {})
    assert [axes.get_title() for axes in figure.axes[:3]] == [
        "depth2\n(effective depth 2)",
        "depth3\n(effective depth 3)",
        "depth4\n(effective depth 3)",
    ]
    assert len(figure.axes) == 6
    last = figure.axes[2]
    drawn = [c.lines[0] for c in last.containers]
    assert [line.get_xdata().tolist() for line in drawn] == [SIGMAS] * 3
    assert [line.get_ydata().tolist() for line in drawn] == [pytest.approx(c) for c in DEAD]
    title, labels = texts(figure)
    assert labels[:3] == ["first stage kept", "first 2 stages kept", "first 3 stages kept"]
    assert "The deepest stage of depth4 can be cut off without cost" in title


def test_a_study_without_stages_says_so():
    figure = draw("depth-use", rows({"dit-small": []}), {})
    assert [text.get_text() for text in figure.texts] == [NO_STAGES]


def test_convergence_shows_held_out_losses_and_gaps_in_percent():
    figure = draw("convergence", rows(ALIVE | {"dit-small": []}), {})
    assert len(figure.axes) == 4
    loss, gap = figure.axes[:2]
    runs = made_up("depth2", [[2, 2, 2]])
    w = np.where(runs.heldout_labels, 0.1, 0.9) / 15
    expected = runs.heldout_errors @ w
    assert len(loss.containers) == len(gap.containers) == 3
    assert loss.containers[0].lines[0].get_ydata() == pytest.approx(expected)
    train = runs.training_errors * 0.9 @ (np.where(runs.training_labels, 0.1 / 7, 0.9 / 8))
    found = gap.containers[0].lines[0].get_ydata()
    assert found == pytest.approx(100 * (train / expected - 1))
    dotted = [line for line in loss.lines if line.get_linestyle() == ":"]
    assert dotted[0].get_ydata()[0] == pytest.approx(0.25)


def test_a_summary_without_denoising_errors_is_a_user_error():
    with pytest.raises(UserError, match="has no heldout_loss: measure the study's denoising"):
        draw("convergence", rows(ALIVE).iloc[:0], {})


def test_sentences_name_the_unets_whose_deepest_stages_are_dead():
    assert depth_notes(rows(ALIVE)) == []
    assert depth_notes(rows({"depth4": DEAD, "dit-small": []})) == [
        "The deepest stage of depth4 can be cut off without cost: its effective depth is 3."
    ]
    two = [[2, 2, 2], [1, 1, 1], [1, 1, 1]]
    assert depth_notes(rows({"depth4": two})) == [
        "The 2 deepest stages of depth4 can be cut off without cost: its effective depth is 2."
    ]


def test_sentences_count_the_models_where_they_differ():
    whole = [[2, 2, 2], [2, 2, 2], [1.2, 1, 1]]
    mixed = [made_up("depth4", costs, seed) for seed, costs in enumerate([DEAD, whole, DEAD])]
    assert depth_notes(tidy(denoising_rows(mixed))) == [
        "In 2 of 3 models of depth4 the deepest stage can be cut off without cost: "
        "its effective depth is 3.3 on average."
    ]
