"""The registry of embeddings, weights files, and the scripts on a made-up study."""

import hashlib
import http.server
import json
import os
import pickle
import runpy
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from depthbias.data.dataset import DataSet, write_data_set
from depthbias.data.pixels import to_float
from depthbias.estimates.tidy import KEYS, read_rows
from depthbias.measures.embedding_files import read_embedded
from depthbias.measures.samples import noise_of
from depthbias.system.errors import UserError
from depthbias.system.files import read_json, read_npz, write_json, write_npz
from depthbias.vision import embedder as embedder_module
from depthbias.vision import pretrained
from depthbias.vision.classifier import Classifier, load_classifier, save_classifier
from depthbias.vision.embedder import Embedder, block_outputs, classifier_vectors
from depthbias.vision.embeddings import BACKBONES, EMBEDDINGS
from depthbias.vision.pretrained import Weights, load_script, load_state, read_weights

torch.set_num_threads(1)
CPU = torch.device("cpu")
SCRIPTS = Path(__file__).parents[2] / "scripts"


def pixels(count, side=8, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def untrained(seed=0, channels=1):
    torch.manual_seed(seed)
    return Classifier(channels, 8, 2).eval(), {"weights": f"hash-{seed}"}


def vectors(name, images, classifier=None):
    embedder = Embedder([name], "classifier", classifier or untrained(), CPU)
    return embedder.vectors(images, np.arange(len(images)))[name]


def test_every_entry_says_what_it_is():
    for name, entry in EMBEDDINGS.items():
        assert entry.transform and entry.origin and entry.metric in ("euclidean", "cosine"), name
        if entry.weights:
            assert entry.weights.url.endswith(entry.weights.file)
            assert len(entry.weights.sha256) in (0, 64)
            if entry.weights.sha256:  # torchvision writes the first digits into the name
                assert entry.weights.sha256[:8] in entry.weights.file
    assert set(BACKBONES) == {"lpips-alex", "lpips-vgg", "lpips-squeeze", "classifier"}
    cosine = {name for name, entry in EMBEDDINGS.items() if entry.metric == "cosine"}
    assert cosine == {"inception", "sscd", "classifier"}
    assert EMBEDDINGS["inception"].dimension == 2048
    assert EMBEDDINGS["sscd"].dimension == 1024


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="embedding 'dino' is none of pixels, lpips-alex"):
        Embedder(["dino"], "classifier", untrained(), CPU)
    with pytest.raises(UserError, match="backbone 'pixels' is none of lpips-alex"):
        Embedder(["pixels"], "pixels", untrained(), CPU)


def test_pixels_are_the_images_and_are_not_stored():
    images = pixels(5, channels=3)
    embedder = Embedder(["pixels"], "classifier", untrained(channels=3), CPU)
    assert embedder.vectors(images, np.arange(5)) == {}
    encoded = embedder._encoders["pixels"](to_float(torch.as_tensor(images)))
    np.testing.assert_allclose(encoded, images.reshape(5, -1), atol=1e-4)


def test_vectors_of_the_classifier_average_the_cosines_of_its_blocks():
    classifier = untrained()
    images = pixels(7)
    found = vectors("classifier", images, classifier)
    model = classifier[0]
    with torch.inference_mode():
        batch = to_float(torch.as_tensor(images))
        np.testing.assert_allclose(found, classifier_vectors(model, batch), atol=1e-6)
        first, second = block_outputs(model, batch)
    assert found.shape == (7, 16 * first.shape[1] + 16 * second.shape[1])
    coarse = first.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean(dim=(3, 5)).flatten(1)
    similar = functional.cosine_similarity(coarse[0], coarse[1], dim=0)
    similar += functional.cosine_similarity(second[0].flatten(), second[1].flatten(), dim=0)
    assert found[0] @ found[1] / 2 == pytest.approx(float(similar) / 2, abs=1e-5)


def test_only_the_given_rows_are_embedded_in_batches(monkeypatch):
    images, rows = pixels(20), np.array([3, 4, 9, 17, 19])
    whole = vectors("classifier", images)
    monkeypatch.setattr(embedder_module, "BATCH", 2)
    embedder = Embedder(["classifier"], "classifier", untrained(), CPU)
    done = []
    found = embedder.vectors(images, rows, done.append)["classifier"]
    np.testing.assert_allclose(found, whole[rows], atol=1e-6)
    assert done == [2, 4, 5]


