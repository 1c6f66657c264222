"""params.yaml: what is accepted, and the one-line errors for what is not."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from depthbias.config.reading import load, parse, schema
from depthbias.data.registry import DATA_SETS
from depthbias.diffusion.sampler_names import SAMPLERS
from depthbias.system.errors import UserError
from depthbias.vision.embeddings import BACKBONES, EMBEDDINGS

ROOT = Path(__file__).parents[2]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


def changed(path, value):
    """params.yaml with the value at a dotted key path replaced (or added)."""
    content = copy.deepcopy(PARAMS)
    block = content
    *parents, key = path.split(".")
    for parent in parents:
        block = block[parent]
    block[key] = value
    return content


def test_the_shipped_file_is_valid_and_only_digits_is_active():
    params = load(ROOT / "params.yaml")
    assert params.active == ["digits"]
    assert {"digits", "mnist-small", "mnist", "mnist-arms", "celeba"} <= set(params.studies)


def test_the_mnist_and_celeba_studies_are_those_of_the_paper():
    studies = load(ROOT / "params.yaml").studies
    six = ["depth2", "depth2-large", "depth3", "depth4", "depth5", "depth6"]
    assert studies["mnist"].architectures == six and studies["celeba"].architectures == six
    assert studies["mnist"].ratios == ["90-10", "80-20", "70-30", "60-40", "50-50"]
    assert len(studies["mnist"].seeds) == 5 and studies["mnist"].sampling.images == 10_000
    assert studies["celeba"].ratios == ["natural"] and studies["celeba"].sampling.images == 10_000
    assert (studies["mnist"].data.size, studies["celeba"].data.size) == (32, 64)


def test_a_key_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_text("active: [a]\nstudies: {}\nactive: [b]\n")
    with pytest.raises(UserError, match=r"params\.yaml: .*line 3: 'active' is there twice"):
        load(tmp_path / "params.yaml")


def test_schema_file_is_the_one_the_classes_generate():
    written = json.loads((ROOT / "docs/params.schema.json").read_text())
    assert written == schema(), "run: python -m depthbias.config.reading > docs/params.schema.json"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("studies.digits.trainning", {}, ["studies.digits.trainning", "unknown key", "'training'"]),
        ("studies.digits.data.sizes", 8, ["studies.digits.data.sizes", "did you mean 'size'"]),
        ("actve", [], ["actve", "did you mean 'active'"]),
        ("studies.digits.classes.six.every", ["6"], ["classes.six.every", "unknown key"]),
        ("studies.digits.overrides", {"depth9": {}}, ["no architecture 'depth9'", "did you mean"]),
        ("studies.digits.overrides", {"depth2": {"bugdet": 9}}, ["'bugdet'", "mean 'budget'"]),
        ("studies.digits.overrides", {"depth2": {"budget": 0}}, ["overrides.depth2.budget", "0"]),
        ("studies.digits.overrides", {"depth2": {"objective": "ddpm"}}, ["one objective a study"]),
        ("studies.mnist-sweep.overrides", {"depth2": {"budget": 2000}}, ["above all", "snapshots"]),
        ("studies.mnist.data.raw", "", ["studies.mnist.data", "raw: data set mnist needs it"]),
        ("studies.digits.data.dataset", "folder", ["raw: data set folder needs it"]),
        ("studies.digits.data.labels", "l.csv", ["labels: only for data set folder"]),
        ("studies.digits.classifiers.others", ["svm-pixels"], ["others", "at least 2 items"]),
        ("studies.digits.classifiers.others", ["svm-pixel", "svm-pixels"], ["others"]),
        ("studies.digits.classifiers.others", ["svm-sscd", "network-1"], ["'sscd' is not in"]),
        ("studies.digits.classifiers.others", ["network-0", "svm-pixels"], ["another seed"]),
        ("studies.all", PARAMS["studies"]["digits"], ["'all' has a meaning of its own"]),
        ("studies.mnist-size-64", PARAMS["studies"]["digits"], ["mnist-size-64", "rename"]),
        ("studies.digits.ratios", ["90-20"], ["studies.digits.ratios", "110", "not 100"]),
        ("studies.digits.ratios", ["100-0"], ["empty class"]),
        ("studies.digits.ratios", ["ninety"], ["is not a ratio", "90-10"]),
        ("studies.digits.ratios", ["50-30-20"], ["studies.digits.ratios: ", "3 parts, 2 classes"]),
        ("studies.digits.ratios", ["60-40", "60-40"], ["listed twice"]),
        (
            "studies.digits.architectures",
            ["depth9"],
            ["studies.digits.architectures", "depth9", "did you mean"],
        ),
        (
            "studies.digits.architectures",
            ["depth6"],
            ["studies.digits.architectures: depth6", "8x8"],
        ),
        ("studies.digits.classes", {"a/b": {"any": ["6"]}, "c": {"any": ["9"]}}, ["a/b"]),
        ("studies.digits.classes.six", {}, ["selects nothing"]),
        ("studies.digits.neighbors.k", [5, 1], ["neighbors.k", "ascending"]),
        ("studies.digits.neighbors.k", [1, 140], ["studies.digits.neighbors.k", "140"]),
        ("studies.digits.neighbors.copies", {"sscd": 0.6}, ["copies", "'sscd'"]),
        (
            "studies.mnist.quality",
            {"k": [5, 1000]},
            ["quality.k: 1000", "1000 held-out", "heldout"],
        ),
        ("studies.digits.quality", {"manifold_k": 4}, ["quality.manifold_k: 4 is not among k"]),
        ("studies.digits.quality", {"manifold_embedding": "sscd"}, ["'sscd' is not among"]),
        ("studies.digits.quality", {"k": [5, 5]}, ["quality.k", "listed twice"]),
        ("studies.digits.denoising.sigmas", [1, 0.1], ["denoising.sigmas", "must rise"]),
        (
            "studies.digits.denoising.sigmas",
            [0.01, 50],
            ["denoising.sigmas", "none from 0.1 to 20"],
        ),
        ("studies.digits.flips.levels", [5, 1], ["flips.levels", "must rise"]),
        ("studies.digits.flips.levels", [0.01, 1], ["flips.levels.0", "greater than 0.01"]),
        ("studies.digits.flips.sampler", "ddpm-25", ["flips.sampler"]),
        ("studies.digits.flips.noises", 1, ["flips.noises", "equal to 2"]),
        ("studies.digits.denoising.heldout_images", 2, ["heldout_images", "equal to 4"]),
        ("studies.digits.subset_size", 0, ["studies.digits.subset_size", "greater than 0"]),
        ("studies.digits.training.objective", "score", ["objective", "'ddpm' or 'edm'"]),
        ("studies.digits.training.objective", "edm", []),
        ("studies.digits.sampling.samplers", ["ddim"], ["samplers", "pattern"]),
        ("studies.digits.classifier.threshold", 98, ["classifier.threshold", "less than 1"]),
        ("active", ["digit"], ["active", "'digit'", "did you mean 'digits'"]),
    ],
)
def test_bad_values_are_refused_in_one_line(path, value, words):
    content = changed(path, value)
    if not words:
        parse(content)
        return
    with pytest.raises(UserError) as caught:
        parse(content)
    message = str(caught.value)
    assert message.startswith("params.yaml: ") and "\n" not in message
    for word in words:
        assert word in message, message


def test_names_are_those_of_the_tables():
    blocks = schema()["$defs"]
    assert blocks["Data"]["properties"]["dataset"]["enum"] == list(DATA_SETS)
    assert blocks["Diversity"]["properties"]["backbone"]["enum"] == list(BACKBONES)
    embeddings = blocks["Neighbors"]["properties"]["embeddings"]["items"]
    assert embeddings["enum"] == list(EMBEDDINGS)
    pattern = blocks["Sampling"]["properties"]["samplers"]["items"]["pattern"]
    assert all(re.match(pattern, f"{name}-10") for name in SAMPLERS)
    assert not re.match(pattern, "plms-10")


def test_configuration_needs_no_torch():
    code = "import sys, depthbias.config.reading; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ancestral_sampling_needs_the_ddpm_objective():
    content = changed("studies.digits.training.objective", "edm")
    content["studies"]["digits"]["sampling"]["samplers"] = ["ddpm-1000"]
    with pytest.raises(UserError, match=r"ddpm needs training\.objective ddpm"):
        parse(content)


@pytest.mark.parametrize("text", ["a: [", "x: !!python/object/apply:os.system ['true']", "\xff"])
def test_files_that_are_not_plain_yaml_are_refused_in_one_line(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="not plain YAML") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.yaml: cannot read"):
        load(tmp_path / "nothing.yaml")


def test_overrides_change_the_training_of_one_unet_only():
    study = parse(changed("studies.digits.overrides", {"depth3": {"budget": 40_000}})).studies[
        "digits"
    ]
    assert study.training_of("depth2") == study.training
    assert study.training_of("depth3") == study.training.model_copy(update={"budget": 40_000})


@pytest.mark.parametrize("name", ["blond man", "Café", "a/b", "-x", "naïve", "a.b", "猫", ""])
@pytest.mark.parametrize("where", ["classes", "studies"])
def test_names_are_refused_in_words_that_say_what_may_stand(name, where):
    content = copy.deepcopy(PARAMS)
    studies = content["studies"]
    block = studies["digits"]["classes"] if where == "classes" else studies
    block[name] = next(iter(block.values()))
    with pytest.raises(UserError, match="letters from A to Z without accents, digits") as caught:
        parse(content)
    path = "studies.digits.classes" if where == "classes" else "studies"
    assert str(caught.value).startswith(f"params.yaml: {path}.{name}: a name has ")


def test_labels_may_be_any_text():
    content = changed("studies.digits.classes.six", {"any": ["Café au lait", "猫", "6/7"]})
    assert parse(content).studies["digits"].classes["six"].any == ["Café au lait", "猫", "6/7"]
