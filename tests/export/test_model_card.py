"""What the card says of a model that was not measured, and of the terms of its data."""

import json

import pytest
from huggingface_hub import ModelCard
from made_up_records import record

from depthbias.export.model_card import write_card
from depthbias.export.study import Study

RUN = {"study": "faces", "ratio": "75-25", "architecture": "depth2", "seed": "1"}
SUBSET = {"ratio": "75-25", "seed": 1, "classes": ["man", "woman"]}
SUBSET |= {"indices": [3, 5, 8, 9], "labels": [0, 1, 0, 0]}
META = {
    "run": RUN,
    "architecture": "depth2",
    "objective": "edm",
    "size": 8,
    "channels": 3,
    "images": 4,
    "batch_size": 2,
    "seed": 1,
    "weights": "0f",
    "git": "abc1234+dirty",
    "device": "cpu",
    "parameters": 1234567,
    "budget": 64000,
    "versions": {"torch": "2.13.0", "diffusers": "0.42.1"},
}


def card(folder, data_set):
    """The card of a model, with the records of a study that only trained it."""
    images, subset, model = "data/faces/images.npz", "data/faces/s.json", "results/faces/m"
    script = 'python "$DEPTHBIAS/scripts/'
    prepare = f'{script}prepare.py" --dataset {data_set} --output {images}'
    record(folder, images, "prepare", prepare)
    record(folder, subset, "subset", f'{script}subset.py" --output {subset}', [images], 150.0)
    (folder / subset).write_text(json.dumps(SUBSET))
    train = f"{script}train.py\" --subset {subset} --run '{json.dumps(RUN)}' --model {model}"
    record(folder, model, "train", train, [images, subset], 200.0)
    study = Study("faces", folder)
    write_card(folder, study, study.model("75-25", "depth2", "1"), META)
    return ModelCard.load(folder / "README.md")


def test_the_card_of_an_edm_model_warns_of_pipelines(tmp_path):
    made = card(tmp_path, "celeba")
    for words in (
        "# faces-75-25-depth2-seed1",
        "| classes in training | man 75 % (3), woman 25 % (1) |",
        "| architecture | depth2, 1,234,567 parameters |",
        "Not measured.",
        "EDMEulerScheduler.from_pretrained(FOLDER",
        "x = torch.randn(8, 3, 8, 8) * scheduler.init_noise_sigma",
        "**Do not use a pipeline for this model.**",
        "git checkout abc1234\n",
        "snakemake --cores all results/faces/m\n",
    ):
        assert words in made.text
    assert "use_clipped_model_output" not in made.text
    assert made.data.eval_results is None


@pytest.mark.parametrize(
    "data_set, told, silent",
    [
        ("celeba", "The images may not be passed on.", "Not known."),
        ("digits", "CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/).", "may not be"),
        ("folder", "Not known. Ask who made the images", "may not be"),
    ],
)
def test_the_card_tells_the_terms_of_the_data(tmp_path, data_set, told, silent):
    text = card(tmp_path, data_set).text
    assert told in text and silent not in text
    assert "\n## How to make it again\n" in text and "\n\n\n" not in text