def test_inception_gives_what_its_last_pooling_gives(monkeypatch):
    from torchvision.models import inception_v3

    torch.manual_seed(0)
    network = inception_v3(weights=None, init_weights=False).eval()
    monkeypatch.setattr(embedder_module, "load_state", lambda weights: network.state_dict())
    images = pixels(2, channels=1)
    seen = []
    network.avgpool.register_forward_hook(lambda module, given, output: seen.append(output))
    grey = to_float(torch.as_tensor(images))
    large = functional.interpolate(grey, size=(299, 299), mode="bilinear", antialias=True)
    with torch.inference_mode():
        network.transform_input = False  # it takes -1 to 1, which is what images are
        network(large.repeat(1, 3, 1, 1))
    found = vectors("inception", images)
    assert found.shape == (2, 2048)
    expected = seen[0].flatten(1).numpy()
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)


class Means(torch.nn.Module):
    """As SSCD in its form: images of 320 x 320 to 1024 numbers."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[1:] == (3, 320, 320)
        return images.mean(dim=(2, 3)).repeat(1, 342)[:, :1024]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of weights."""
    path = tmp_path / "weights"
    path.mkdir()
    monkeypatch.setenv("DEPTHBIAS_WEIGHTS", str(path))
    return path


def test_sscd_normalises_its_input_and_output(folder):
    path = folder / pretrained.SSCD.file
    torch.jit.script(Means()).save(str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UserError, match=r"no hash of it is published.*sha256sum sscd_disc_large"):
        vectors("sscd", pixels(1))
    path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")
    images = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    images[..., 0], images[..., 2] = 255, 51
    found = vectors("sscd", images, untrained(channels=3))
    expected = (np.array([1, 0, 0.2]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(found[0, :3] / found[0, 0], expected / expected[0], rtol=1e-4)
    assert np.linalg.norm(found[0]) == pytest.approx(1, abs=1e-5)
    assert found.shape == (1, 1024)
    embedder = Embedder(["sscd"], "classifier", untrained(), CPU)
    about = embedder.about((8, 8, 1))["sscd"]
    assert about["sha256"] == {path.name: digest}
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match="the file is damaged, incomplete or another one"):
        load_script(pretrained.SSCD)


def test_the_description_names_transform_dimension_file_hash_and_origin(monkeypatch):
    network = torch.nn.Module()
    monkeypatch.setattr(embedder_module, "load_lpips", lambda net: network)
    monkeypatch.setattr(embedder_module, "embed", lambda images, backbone: torch.zeros(1, 9))
    embedder = Embedder(["pixels", "classifier", "lpips-alex"], "lpips-alex", untrained(), CPU)
    about = embedder.about((8, 8, 1))
    assert list(about) == ["pixels", "classifier", "lpips-alex", "diversity"]
    assert [about[name]["dimension"] for name in list(about)[:3]] == [64, 16 * 48, 9]
    assert about["classifier"]["sha256"] == {"classifier.safetensors": "hash-0"}
    files = about["diversity"]["sha256"]
    assert files["alexnet-owt-7be5be79.pth"].startswith("7be5be79")
    assert files["lpips/v0.1/alex.pth"].startswith("df73285e")  # as the package is published
    assert "own linear weights" in about["diversity"]["origin"]
    own = Embedder(["pixels"], "classifier", untrained(), CPU).about((8, 8, 1))["diversity"]
    assert own["embedding"] == "classifier"
    assert "not the published LPIPS" in own["origin"]


def weights_of(path, content, url=""):
    digest = hashlib.sha256(content).hexdigest()
    return Weights(path.name, digest, url or f"http://127.0.0.1:9/{path.name}")


def test_a_state_is_read_and_a_wrong_hash_is_refused(folder):
    path = folder / "net.pth"
    torch.save({"a": torch.arange(3.0)}, path)
    weights = weights_of(path, path.read_bytes())
    torch.testing.assert_close(load_state(weights)["a"], torch.arange(3.0))
    path.write_bytes(b"something else")
    with pytest.raises(UserError) as caught:
        load_state(weights)
    message = str(caught.value)
    assert all(part in message for part in (str(path), weights.sha256, weights.url))
    assert "\n" not in message


class Harm:
    def __reduce__(self):
        return (os.system, ("touch harmed",))


def test_code_in_a_checkpoint_is_not_run_even_with_the_right_hash(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = folder / "net.pth"
    torch.save({"a": Harm()}, path)
    with pytest.raises(UserError, match=r"net.pth: not a checkpoint"):
        load_state(weights_of(path, path.read_bytes()))
    path.write_bytes(pickle.dumps(Harm()))
    with pytest.raises(UserError, match=r"net.pth: not a checkpoint"):
        load_state(weights_of(path, path.read_bytes()))
    assert not Path("harmed").exists()


@pytest.fixture
def server(tmp_path):
    """A server of the files in tmp_path/served; counts what it is asked for."""
    served = tmp_path / "served"
    served.mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(served))

        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *args):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield served, f"http://127.0.0.1:{running.server_port}", asked
    running.shutdown()
    running.server_close()


