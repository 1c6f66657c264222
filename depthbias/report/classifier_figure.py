"""Figure of the share of a class against the probability from which images count for it."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthbias.estimates.runs import REAL, ordered_architectures
from depthbias.estimates.tidy import main_sampler, of
from depthbias.report.names import ratio_title
from depthbias.report.panels import draw_points, legend_above, limits, mark_handles, panel_grid
from depthbias.report.style import GREY, class_marks, styled
from depthbias.system.errors import UserError

METRIC = "share_above"


@styled()
def plot_thresholds(summary: pd.DataFrame) -> Figure:
    """Share of the last class in percent, a line a classifier, a row a ratio, a column a model.

    Dashed: held-out images mixed at the training ratio. Main sampler, over all seeds.
    """
    rows = of(summary, METRIC)
    if rows.empty:
        raise UserError("the summary has no other classifiers: measure the study's classifiers")
    rows = main_sampler(rows.assign(classifier=rows["metric"].str.partition(":")[2]))
    name = rows["class"].iloc[-1]
    rows = rows[rows["class"] == name]
    rows = rows.assign(**{part: 100 * rows[part] for part in ("value", "lower", "upper")})
    architectures = ordered_architectures(rows["architecture"])
    classifiers = list(rows["classifier"].unique())
    marks = dict(zip(classifiers, class_marks(len(classifiers)), strict=True))
    ratios = list(rows["ratio"].unique())
    figure, grid = panel_grid(len(ratios), len(architectures), share="all")
    models = rows[rows["architecture"] != REAL]
    for ratio, line in zip(ratios, grid, strict=True):
        own = rows[rows["ratio"] == ratio]
        line[0].set_ylabel(f"{ratio_title(ratio)}\n{name} (%)")
        for architecture, axes in zip(architectures, line, strict=True):
            for place, (classifier, mark) in enumerate(marks.items()):
                curve = own[own["classifier"] == classifier].sort_values("k")
                real = curve[curve["architecture"] == REAL]
                axes.plot(real["k"], real["value"], color=mark.colour, ls=(0, (4, 3)), lw=0.8)
                curve = curve[curve["architecture"] == architecture]
                shift = 2.0 * (place - (len(marks) - 1) / 2)
                draw_points(axes, curve["k"].to_numpy(), curve, mark, shift)
    for architecture, axes in zip(architectures, grid[0], strict=True):
        axes.set_title(architecture)
        axes.set_ylim(limits(models, rows["value"]))
    figure.supxlabel(f"least probability of {name}", fontsize=8)
    real = Line2D([], [], color=GREY, ls=(0, (4, 3)), lw=0.8, label="held-out images")
    study = f"study {rows['study'].iloc[0]}: all seeds, with 95 % intervals"
    legend_above(figure, [*mark_handles(marks), real], [study])
    return figure
