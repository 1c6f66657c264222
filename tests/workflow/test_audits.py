"""Audits as a user runs them: own models and images against what is known of them."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import TINY, copy_checkout, snakemake
from PIL import Image

from depthbias.data.splits import read_split
from depthbias.data.subsets import read_subset
from depthbias.diffusion.checkpoints import load_model
from depthbias.estimates.runs import REAL, TRAIN
from depthbias.estimates.tidy import KEYS, read_rows
from depthbias.export.diffusers_folder import export_diffusers
from depthbias.measures.samples import read_samples
from depthbias.system.files import map_npz, read_json

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("audits")]

OWN = TINY["studies"]["tiny"] | {
    "ratios": ["natural"],
    "architectures": ["depth2"],
    "seeds": [0],
    "subset_size": 120,
}
RUN = "results/own/natural/depth2/seed0"
QUICK = {"classifier": {"budget": 8000, "batch_size": 64, "learning_rate": 0.002}}
QUICK |= {"bias": {"bootstrap": 200}, "neighbors": {"k": [1, 5]}}


def write_images(folder, name, rows, labels, classes):
    """Rows of the prepared images of the study as files, in their order, with a table."""
    images = map_npz(folder / "data/own/images.npz", "images")
    lines = ["file,label"]
    (folder / name).mkdir()
    for row, label in zip(rows, labels, strict=True):
        Image.fromarray(np.asarray(images[row, :, :, 0])).save(folder / name / f"{row:04}.png")
        lines.append(f"{row:04}.png,{classes[label]}")
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """A tiny study whose model, training and held-out images are audited as those of others."""
    folder = copy_checkout(
        tmp_path_factory.mktemp("audit") / "copy", {"active": ["own"], "studies": {"own": OWN}}
    )
    done = snakemake(folder, "--cores", "2", "results/own/neighbors.csv")
    assert done.returncode == 0, done.stdout[-4000:]
    subset = read_subset(folder / "data/own/natural/seed0.json")
    write_images(folder, "train", subset.rows, subset.labels, subset.classes)
    split = read_split(folder / "data/own/split.json")
    write_images(folder, "test", *split.rows("calibration", "control"), split.classes)
    model = load_model(folder / RUN / "model.safetensors", folder / RUN / "model.json")
    export_diffusers(*model, folder / "exported")
    data = {"raw": "train", "labels": "train.csv", "size": 8, "channels": 1}
    heldout = {"raw": "test", "labels": "test.csv"}
    subjects = {"depth2": {"diffusers": "exported"}, "same": {"images": "train"}}
    mine = {"data": data, "heldout": heldout, "subjects": subjects, "sampling": OWN["sampling"]}
    mine |= {"classes": {name: {"any": [name]} for name in split.classes}, **QUICK}
    subjects = {"same": {"images": "train"}, "unseen": {"images": "test"}}
    plain = {"data": data, "heldout": heldout, "subjects": subjects, **QUICK}
    studies = {"own": OWN, "mine": mine, "plain": plain}
    params = {"active": ["mine"], "studies": studies}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    done = snakemake(folder, "--cores", "2", "audit_mine", "plain")
    assert done.returncode == 0, done.stdout[-4000:]
    return folder


def test_a_model_that_was_exported_is_audited_as_it_was_measured(audited):
    folder = audited / "results/mine-models/natural/depth2/seed0"
    own = read_samples(audited / RUN / "samples-ddim-4.npz")
    found = read_samples(folder / "samples-ddim-4.npz")
    assert np.array_equal(own.images, found.images) and np.array_equal(own.noise, found.noise)
    before, after = (
        read_rows(audited / f"results/{study}/neighbors.csv").drop(columns="study")
        for study in ("own", "mine-models")
    )
    # The classes of samples are told by another classifier: it was trained on fewer images.
    known = before["class"].eq("") | before["architecture"].isin([REAL, TRAIN])
    pixels = before[known & before["metric"].str.endswith(":pixels")]
    keys = [key for key in KEYS if key != "study"]
    merged = pixels.merge(after, on=keys, suffixes=("", "_after"))
    assert len(merged) == len(pixels) > 20
    for part in ("value", "lower", "upper", "n"):
        np.testing.assert_array_equal(merged[part], merged[f"{part}_after"])


def value(rows, subject, metric, **keys):
    chosen = rows[(rows["architecture"] == subject) & (rows["metric"] == metric)]
    for key, wanted in {"class": "", "seed": "all", **keys}.items():
        chosen = chosen[chosen[key] == wanted]
    [found] = chosen["value"]
    return found


def test_training_images_as_generated_ones_are_copies(audited):
    rows = read_rows(audited / "results/mine/summary.csv")
    assert set(rows["study"]) == {"mine"}
    assert value(rows, "same", "memorised_share:pixels") == 1
    assert value(rows, "same", "gl_score:classifier") == 0
    assert value(rows, "same", "authentic_share:pixels") == 0
    found = read_json(audited / "results/mine/audit.json")
    assert found["subjects"]["same"]["leak"] == "copies"
    assert found["weights"].keys() == {"depth2"} and not found["left_out"]
    auc = value(rows[rows["sigma"].isna()], "depth2", "attack_auc:loss")
    assert 0 <= auc <= 1


def test_held_out_images_as_generated_ones_give_the_background(audited):
    rows = read_rows(audited / "results/plain/summary.csv")
    own, real = (rows[rows["architecture"] == name] for name in ("unseen", REAL))
    metrics = [m for m in set(own["metric"]) if m.split(":")[0] in ("nn_distance", "gl_pixel")]
    metrics += ["memorised_share:pixels", "authentic_share:pixels"]
    for metric in metrics:
        for k in own["k"][own["metric"] == metric].unique():
            first, second = (
                part[(part["metric"] == metric) & (part["k"].isna() | (part["k"] == k))]
                for part in (own, real)
            )
            columns = ["value", "lower", "upper", "n"]
            a, b = (part.loc[part["seed"] == "0", columns].to_numpy() for part in (first, second))
            np.testing.assert_array_equal(a, b, err_msg=metric)
    found = read_json(audited / "results/plain/audit.json")
    assert found["subjects"]["unseen"]["leak"] != "copies"
    assert any(text.startswith("bias") for text in found["left_out"])
    assert not rows["class"].isin(["image"]).any()


def test_everything_is_there_for_people_and_for_machines(audited):
    from huggingface_hub import ModelCard

    for study in ("mine", "plain"):
        page = (audited / f"results/{study}/index.html").read_text()
        assert "Does it leak its training images" in page and "same: copies" in page
        pairs = pd.read_csv(audited / f"results/{study}/pairs.csv")
        same = pairs[(pairs["architecture"] == "same") & (pairs["embedding"] == "pixels")]
        assert (same["training"] == "train/" + same["generated"]).all()
    card = ModelCard.load(audited / "results/mine/card.md")
    assert {result.metric_type for result in card.data.eval_results} >= {"share_corrected"}


def test_nothing_runs_again_without_a_change_and_a_changed_image_is_noticed(audited):
    done = snakemake(audited, "-n", "audit_plain")
    assert "Nothing to be done" in done.stdout, done.stdout[-3000:]
    path = next((audited / "test").glob("*.png"))
    content = path.read_bytes()
    try:
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
        jobs = snakemake(audited, "-n", "audit_plain").stdout
    finally:
        path.write_bytes(content)
    assert re.search(r"^bring_images +1$", jobs, re.MULTILINE)
    # Both subjects: what is brought is compared with the training images.
    assert re.search(r"^bring_samples +2$", jobs, re.MULTILINE)
