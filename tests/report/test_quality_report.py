"""The figure and the table of quality, from made-up results."""

import numpy as np
import pandas as pd
import pytest

from depthbias.estimates.tidy import tidy
from depthbias.report.quality_table import sections, wide_table
from depthbias.report.registry import draw
from depthbias.system.errors import UserError

ABOUT = {"pixels": {"embedding": "pixels", "origin": "the images", "metric": "euclidean", "k": 5}}
VALUES = {"precision": 0.7, "recall": 0.6, "density": 0.8, "coverage": 0.5, "kid": 0.02}
REAL = {"precision": 0.9, "recall": 0.9, "density": 1.0, "coverage": 0.97, "kid": 0.0}


def made_up(embeddings=("pixels", "classifier"), ks=(3, 5), recall=True):
    """Rows of two ratios, two depths and two classes; each stage adds 0.01, k = 3 another 0.1."""
    rows = []
    for ratio in ("90-10", "60-40"):
        for architecture, stage in (("real", 0), ("depth2", 2), ("depth3", 3)):
            run = {"study": "s", "ratio": ratio, "architecture": architecture, "sampler": "ddim-4"}
            run |= {"sampler": ""} if not stage else {}
            for metric, value in (VALUES if stage else REAL).items():
                for k in (None,) if metric == "kid" else ks:
                    found = value + 0.01 * stage + 0.1 * (k == 3)
                    found = np.nan if stage and metric == "recall" and not recall else found
                    for name in ("", "six", "nine"):
                        for embedding in embeddings:
                            one = run | {"metric": f"{metric}:{embedding}", "class": name, "k": k}
                            one |= {"value": found, "n": 50, "runs": 1}
                            limits = {"lower": found - 0.02, "upper": found + 0.03}
                            rows.append(one | limits | {"seed": "all"})
                            rows += [one | {"seed": "0"}] * bool(stage)
    trend = {"study": "s", "ratio": "90-10", "architecture": "published", "seed": "all"}
    trend |= {"sampler": "ddim-4", "class": "", "n": 4, "lower": -0.5, "upper": 0.1}
    for k in ks:
        rows.append(trend | {"metric": "precision_per_depth:pixels", "k": k, "value": -0.2 * k})
    return pd.DataFrame(tidy(rows)).astype({"k": float})


def shown(figure):
    return {axes.get_title(): axes for axes in figure.axes}


def test_the_figure_has_a_column_a_measure_with_what_real_images_reach():
    panels = shown(draw("quality", made_up(), ABOUT))
    assert list(panels) == ["precision", "recall", "density", "coverage", "KID"]
    expected = {"precision": (90, 72), "density": (1, 0.82), "KID": (0, 40)}
    for name, (real, depth2) in expected.items():
        lines = [line for line in panels[name].lines if len(line.get_xdata()) == 2]
        dashed = [
            line.get_ydata()[0] for line in lines if line.get_ydata()[0] == line.get_ydata()[1]
        ]
        assert dashed == pytest.approx([real, real])  # a line a ratio
        points = [line.get_ydata()[0] for line in lines if line.get_xdata()[0] == 2]
        assert points[0] == pytest.approx(depth2)
    note = draw("quality", made_up(), ABOUT).legends[0].get_title().get_text()
    assert "k = 5" in note and "pixels: the images" in note


def test_recall_that_no_model_has_is_left_out():
    panels = shown(draw("quality", made_up(recall=False), ABOUT))
    assert list(panels) == ["precision", "density", "coverage", "KID"]


def test_a_summary_without_quality_is_a_user_error():
    summary = made_up()
    with pytest.raises(UserError, match="nothing for 'precision'"):
        draw("quality", summary[summary["metric"].str.startswith("kid")], ABOUT)


def test_the_table_has_one_k_to_read_and_all_of_them_in_the_file():
    summary = made_up()
    found = {section.heading: section for section in sections(summary, ABOUT)}
    settings = [f"trained on {ratio}, DDIM, 4 steps" for ratio in ("90-10", "60-40")]
    kinds = ("All images, pixels", "All images, classifier", "By class, pixels")
    assert set(found) == {f"{kind}: {s}" for kind in kinds for s in settings} | {"Trend over depth"}
    whole = found[f"All images, pixels: {settings[0]}"]
    assert whole.header[1:] == [
        "precision (%)",
        "recall (%)",
        "density",
        "coverage (%)",
        "KID x 1000",
    ]
    assert whole.rows[0][:2] == ["held-out images", "90.0 [88.0, 93.0]"]
    assert whole.rows[1][:2] == ["depth2", "72.0 [70.0, 75.0]"]
    assert found[f"By class, pixels: {settings[0]}"].header[6] == "nine precision (%)"
    [trend] = found["Trend over depth"].rows
    assert trend == ["precision:pixels k=5, " + settings[0], "-1.0000 [-0.5000, 0.1000]"]
    table = wide_table(summary, {}).set_index(["ratio", "architecture"])
    line = table.loc[("90-10", "depth3")]
    assert line["precision:pixels k=3 nine"] == pytest.approx(0.83)
    assert line["kid:classifier"] == pytest.approx(0.05)
