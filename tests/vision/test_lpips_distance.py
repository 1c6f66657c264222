"""Mean perceptual distances against loops over all pairs and against the lpips package."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import sem
from scipy.stats import t as student
from torch.nn import functional

from depthbias.data.pixels import to_float
from depthbias.measures.pair_means import (
    between,
    mean_pairwise,
    mixed,
    overall,
    pseudo_values,
    within,
)
from depthbias.system import downloads
from depthbias.system.errors import UserError
from depthbias.vision import distance_sums as sums_module
from depthbias.vision import lpips_distance, pretrained
from depthbias.vision.classifier import Classifier, ResidualBlock
from depthbias.vision.distance_sums import distance_sums, image_distance_sums
from depthbias.vision.embedder import classifier_backbone
from depthbias.vision.lpips_distance import embed

torch.set_num_threads(1)


def random_lpips(net):
    import lpips  # only after depthbias, which makes it importable beside a CPU-only torch

    torch.manual_seed(0)
    return lpips.LPIPS(net=net, pnet_rand=True, verbose=False)


def images(count, side, channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(count, channels, side, side, generator=generator) - 1


def squared_distances(vectors):
    """[N, N], pair by pair."""
    vectors = np.asarray(vectors, np.float64)
    return np.array([[((a - b) ** 2).sum() for b in vectors] for a in vectors])


def upper(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def jackknife(statistic, labels):
    """Standard error by leaving out every image in turn, within classes: statistic(kept rows)."""
    rows, variance = np.arange(len(labels)), 0.0
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        left = np.array([statistic(np.delete(rows, row)) for row in own])
        variance += (len(own) - 1) / len(own) * ((left - left.mean()) ** 2).sum()
    return np.sqrt(variance)


@pytest.mark.parametrize("net", ["alex", "vgg", "squeeze"])
def test_equals_the_lpips_package_over_all_pairs(net):
    module, batch = random_lpips(net), images(5, 33)
    embedded = embed(batch, module)
    with torch.inference_mode():
        theirs = [
            module(batch[i : i + 1], batch[j : j + 1]).item() for i, j in combinations(range(5), 2)
        ]
    ours = upper(squared_distances(embedded))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert mean_pairwise(embedded).value == pytest.approx(np.mean(theirs), rel=1e-5)


def test_images_too_small_for_alexnet_are_resized_to_64():
    module, small = random_lpips("alex"), images(3, 30)
    large = functional.interpolate(small, size=(64, 64), mode="bilinear")
    torch.testing.assert_close(embed(small, module), embed(large, module))
    assert embed(images(1, 31), module).shape != embed(large, module).shape[1:]
    assert embed(images(1, 31), module).shape[1] < embed(large, module).shape[1]


def test_grey_stands_for_three_equal_channels():
    module, grey = random_lpips("squeeze"), images(2, 20, channels=1)
    torch.testing.assert_close(embed(grey, module), embed(grey.repeat(1, 3, 1, 1), module))


def test_batches_make_no_difference(monkeypatch):
    module, batch = random_lpips("squeeze"), images(7, 20)
    whole = embed(batch, module)
    monkeypatch.setattr(lpips_distance, "BATCH", 3)
    torch.testing.assert_close(embed(batch, module), whole)


def test_published_backbones_are_put_into_the_slices_of_lpips(tmp_path, monkeypatch):
    """The state of a torchvision network, as a weights file has it, ends where lpips reads it."""
    import lpips
    from torchvision.models import squeezenet1_1

    torch.manual_seed(1)
    network = squeezenet1_1(weights=None)
    monkeypatch.setattr(lpips_distance, "load_state", lambda weights: network.state_dict())
    module = lpips_distance.load_lpips("squeeze")
    batch = images(2, 40)
    with torch.inference_mode():
        theirs = network.features[:2](batch)  # up to the first ReLU
        ours = module.net(batch)[0]
    torch.testing.assert_close(ours, theirs)
    path = f"{lpips.__path__[0]}/weights/v0.1/squeeze.pth"
    linear = torch.load(path, map_location="cpu", weights_only=True)
    torch.testing.assert_close(module.lin6.model[-1].weight, linear["lin6.model.1.weight"])
    torch.testing.assert_close(embed(batch, "lpips-squeeze"), embed(batch, module))


def test_the_mean_over_pairs_equals_the_loop():
    vectors = np.random.default_rng(0).normal(size=(60, 30))
    expected = upper(squared_distances(vectors)).mean()
    assert mean_pairwise(vectors).value == pytest.approx(expected, rel=1e-12)
    assert mean_pairwise(torch.as_tensor(vectors)).n == 60


@settings(max_examples=25, deadline=None)
@given(count=st.integers(2, 9), width=st.integers(1, 5), offset=st.floats(-1e6, 1e6))
def test_an_offset_of_all_vectors_changes_nothing(count, width, offset):
    vectors = np.random.default_rng(count).integers(-8, 9, (count, width)) / 8
    shifted = vectors + np.round(offset * 8) / 8  # exact in float64
    assert mean_pairwise(shifted).value == pytest.approx(
        upper(squared_distances(vectors)).mean(), rel=1e-12, abs=1e-300
    )


def test_the_jackknife_equals_leaving_out_every_image():
    vectors = np.random.default_rng(1).normal(size=(12, 4))
    matrix = squared_distances(vectors)
    error = jackknife(lambda kept: upper(matrix[np.ix_(kept, kept)]).mean(), np.zeros(12))
    found = mean_pairwise(vectors)
    half_width = student.ppf(0.975, 11) * error
    assert found.upper - found.value == pytest.approx(half_width, rel=1e-9)
    assert found.value - found.lower == pytest.approx(half_width, rel=1e-9)
    pseudo = pseudo_values(matrix.sum(axis=1, keepdims=True))
    assert pseudo.mean() == pytest.approx(found.value, rel=1e-12)
    assert sem(pseudo) == pytest.approx(error, rel=1e-9)


def test_the_interval_covers_and_that_of_independent_pairs_would_not():
    rng, covered, naive = np.random.default_rng(2), 0, 0
    truth = 2 * 3.0  # E|a - b|^2 of three standard normals
    for _ in range(300):
        vectors = rng.normal(size=(50, 3))
        found = mean_pairwise(vectors)
        covered += found.lower <= truth <= found.upper
        pairs = upper(squared_distances_fast(vectors))
        naive += abs(pairs.mean() - truth) <= 1.96 * pairs.std() / np.sqrt(len(pairs))
    assert covered / 300 > 0.91
    assert naive / 300 < 0.5


def squared_distances_fast(vectors):
    return ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)


LABELS = np.array([0, 2, 1, 0, 0, 2, 1, 1, 0, 2, 2])


def three_classes():
    vectors = np.random.default_rng(3).normal(size=(11, 5)) + LABELS[:, None]
    blocks = [torch.as_tensor(vectors[:4]), torch.as_tensor(vectors[4:])]
    return squared_distances(vectors), distance_sums(lambda: blocks, LABELS, 3)


def test_sums_go_over_the_images_of_every_class():
    matrix, sums = three_classes()
    own = [np.flatnonzero(label == LABELS) for label in range(3)]
    expected = np.stack([matrix[:, rows].sum(axis=1) for rows in own], axis=1)
    np.testing.assert_allclose(sums, expected, rtol=1e-12)
    assert overall(sums).value == pytest.approx(upper(matrix).mean(), rel=1e-12)


def mean_between(matrix, a, b):
    """Mean over pairs of different images; a, b: rows."""
    part = matrix[np.ix_(a, b)]
    same = np.equal.outer(a, b)
    return part[~same].mean()


def class_means(matrix, kept):
    rows = [kept[LABELS[kept] == label] for label in range(3)]
    return np.array([[mean_between(matrix, a, b) for b in rows] for a in rows])


@pytest.mark.parametrize(
    ("estimate", "weights"),
    [
        (lambda sums: within(sums, LABELS, 1), np.diag([0, 1, 0])),
        (lambda sums: between(sums, LABELS, 0, 2), np.array([[0, 0, 0.5], [0, 0, 0], [0.5, 0, 0]])),
        (
            lambda sums: mixed(sums, LABELS, np.array([0.7, 0.1, 0.2])),
            np.outer([0.7, 0.1, 0.2], [0.7, 0.1, 0.2]),
        ),
    ],
)
def test_class_means_and_their_jackknife_equal_loops(estimate, weights):
    matrix, sums = three_classes()
    found = estimate(sums)
    used = np.flatnonzero(weights.any(axis=0))
    n = np.isin(LABELS, used).sum()
    value = (weights * class_means(matrix, np.arange(11))).sum()
    error = jackknife(lambda kept: (weights * class_means(matrix, kept)).sum(), LABELS)
    half_width = student.ppf(0.975, n - len(used)) * error
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.upper - found.value == pytest.approx(half_width, rel=1e-9)
    assert found.n == n


def test_a_class_of_two_has_a_value_and_no_interval_and_one_of_one_nothing():
    matrix = squared_distances(np.arange(6.0)[:, None])
    labels = np.array([0, 0, 0, 1, 1, 2])
    sums = np.stack([matrix[:, labels == label].sum(axis=1) for label in range(3)], axis=1)
    pair, single = within(sums, labels, 1), within(sums, labels, 2)
    assert pair.value == 1.0
    assert np.isnan([pair.lower, pair.upper, single.value]).all()
    assert overall(np.array([[4.0], [4.0]])).value == 4.0


class Counting:
    """A backbone of one layer that counts the images it is given."""

    def __init__(self):
        self.seen = 0

    def __call__(self, batch):
        self.seen += len(batch)
        return [(batch, torch.ones(batch.shape[1]))]


@pytest.mark.parametrize(("kept", "passes"), [(1 << 30, 12), (800, 20), (0, 28)])
def test_one_network_pass_an_image_if_the_embeddings_fit(kept, passes, monkeypatch):
    """Of three batches of 768 bytes, those that are not kept are computed again."""
    monkeypatch.setattr(lpips_distance, "BATCH", 4)
    monkeypatch.setattr(sums_module, "BATCH", 4)
    monkeypatch.setattr(sums_module, "KEPT_BYTES", kept)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)
    labels = np.arange(12) % 2
    backbone = Counting()
    sums = image_distance_sums(pixels, backbone, labels, 2)
    embedded = embed(to_float(torch.as_tensor(pixels)), Counting())
    expected = distance_sums(lambda: [embedded], labels, 2)
    np.testing.assert_allclose(sums, expected, rtol=1e-6)
    assert backbone.seen == passes


def test_the_classifier_as_a_backbone_weights_every_channel_equally():
    torch.manual_seed(0)
    model, batch = Classifier(1, 8, 2).eval(), images(4, 8, channels=1)
    embedded = embed(batch, classifier_backbone(model))
    outputs, value = [], batch
    with torch.inference_mode():
        for layer in model.body:
            value = layer(value)
            if isinstance(layer, ResidualBlock):
                outputs.append(value)
        expected = 0
        for output in outputs:
            unit = output / output.norm(dim=1, keepdim=True)
            expected += ((unit[0] - unit[1]) ** 2).sum(dim=0).mean().item()
    assert len(outputs) == 2
    assert squared_distances(embedded)[0, 1] == pytest.approx(expected, rel=1e-5)


def test_bad_input_is_refused(monkeypatch):
    with pytest.raises(UserError, match="1 images make no pair"):
        mean_pairwise(np.ones((1, 3)))
    with pytest.raises(UserError, match="0 images make no pair"):
        mean_pairwise(np.ones((0, 3)))
    with pytest.raises(UserError, match="not finite"):
        mean_pairwise(np.array([[1.0, np.nan], [0.0, 1.0]]))
    with pytest.raises(UserError, match="the LPIPS networks are alex, vgg, squeeze"):
        embed(images(1, 40), "lpips-resnet")
    with pytest.raises(UserError, match="NaN in the images"):
        embed(images(1, 40) * np.nan, Counting())
    module = random_lpips("squeeze")
    with torch.no_grad():
        module.lin3.model[-1].weight[0, 5] = -0.1
    with pytest.raises(UserError, match="negative weights"):
        embed(images(1, 40), module)


def test_missing_weights_are_named_with_hash_and_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPTHBIAS_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(downloads, "TIMEOUT", 0.01)
    lost = lpips_distance.LPIPS_NETS["alex"][1]
    unreachable = pretrained.Weights(lost.file, lost.sha256, "http://127.0.0.1:9/none.pth")
    monkeypatch.setitem(lpips_distance.LPIPS_NETS, "alex", (31, unreachable))
    with pytest.raises(UserError) as caught:
        embed(images(1, 40), "lpips-alex")
    message = str(caught.value)
    assert all(part in message for part in (lost.file, lost.sha256, str(tmp_path), lost.sha256[:8]))
    assert "\n" not in message
    assert not list(tmp_path.iterdir())
