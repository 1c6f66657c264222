"""Mean perceptual distances against loops over all pairs and against the lpips package."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch.nn import functional

from depthbias.data.pixels import to_float
from depthbias.measures.pair_means import mean_pairwise
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
