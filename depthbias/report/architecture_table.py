"""[BIAS] Table A of a study: its architectures, with the sizes of the real networks."""

from collections.abc import Iterable

import pandas as pd

from depthbias.diffusion.architectures import SERIES, get_architecture
from depthbias.estimates.runs import ordered_architectures
from depthbias.report.pages import Section
from depthbias.report.published import PARAMETERS, SOURCE


def architecture_table(
    names: Iterable[str], channels: int, size: int, width: float
) -> pd.DataFrame:
    """One row an architecture, in reading order; parameters as published, measured, of the study.

    Measured: with 3 image channels at width 1. channels, size (pixels) and width are the study's.
    """
    rows = [
        {
            "name": name,
            "series": found.series,
            "depth": found.depth,
            **found.describe(),
            "parameters_published": PARAMETERS.get(name),
            "parameters_measured": found.parameters(3, size, 1.0),
            "parameters_study": found.parameters(channels, size, width),
        }
        for name in ordered_architectures(names)
        for found in [get_architecture(name)]
    ]
    return pd.DataFrame(rows).astype({"depth": "Int64", "parameters_published": "Int64"})


def tidy_rows(table: pd.DataFrame, study: str) -> list[dict[str, object]]:
    """The metric `parameters` of every architecture of the study."""
    return [
        {"study": study, "architecture": name, "metric": "parameters", "value": count}
        for name, count in zip(table["name"], table["parameters_study"], strict=True)
    ]


def section(table: pd.DataFrame, channels: int, width: float) -> Section:
    """The same as a table to read."""
    note = (
        "Channels: of the blocks, outermost first. Attention: the stage that has it, from 0; "
        f"{SOURCE} does not give it beyond depth 3. Parameters: as published there in Table A; "
        "of our network with 3 image channels at width 1; and in this study, with "
        f"{channels} image channel{'s' * (channels > 1)} at width {width:g}."
    )
    header = ["name", "series", "depth", "channels", "attention", "published", "ours", "this study"]
    rows = [
        [
            row.name,
            SERIES[row.series],
            _whole(row.depth),
            row.block_out_channels,
            row.attention_stage,
            _whole(row.parameters_published),
            _whole(row.parameters_measured),
            _whole(row.parameters_study),
        ]
        for row in table.itertuples(index=False, name="Row")
    ]
    return Section("Architectures and their parameters", note, header, rows)


def _whole(number: int) -> str:
    return "-" if pd.isna(number) else f"{number:,}"
