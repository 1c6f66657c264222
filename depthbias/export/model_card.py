"""The card of an exported model: what it was trained on, what it makes, how to sample it.

The template lies beside this module as model_card.md.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from depthbias.data.subsets import read_subset
from depthbias.estimates.runs import ALL
from depthbias.estimates.tidy import main_sampler, of
from depthbias.export.jobs import Job
from depthbias.export.study import Study
from depthbias.report.cells import cell
from depthbias.report.methods import checkout

TAGS = ["diffusers", "unconditional-image-generation", "bias", "memorisation"]
TASK = "unconditional-image-generation"
# What a card shows: the metric, its name in words, whether over all ratios, its factor and digits.
SHOWN = {
    "share_corrected": ("share, %", False, 100.0, 1),
    "undecidable_share": ("undecidable, %", False, 100.0, 1),
    "kappa": ("kappa", True, 1.0, 2),
    "memorised_share:pixels": ("copies of a training image, %", False, 100.0, 1),
}
DDPM = """\
from diffusers import DDIMPipeline

pipeline = DDIMPipeline.from_pretrained(FOLDER)
made = pipeline(
    batch_size=8,
    num_inference_steps={steps},
    use_clipped_model_output=True,
    output_type="np",
)
images = (255 * made.images).round().astype("uint8")"""
EDM = """\
import torch
from diffusers import EDMEulerScheduler, UNet2DModel

unet = UNet2DModel.from_pretrained(FOLDER, subfolder="unet").eval()
scheduler = EDMEulerScheduler.from_pretrained(FOLDER, subfolder="scheduler")
scheduler.set_timesteps({steps})
x = torch.randn(8, {channels}, {size}, {size}) * scheduler.init_noise_sigma
with torch.inference_mode():
    for t in scheduler.timesteps:
        output = unet(scheduler.scale_model_input(x, t), t).sample
        sigma = scheduler.sigmas[scheduler.step_index]
        x0 = scheduler.precondition_outputs(x, output, sigma).clamp(-1, 1)
        x = scheduler.step(output, t, x, pred_original_sample=x0).prev_sample
images = ((x / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()"""
STEPS = 50  # where the study has no number of steps of DDIM


class Shown(NamedTuple):
    """A line of the card: an estimate in words, and as it stands in the summary."""

    metric: str
    title: str
    label: str
    text: str
    seed: str
    value: float
    lower: float
    upper: float


def shown(summary: pd.DataFrame, run: Mapping[str, str]) -> list[Shown]:
    """What a study measured of a model with its main sampler, and of the models like it.

    summary: tidy rows; run: its ratio, architecture and seed.
    """
    rows = main_sampler(summary)
    rows = rows[(rows["architecture"] == run["architecture"])]
    rows = rows[rows["seed"].isin([run["seed"], ALL])]
    found = []
    for metric, (title, over_ratios, scale, digits) in SHOWN.items():
        ratio = ALL if over_ratios else run["ratio"]
        chosen = of(rows[rows["ratio"] == ratio], metric)
        if metric.startswith("memorised"):
            chosen = chosen[chosen["class"] == ""]
        for _, row in chosen.iterrows():
            words = (title, row["class"], cell(row, scale, digits), row["seed"])
            found.append(Shown(metric, *words, *row[["value", "lower", "upper"]]))
    return found


def sampling_code(meta: Mapping[str, Any], steps: int) -> str:
    """Python that samples the model in FOLDER by deterministic DDIM, as a study's ddim does."""
    template = DDPM if meta["objective"] == "ddpm" else EDM
    return template.format(steps=steps, channels=meta["channels"], size=meta["size"])


def ddim_steps(samplers: list[str]) -> int:
    """The steps of the first DDIM sampler, like "ddim-25"; STEPS if there is none."""
    return next((int(s.partition("-")[2]) for s in samplers if s.startswith("ddim-")), STEPS)


def write_card(folder: Path, study: Study, job: Job, meta: Mapping[str, Any]) -> None:
    """Write README.md with the metadata that the Hugging Face Hub reads.

    job: what made the model; meta: the model's description.
    """
    run = meta["run"]
    name = "-".join([run["study"], run["ratio"], run["architecture"], f"seed{run['seed']}"])
    summary = study.summary
    rows = [] if summary is None else shown(summary, run)
    content = _template().render(
        card_data=_metadata(name, study.data_set, rows).to_yaml(),
        name=name,
        data_set=study.data_set,
        licence=study.licence,
        rows=rows,
        decidable=study.option(["measure_bias"], "decidable"),
        commands=[*checkout(meta["git"]), f"snakemake --cores all {job.flags['model'][0]}"],
        **_facts(meta),
        **_from_records(study, job, meta),
    )
    ModelCard(content).save(folder / "README.md")


def _facts(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What the description of a model tells, in words."""
    names = ("size", "channels", "architecture", "images", "objective", "batch_size", "seed")
    return {
        **{name: meta[name] for name in (*names, "weights", "git", "device")},
        "parameters": f"{meta['parameters']:,}",
        "budget": f"{meta['budget']:,}",
        "software": ", ".join(f"{key} {number}" for key, number in meta["versions"].items()),
    }


def _from_records(study: Study, job: Job, meta: Mapping[str, Any]) -> dict[str, Any]:
    """The training images by class, and how the study sampled the model."""
    train = next(one for one in study.behind(job) if one.rule == "train")
    subset = read_subset(study.path(train, "subset"))
    shares = zip(subset.classes, subset.proportions, subset.counts, strict=True)
    samplers = study.samplers(job)
    return {
        "mix": ", ".join(f"{name} {100 * share:.3g} % ({n})" for name, share, n in shares),
        "sampler": samplers[0] if samplers else "",
        "code": sampling_code(meta, ddim_steps(samplers)),
    }


def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - Markdown, not HTML
    )
    return environment.get_template("model_card.md")


def _metadata(name: str, data_set: str, rows: list[Shown]) -> ModelCardData:
    """The front matter; its model-index holds the rows of the model itself."""
    results = [
        EvalResult(
            task_type=TASK,
            dataset_type=data_set,
            dataset_name=data_set,
            metric_type=row.metric,
            metric_name=f"{row.metric} {row.label}".strip(),
            metric_value=round(row.value, 6),
            metric_args={"lower": round(row.lower, 6), "upper": round(row.upper, 6)},
        )
        for row in rows
        if row.seed != ALL
    ]
    return ModelCardData(
        library_name="diffusers",
        pipeline_tag=TASK,
        tags=TAGS,
        model_name=name,
        eval_results=results or None,
    )
