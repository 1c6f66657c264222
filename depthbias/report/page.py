"""The page of a study: its answer, what that rests on, claims, samples, methods, in one file.

The template, its style and its script lie beside this module as page.html, page.css and page.js.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from depthbias.estimates.arm_names import ARMS, SIGNS, in_arm
from depthbias.estimates.endpoints import VERDICT_ARMS, Endpoint
from depthbias.report.cells import cell
from depthbias.report.claims import CLAIMS, Judged
from depthbias.report.lights import Light
from depthbias.report.pages import Section
from depthbias.report.sample_browser import data_uri

QUESTION = "Does a deeper model amplify the bias of its training data?"
SYMBOLS = {"holds": "●", "doubtful": "▲", "fails": "■", "not measured": "○"}
ENDS = ("value", "lower", "upper")
KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


class Bar(NamedTuple):
    """One arm of the answer: title, slope as text, decision; places on its scale, percent.

    An arm without a slope has no place.
    """

    title: str
    estimate: str = "-"
    says: str = "no slope"
    value: float | None = None
    lower: float = 0
    upper: float = 0


class Scale(NamedTuple):
    """Bars of all arms on one scale: where 0 and ± the smallest slope lie on it, percent.

    rising: whether a slope above 0 amplifies.
    """

    bars: list[Bar]
    zero: float
    near: float
    far: float
    smallest: str
    rising: bool


def arm_bars(slopes: pd.DataFrame, endpoint: Endpoint) -> Scale | None:
    """The endpoint's slope in every arm, to be drawn; None if the study has none."""
    rows = slopes[slopes["role"] == "primary"].set_index("metric")
    smallest = endpoint.smallest
    if rows.empty:
        return None
    limits = [*rows[list(ENDS)].to_numpy().ravel(), -1.2 * smallest, 1.2 * smallest]
    low, high = np.nanmin(limits), np.nanmax(limits)

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    bars = []
    for arm in VERDICT_ARMS:
        title, metric = ARMS[arm].title, in_arm(endpoint.metric, arm)
        if metric not in rows.index:
            bars.append(Bar(title))
            continue
        row = rows.loc[metric]
        ends = [place(row["value"] if pd.isna(row[end]) else row[end]) for end in ENDS]
        bars.append(Bar(title, cell(row, digits=3), row["decision"], *ends))
    rising = SIGNS[endpoint.metric] > 0
    return Scale(bars, place(0), place(-smallest), place(smallest), f"{smallest:g}", rising)


def pictures(paths: Iterable[Path]) -> dict[str, str]:
    """{name: data URI} of figures, of each the smaller one of its files."""
    smallest: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: path.stat().st_size, reverse=True):
        smallest[path.stem] = path
    return {n: data_uri(path.read_bytes(), KINDS[path.suffix]) for n, path in smallest.items()}


def page(
    study: str,
    verdict: Mapping[str, Any],
    arms: Scale | None,
    lights: Sequence[Light],
    claims: Sequence[Judged],
    figures: Mapping[str, str],
    samples: Mapping[str, Any] | None,
    methods: Mapping[str, Any],
    question: str = QUESTION,
    sections: Sequence[Section] = (),
    doubts: Sequence[str] = (),
) -> str:
    """The page as HTML. figures: as `pictures`; samples: as `browser`; methods: as `methods`.

    doubts: sentences under the answer; sections: tables that stand below it.
    """
    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = {one.claim.figure for one in claims}
    return environment.get_template("page.html").render(
        study=study,
        question=question,
        sections=sections,
        verdict=verdict,
        doubts=doubts,
        arms=arms,
        lights=lights,
        symbols=SYMBOLS,
        claims=claims,
        silent=[c.title for key, c in CLAIMS.items() if key not in {one.key for one in claims}],
        figures=figures,
        behind=[one for one in _figures_of(lights) if one.figure not in shown],
        samples=samples,
        data=_json(samples),
        methods=methods,
        style=(folder / "page.css").read_text("utf-8"),
        script=(folder / "page.js").read_text("utf-8"),
    )


def _figures_of(lights: Iterable[Light]) -> list[Light]:
    """The first light of each figure."""
    return list({light.figure: light for light in lights if light.figure}.values())


def _json(content: object) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(content, default=lambda array: array.tolist()).replace("<", "\\u003c")
