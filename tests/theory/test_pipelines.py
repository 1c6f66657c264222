"""Pipelines with a bypassed mid block: end to end with random weights, and what their rows say."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import of, read_rows, tidy
from depthbias.report.bypass_figures import plot_pipeline
from depthbias.system.errors import UserError
from depthbias.theory.pipelines import Settings, calls_of, load, pipeline_rows, similarity

BESIDE = Path(sys.prefix) / "prompts"  # where `make` puts transformers
HAS_TRANSFORMERS = find_spec("transformers") is not None or (BESIDE / "transformers").is_dir()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder in which tiny pipelines were made and bypassed."""
    folder = tmp_path_factory.mktemp("pipelines")
    paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH"), str(BESIDE)])
    changed = {"PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "tiny_pipelines.py"), str(folder)],
        env=os.environ | changed,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


needs_transformers = pytest.mark.skipif(
    not HAS_TRANSFORMERS, reason="`make` puts transformers into .venv/prompts"
)


@needs_transformers
@pytest.mark.parametrize("kind", ["text", "image"])
def test_pipelines_are_bypassed_end_to_end(made, kind):
    assert json.loads((made / "errors.json").read_text())[kind] == ""
    rows = read_rows(made / f"{kind}.csv")
    for metric in ("pipeline_similarity", "pipeline_clip"):
        found = of(rows, metric)
        assert list(found["class"]) == ["0", "100", "progressive"] and (found["n"] == 2).all()
        assert (found["lower"] <= found["value"]).all()
    assert of(rows, "pipeline_similarity")["value"].between(-1, 1).all()
    assert of(rows, "pipeline_similarity")["value"].nunique() == 3
    assert of(rows, "pipeline_clip_change").shape[0] == 2
    assert (made / f"{kind}.png").stat().st_size > 5000


@needs_transformers
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("plain", "UNet2DConditionModel: has no mid block that could be bypassed"),
        ("nowhere", "nowhere: no pipeline there: run `hf download stable-diffusion-v1-5/"),
        ("percentage", "120 % of the mid block: a percentage is 0 to 100"),
        ("clip", "none: no CLIP model there: run `hf download openai/clip-vit-large-patch14"),
        ("strength", "--strength 0.1 of 6 steps is no step"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(made, case, words):
    error = json.loads((made / "errors.json").read_text())[case]
    assert words in error and "\n" not in error


class Hub:
    """Weights that are on no hub."""

    @staticmethod
    def from_pretrained(where, **options):
        raise OSError("offline")


def test_a_name_of_the_hub_that_cannot_be_reached_says_what_to_fetch_and_where():
    with pytest.raises(UserError) as error:
        load("owner/model", "pipeline", "another/one", Hub)
    words = "run `hf download owner/model --local-dir data/weights/model`"
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_folder_that_holds_something_else_is_named(tmp_path):
    with pytest.raises(UserError, match=r"not a pipeline \(offline\)|cannot read"):
        load(str(tmp_path), "pipeline", "another/one", Hub)


def test_similarity_is_the_mean_correlation_of_pairs_of_prompts():
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 4, 3), dtype=np.uint8)
    flat = images.reshape(3, 2, -1)
    for seed in (0, 1):
        table = np.corrcoef(flat[:, seed])
        expected = table[np.triu_indices(3, 1)].mean()
        assert similarity(images)[seed] == pytest.approx(expected)
    same = np.repeat(images[:1], 3, axis=0)
    assert similarity(same) == pytest.approx([1, 1])
    assert similarity(np.zeros((2, 1, 4, 4, 3), np.uint8)) == pytest.approx([0])


def settings(**changed):
    given = {"prompts": ["a", "b"], "percentages": [0], "progressive": 50, "seeds": [0, 1]}
    return Settings(**given | {"steps": 10, "guidance": 7.5, "strength": 0.5} | changed)


def test_image_to_image_makes_a_share_of_the_steps():
    assert calls_of(settings(), from_image=False) == 10
    assert calls_of(settings(), from_image=True) == 5
    with pytest.raises(UserError, match="is no step"):
        calls_of(settings(strength=0.05), from_image=True)


@pytest.fixture
def rows():
    random = np.random.default_rng(1)
    drawn = {n: random.integers(0, 256, (2, 3, 4, 4, 3), np.uint8) for n in ("0", "50")}
    drawn["progressive"] = drawn["0"]
    scores = {"0": np.array([[20.0, 22, 24], [22, 24, 26]])}
    scores |= {"50": scores["0"] + [1, 2, 3], "progressive": scores["0"]}
    return tidy(pipeline_rows(drawn, scores, Run("pipeline", "", "", "", "ddim-4")))


def test_rows_are_over_seeds_and_changes_are_paired(rows):
    change = of(rows, "pipeline_clip_change").set_index("class")
    assert change.loc["50"].value == pytest.approx(2) and change.loc["50"].n == 3
    half = 4.302652729911275 / np.sqrt(3)  # Student's, two degrees of freedom, deviation 1
    assert change.loc["50"].upper == pytest.approx(2 + half)
    assert change.loc["progressive"].value == 0
    clip = of(rows, "pipeline_clip").set_index("class")
    assert clip.loc["0"].value == pytest.approx(23) and clip.loc["50"].k == 50
    assert of(rows, "pipeline_similarity_change").shape[0] == 2


def test_the_figure_shows_every_image_and_its_numbers(rows):
    images = np.zeros((3, 2, 4, 4, 3), np.uint8)
    figure = plot_pipeline(images, ["a", "b"], ["0 %", "50 %", "progressive"], rows)
    [axes] = figure.axes
    assert len(axes.images) == 6
    words = [text.get_text() for text in axes.texts]
    assert any(text.startswith("0 %\n") and "23.0 [" in text for text in words) and "b" in words