def test_weights_are_downloaded_once_and_checked(folder, server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    served, address, asked = server
    content = b"the weights" * 1000
    (served / "net.pth").write_bytes(content)
    weights = weights_of(folder / "net.pth", content, f"{address}/net.pth")
    assert read_weights(weights) == content
    assert read_weights(weights) == content
    assert asked == ["/net.pth"]
    other = replace(weights, file="other.pth", sha256="0" * 64)
    with pytest.raises(UserError, match=r"other.pth \(SHA-256 0{64}\).*failed \(wrong hash\)"):
        read_weights(other)
    with pytest.raises(UserError, match=r"failed \(HTTPError\)"):
        read_weights(replace(other, url=f"{address}/lost.pth"))
    assert [path.name for path in folder.iterdir()] == ["net.pth"]


def test_the_folder_is_that_of_the_environment_or_data_weights(monkeypatch):
    monkeypatch.setenv("DEPTHBIAS_WEIGHTS", "/elsewhere")
    assert pretrained.weights_folder() == Path("/elsewhere")
    monkeypatch.setenv("DEPTHBIAS_WEIGHTS", "")
    assert pretrained.weights_folder() == Path("data/weights")


def test_the_configuration_knows_the_same_names():
    from typing import get_args

    from depthbias.config import reading

    if not hasattr(reading, "Neighbors"):
        pytest.skip("config.py has no block for neighbours yet")
    (names,) = get_args(reading.Neighbors.model_fields["embeddings"].annotation)
    assert set(get_args(names)) == set(EMBEDDINGS)
    assert set(get_args(reading.Diversity.model_fields["backbone"].annotation)) == set(BACKBONES)


# The scripts, one after the other, on a study of 62 made-up images and four models.


def call(script, *words, **options):
    """Run a script in this process, its options as flags; SystemExit is the caller's to expect."""
    arguments = [str(SCRIPTS / f"{script}.py"), *words]
    for name, value in options.items():
        values = value if isinstance(value, list | tuple) else [value]
        arguments += [f"--{name.replace('_', '-')}", *map(str, values)]
    before, sys.argv = sys.argv, arguments
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    finally:
        sys.argv = before


def clusters(labels, rng):
    """Class 1 bright at the right, class 0 at the left, with noise."""
    images = rng.integers(0, 90, (len(labels), 8, 8, 1))
    images[:, :, 4:] += 150 * (labels == 1)[:, None, None, None]
    images[:, :, :4] += 150 * (labels == 0)[:, None, None, None]
    return images.astype(np.uint8)


def write_models(root, images, rows, seed, rng):
    """Samples and classes of two models; the shallow one copies three training images."""
    for architecture in ("depth2", "depth3"):
        run = {"study": "tiny", "ratio": "80-20", "architecture": architecture, "seed": str(seed)}
        drawn = (rng.random(12) < 0.3).astype(int)
        generated = clusters(drawn, rng)
        if architecture == "depth2":
            generated[:3] = images[rows[:3]]
        common = {"noise": noise_of([0], 12)}
        common["run"] = json.dumps(run | {"sampler": "ddim-4"})
        classes = {"probabilities": np.eye(2)[drawn], "classes": np.array(["six", "nine"])}
        write_npz(root / f"samples-{architecture}-{seed}.npz", {"images": generated, **common})
        write_npz(root / f"classes-{architecture}-{seed}.npz", {**classes, **common})


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Files of a study up to its classified samples; the first two images are of no class."""
    root, rng = tmp_path_factory.mktemp("study"), np.random.default_rng(0)
    labels = np.repeat([-1, 0, 1], [2, 30, 30])
    images = clusters(labels, rng)
    source = [str(row) for row in range(62)]
    attributes = labels[:, None] == np.arange(2)
    data = DataSet(["six", "nine"], attributes, source, (8, 8, 1), [images])
    write_data_set(root / "images.npz", data)
    six, nine = rng.permutation(30) + 2, rng.permutation(30) + 32
    split = {"classes": ["six", "nine"], "population": [30, 30], "images": "fingerprint"}
    for part, (start, stop) in {
        "pool": (0, 20),
        "calibration": (20, 25),
        "control": (25, 30),
    }.items():
        split[part] = {"six": np.sort(six[start:stop]), "nine": np.sort(nine[start:stop])}
    write_json(root / "split.json", split)
    model, meta = untrained()
    meta |= {"classes": ["six", "nine"], "size": 8, "channels": 1}
    save_classifier(model, meta, root / "c.safetensors", root / "c.json")
    for seed in (0, 1):
        rows = np.sort([*six[:20][rng.permutation(20)[:16]], *nine[:20][rng.permutation(20)[:4]]])
        subset = {"ratio": "80-20", "seed": seed, "indices": rows, "classes": ["six", "nine"]}
        subset |= {"labels": labels[rows], "counts": [16, 4]}
        write_json(root / f"subset{seed}.json", subset)
        write_models(root, images, rows, seed, rng)
    return root


RUNS = [f"{architecture}-{seed}" for architecture in ("depth2", "depth3") for seed in (0, 1)]
COPIES = '{"classifier": "calibrated"}'


def files(study, kind, ending="npz"):
    return [study / f"{kind}-{run}.{ending}" for run in RUNS]


def inputs(study, script):
    """What a script that measures a study reads."""
    own = {"real": study / "real.npz", "embedded": files(study, "embedded"), "study": "tiny"}
    own["subsets"] = [study / f"subset{seed}.json" for seed in (0, 1)]
    if script == "measure_neighbors":
        own |= {"images": study / "images.npz", "samples": files(study, "samples")}
        own |= {"embeddings": ["pixels", "classifier"], "k": [1, 3], "copies": COPIES}
    return own


def outputs(folder, script):
    name = script.removeprefix("measure_")
    own = {"output": folder / f"{name}.csv", "about": folder / f"{name}.json"}
    return own | ({"pairs": folder / "nearest-pairs.csv"} if script == "measure_neighbors" else {})


@pytest.fixture(scope="module")
def measured(study):
    """The same with embedded images and all measurements."""
    how = {"embeddings": ["pixels", "classifier"], "backbone": "classifier"}
    how |= {"model": study / "c.safetensors", "meta": study / "c.json"}
    split = {"images": study / "images.npz", "split": study / "split.json"}
    call("embed_real", **split, **how, output=study / "real.npz")
    for samples, classes, output in zip(
        files(study, "samples"), files(study, "classes"), files(study, "embedded"), strict=True
    ):
        call("embed", samples=samples, classes=classes, **how, output=output)
    for script in ("measure_diversity", "measure_neighbors"):
        call(script, **inputs(study, script), **outputs(study, script))
    pairs = {"embedded": files(study, "embedded"), "about": study / "neighbors.json"}
    pairs["study"] = "tiny"
    call("measure_reproducibility", **pairs, output=study / "reproducibility.csv")
    parts = [study / f"{name}.csv" for name in ("diversity", "neighbors", "reproducibility")]
    call("summarize", parts=parts, output=study / "summary.csv")
    return study


def test_all_measurements_become_rows_of_one_table(measured):
    rows = read_rows(measured / "summary.csv")
    assert not rows.duplicated(KEYS).any()
    stems = {metric.partition(":")[0] for metric in rows["metric"]}
    assert stems == {
        *("lpips", "lpips_within", "lpips_between", "lpips_per_depth"),
        *("lpips_standardised", "lpips_standardised_per_depth"),
        *("nn_distance", "nn_distance_mean", "nn_distance_per_depth"),
        *("nn_cosine", "nn_cosine_mean", "nn_cosine_per_depth"),
        *("authentic_share", "memorised_share", "gl_pixel", "gl_score", "rp_score"),
        *("copied_share", "training_copied_share"),
    }
    whole = rows[(rows["class"] == "") & (rows["seed"] == "all")]
    nearest = whole[(whole["metric"] == "nn_distance:pixels") & (whole["k"] == 1)]
    by_unet = nearest.set_index("architecture")["value"]
    assert set(by_unet.index) == {"depth2", "depth3", "real", "train"}
    assert by_unet["depth2"] < by_unet["depth3"]
    memory = whole[whole["metric"] == "memorised_share:pixels"].set_index("architecture")["value"]
    assert memory["depth2"] == 0.25
    assert memory["depth3"] == memory["real"] == 0
    slope = rows[(rows["metric"] == "nn_distance_per_depth:pixels") & (rows["k"] == 1)].iloc[0]
    assert slope["architecture"] == "published"
    assert slope["value"] == pytest.approx(by_unet["depth3"] - by_unet["depth2"])
    assert slope["lower"] < slope["value"] < slope["upper"]


@pytest.mark.parametrize("name", ["pixels", "classifier"])
def test_neighbours_are_looked_for_in_the_training_images_of_the_run(measured, name):
    """By hand: vectors of the rows of the subset, the data set and the samples embedded anew."""
    rows = read_json(measured / "subset1.json")["indices"]
    (images,) = read_npz(measured / "images.npz", "images")
    (generated,) = read_npz(measured / "samples-depth3-1.npz", "images")
    both = np.concatenate([images[rows], generated])
    model, _ = load_classifier(measured / "c.safetensors", measured / "c.json")
    with torch.inference_mode():
        found = classifier_vectors(model, to_float(torch.as_tensor(both))).double()
    if name == "pixels":
        found = torch.as_tensor(both.reshape(len(both), -1)).double()
    training, queries = found[: len(rows)], found[len(rows) :]
    if name == "pixels":
        metric, expected = "nn_distance:pixels", torch.cdist(queries, training).amin(dim=1)
    else:
        unit = functional.normalize(queries) @ functional.normalize(training).T
        metric, expected = "nn_cosine:classifier", unit.amax(dim=1)
    table = read_rows(measured / "summary.csv")
    own = table[(table["metric"] == metric) & (table["k"] == 1) & (table["class"] == "")]
    own = own[(own["architecture"] == "depth3") & (own["seed"] == "1")]
    assert own["value"].item() == pytest.approx(expected.mean().item(), rel=1e-6)


def test_held_out_images_stand_in_the_mix_of_the_training_images(measured):
    rows = read_rows(measured / "summary.csv")
    real = rows[(rows["architecture"] == "real") & (rows["metric"] == "nn_distance:pixels")]
    sizes = real[(real["seed"] == "0") & (real["k"] == 1)].set_index("class")["n"]
    assert sizes.to_dict() == {"": 10, "six": 10, "nine": 10}  # 8 and 2; all of each class
    diversity = rows[(rows["architecture"] == "real") & rows["metric"].str.startswith("lpips")]
    found = diversity.set_index(["metric", "class"])["value"]
    expected = 0.8**2 * found["lpips_within:classifier", "six"]
    expected += 0.2**2 * found["lpips_within:classifier", "nine"]
    expected += 2 * 0.8 * 0.2 * found["lpips_between:classifier", "six~nine"]
    assert found["lpips:classifier", ""] == pytest.approx(expected)


def test_what_the_numbers_were_computed_with_stands_beside_them(measured):
    about = read_json(measured / "neighbors.json") | read_json(measured / "diversity.json")
    assert list(about) == ["pixels", "classifier", "diversity"]
    digest = read_json(measured / "c.json")["weights"]
    assert about["classifier"]["sha256"] == {"classifier.safetensors": digest}
    assert about["classifier"]["copies"]["images"] == 10
    assert "copies" not in about["pixels"]


def test_the_calibrated_threshold_takes_at_most_one_of_twenty_held_out_images(measured):
    """Of two mixes of 10 images only the highest cosine is above the 99th percentile."""
    rows = read_rows(measured / "summary.csv")
    real = rows[(rows["architecture"] == "real") & (rows["class"] == "")]
    copied = real[real["metric"] == "copied_share:classifier"].set_index("seed")["value"]
    assert copied["all"] <= 1 / 20
    found = read_json(measured / "neighbors.json")["classifier"]["copies"]
    assert found["lower"] < found["threshold"] <= found["upper"] == 1


def test_a_copying_model_copies_three_training_images(measured):
    rows = read_rows(measured / "summary.csv")
    own = rows[(rows["metric"] == "training_copied_share:pixels") & (rows["class"] == "")]
    own = own[own["seed"] == "0"].set_index(["architecture", "k"])["value"]
    assert own["depth2", 12] == 3 / 20
    assert own["depth3", 12] == own["real", 10] == 0


def test_the_nearest_pairs_of_a_copying_model_are_copies(measured):
    pairs = pd.read_csv(measured / "nearest-pairs.csv")
    first = pairs[(pairs["architecture"] == "depth2") & (pairs["embedding"] == "pixels")]
    assert (first.groupby("seed")["value"].nsmallest(3) == 0).all()
    best = first[(first["rank"] == 1) & (first["seed"] == 0)].iloc[0]
    (images,) = read_npz(measured / "images.npz", "images")
    (generated,) = read_npz(measured / "samples-depth2-0.npz", "images")
    np.testing.assert_array_equal(generated[best["index"]], images[best["row"]])


def table_of(measured, summary, folder):
    """The text and the wide form of the table of neighbours."""
    about = [measured / "neighbors.json", measured / "diversity.json"]
    table = {f"output_{ending}": folder / f"t.{ending}" for ending in ("csv", "md", "html")}
    call("write_table", "neighbors", summary=summary, provenance=about, **table)
    return (folder / "t.md").read_text(), pd.read_csv(folder / "t.csv")


def test_figures_and_table_are_made_of_the_summary(measured, tmp_path):
    summary, figure = measured / "summary.csv", tmp_path / "figure.svg"
    for name in ("neighbors", "diversity"):
        about = measured / f"{name}.json"
        call("plot_summary", name, summary=summary, provenance=about, output=figure)
        assert figure.stat().st_size > 10_000
        figure.unlink()
    samples = [measured / f"samples-{architecture}-0.npz" for architecture in ("depth2", "depth3")]
    pairs = {"pairs": measured / "nearest-pairs.csv", "images": measured / "images.npz"}
    call("plot_nearest_pairs", **pairs, samples=samples, embedding="pixels", output=figure)
    assert figure.stat().st_size > 10_000
    text, wide = table_of(measured, summary, tmp_path)
    wide = wide.set_index("architecture")
    assert list(wide.index) == ["train", "real", "depth2", "depth3"]
    assert wide["nn_distance:pixels k=1"].notna().all()
    assert wide.loc["depth2", "memorised_share:pixels"] == 0.25
    assert wide.loc["depth2", "training_copied_share:pixels k=12"] == pytest.approx(3 / 20)
    assert wide.loc["real", "training_copied_share:pixels k=10"] == 0
    words = ["Nearest training images: trained on 80-20", "classifier cos k=3", "pixels L2 k=1"]
    words += ["calibrated on 10 held-out images", "copied by 10, pixels", "copied by 12, pixels"]
    words += ["Trend over depth", "depth2 and depth3", "classifier.safetensors"]
    for word in words:
        assert word in text
    assert "Published values" not in text


def test_the_published_values_stand_in_the_table_of_celeba(measured, tmp_path):
    rows = pd.read_csv(measured / "summary.csv").assign(study="celeba")
    rows.to_csv(tmp_path / "s.csv", index=False)
    text, wide = table_of(measured, tmp_path / "s.csv", tmp_path)
    lines = [line for line in text.splitlines() if line.startswith("| depth5")]
    (line,) = (line for line in lines if "0.8428" in line)
    assert all(part in line for part in ("0.8265", "106.62", "117.01", "28.03"))
    published = wide[wide["source"] == "published"].set_index("architecture")
    assert published.loc["depth6", "L2 column 4"] == 143.05
    assert published.loc["depth2-large", "lpips published"] == pytest.approx(0.2326)


def changed_copy(path, folder, **members):
    """An archive with some members replaced."""
    with np.load(path) as archive:
        write_npz(folder / path.name, {**archive, **members}, compress=False)
    return folder / path.name


@pytest.mark.parametrize("script", ["measure_neighbors", "measure_diversity"])
def test_files_that_do_not_belong_together_are_refused(measured, tmp_path, script):
    right = {**inputs(measured, script), **outputs(tmp_path, script)}

    def refused(message, **wrong):
        with pytest.raises(SystemExit, match=message):
            call(script, **{**right, **wrong})
        assert not list(tmp_path.glob("*.csv"))

    refused("a run of study 'tiny', not of 'other'", study="other")
    first, *others = right["embedded"]
    (about,) = read_npz(first, "about")
    about = str(about).replace(read_json(measured / "c.json")["weights"], "0" * 64)
    refused("not embedded as", embedded=[changed_copy(first, tmp_path, about=about), *others])
    if script == "measure_neighbors":
        refused("no subset 80-20 of seed 1 was given", subsets=right["subsets"][:1])
        refused("21 nearest of 20 images: ask for 1 to 20", k=[1, 21])
        refused("not the images of", samples=right["samples"][::-1])


def test_samples_of_other_noise_are_not_compared(measured, tmp_path):
    *embedded, last = files(measured, "embedded")
    other = changed_copy(last, tmp_path, noise=noise_of([5], 12))
    script, rest = "measure_reproducibility", {"study": "tiny", "output": tmp_path / "r.csv"}
    with pytest.raises(SystemExit, match="not from the same noise"):
        call(script, embedded=[*embedded, other], about=measured / "neighbors.json", **rest)
    write_json(tmp_path / "a.json", {"pixels": {"copies": {"threshold": 0.5}}})
    with pytest.raises(SystemExit, match="pixels is not compared by cosines"):
        call(script, embedded=embedded, about=tmp_path / "a.json", **rest)


def test_reproducibility_compares_pairs_of_models_and_of_seeds(measured):
    rows = read_rows(measured / "reproducibility.csv")
    keys = list(rows[["architecture", "seed"]].itertuples(index=False, name=None))
    pairs = [("depth2~depth3", seed) for seed in ("0", "1", "all")]
    assert sorted(keys) == sorted([("depth2", "0~1"), ("depth3", "0~1"), *pairs])
    first, second = (
        read_embedded(measured / f"embedded-{architecture}-0.npz", "tiny").vectors("classifier")
        for architecture in ("depth2", "depth3")
    )
    cosine = functional.cosine_similarity(torch.tensor(first), torch.tensor(second))
    own = rows[(rows["architecture"] == "depth2~depth3") & (rows["seed"] == "0")]
    threshold = read_json(measured / "neighbors.json")["classifier"]["copies"]["threshold"]
    assert own["value"].item() == pytest.approx((cosine > threshold).double().mean().item())


def test_a_classifier_that_does_not_fit_its_description_is_refused(study, tmp_path):
    write_json(tmp_path / "c.json", read_json(study / "c.json") | {"weights": "0" * 64})
    how = {"embeddings": "pixels", "backbone": "classifier", "meta": tmp_path / "c.json"}
    how |= {"samples": study / "samples-depth2-0.npz", "classes": study / "classes-depth2-0.npz"}
    with pytest.raises(SystemExit, match="not the classifier that"):
        call("embed", **how, model=study / "c.safetensors", output=tmp_path / "e.npz")


LIGHT = ["measure_diversity", "measure_reproducibility", "write_table"]
LIGHT += ["plot_summary", "plot_nearest_pairs"]


def test_light_scripts_import_no_torch():
    code = "import runpy, sys\n"
    for name in LIGHT:
        code += f"runpy.run_path({str(SCRIPTS / name) + '.py'!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        cwd=SCRIPTS.parent,
    )
    assert done.stdout == "False\n", done.stderr
