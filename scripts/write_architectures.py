"""Write the table of architectures (the paper's Table A) with the sizes of the real U-Nets."""

import argparse
from pathlib import Path

import pandas as pd

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import ordered_architectures
from depthbias.estimates.tidy import write_rows
from depthbias.report.names import SERIES
from depthbias.report.pages import Section, html_page, markdown_page
from depthbias.report.published import PARAMETERS, SOURCE
from depthbias.system.errors import command
from depthbias.system.files import replacing, write_text


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--architectures", nargs="+", required=True, metavar="NAME", help="named architectures")
    add("--channels", type=int, required=True, help="of the study's images")
    add("--size", type=int, required=True, help="height and width of the study's images")
    add("--width", type=float, required=True, help="the study's factor on all channels")
    add("--study", required=True, help="name of the study, for the rows")
    add("--rows", type=Path, required=True, help="parameters as tidy rows, to write (.csv)")
    add("--output-csv", type=Path, required=True)
    add("--output-md", type=Path, required=True)
    add("--output-html", type=Path, help="the same for the report")
    return parser.parse_args()


def count_parameters(name: str, channels: int, size: int, width: float) -> int:
    """Trainable parameters of the real U-Net."""
    import torch

    from depthbias.diffusion.unet import build_unet

    with torch.device("meta"):  # shapes only, no weights
        architecture = build_unet(name, channels=channels, size=size, width=width)
    return sum(parameter.numel() for parameter in architecture.parameters())


def describe(name: str, channels: int, size: int, width: float) -> dict[str, object]:
    """One row of the table."""
    found = get_architecture(name)
    return {
        "name": name,
        "series": found.series,
        "depth": found.depth,
        "block_out_channels": " ".join(map(str, found.channels)),
        "attention_stage": found.attention,
        "parameters_published": PARAMETERS.get(name),
        "parameters_measured": count_parameters(name, 3, size, 1.0),
        "parameters_study": count_parameters(name, channels, size, width),
    }


def as_section(table: pd.DataFrame, channels: int, width: float) -> Section:
    note = (
        "Channels: of the blocks, outermost first. Attention: the stage that has it, from 0; "
        f"{SOURCE} does not give it beyond depth 3. Parameters: as published there in Table A; "
        "of our U-Net with 3 image channels at width 1; and in this study, with "
        f"{channels} image channel{'s' * (channels > 1)} at width {width:g}."
    )
    header = ["name", "series", "depth", "channels", "attention", "published", "ours", "this study"]
    rows = [
        [
            row.name,
            SERIES[row.series],
            str(row.depth),
            row.block_out_channels,
            str(row.attention_stage),
            "-" if pd.isna(row.parameters_published) else f"{int(row.parameters_published):,}",
            f"{row.parameters_measured:,}",
            f"{row.parameters_study:,}",
        ]
        for row in table.itertuples(index=False, name="Row")
    ]
    return Section("Architectures and their parameters", note, header, rows)


def main() -> None:
    arguments = parse()
    shape = (arguments.channels, arguments.size, arguments.width)
    table = pd.DataFrame(
        [describe(name, *shape) for name in ordered_architectures(arguments.architectures)]
    )
    table["parameters_published"] = table["parameters_published"].astype("Int64")
    rows = [
        {"study": arguments.study, "architecture": name, "metric": "parameters", "value": count}
        for name, count in zip(table["name"], table["parameters_study"], strict=True)
    ]
    write_rows(arguments.rows, rows)
    section = as_section(table, arguments.channels, arguments.width)
    with replacing(arguments.output_csv) as temporary:
        table.to_csv(temporary, index=False)
    write_text(arguments.output_md, markdown_page("Architectures", [section]))
    if arguments.output_html:
        write_text(arguments.output_html, html_page("Architectures", [section]))


if __name__ == "__main__":
    command(main)
