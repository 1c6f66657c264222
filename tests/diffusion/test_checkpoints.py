"""Saved models: equal bytes, refusals in one line, and the export as diffusers reads it."""

import hashlib
import json
import shutil

import pytest
import torch

from depthbias.diffusion.checkpoints import load_model, save_model
from depthbias.diffusion.unet import build_unet
from depthbias.system.errors import UserError
from depthbias.system.tensors import read_tensors, write_tensors

META = {
    "architecture": "depth2",
    "width": 0.25,
    "channels": 1,
    "size": 8,
    "objective": "ddpm",
    "seed": 7,
}


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return build_unet("depth2", channels=1, size=8, width=0.25)


@pytest.fixture(scope="module")
def original(unet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_model(unet, META, folder / "m.safetensors", folder / "m.json")
    return folder


@pytest.fixture
def saved(original, tmp_path):
    """(weights, description) of a model, free to be damaged."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return tmp_path / "m.safetensors", tmp_path / "m.json"


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_saved_is_loaded(unet, saved):
    loaded, meta = load_model(*saved)
    x, t = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 9])
    with torch.no_grad():
        assert torch.equal(loaded(x, t).sample, unet.eval()(x, t).sample)
    assert not loaded.training
    assert meta["parameters"] == sum(p.numel() for p in unet.parameters())
    assert meta["weights"] == hashlib.sha256(saved[0].read_bytes()).hexdigest()
    assert meta.items() >= META.items()


def test_equal_weights_give_equal_bytes_in_any_memory_format(unet, saved, tmp_path):
    other = build_unet("depth2", channels=1, size=8, width=0.25)
    other.load_state_dict(unet.state_dict())
    other.to(memory_format=torch.channels_last)
    again = tmp_path / "again.safetensors", tmp_path / "again.json"
    save_model(other, META, *again)
    for first, second in zip(saved, again, strict=True):
        assert first.read_bytes() == second.read_bytes()
    tensors, metadata, _ = read_tensors(saved[0])
    assert metadata == {}
    assert set(tensors) == set(unet.state_dict())


def test_a_truncated_file(saved):
    content = saved[0].read_bytes()
    for length in (0, 5, 100, len(content) // 2, len(content) - 1):
        saved[0].write_bytes(content[:length])
        with pytest.raises(UserError, match="not a whole safetensors file"):
            load_model(*saved)


def test_a_changed_bit(saved):
    content = bytearray(saved[0].read_bytes())
    content[-9] ^= 4
    saved[0].write_bytes(content)
    with pytest.raises(UserError, match="SHA-256 differs"):
        load_model(*saved)


def test_a_pickle_is_never_opened(saved):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was run",))

    for zipped in (True, False):
        torch.save({"x": Trap()}, saved[0], _use_new_zipfile_serialization=zipped)
        with pytest.raises(UserError, match="pickled"):
            load_model(*saved)


@pytest.mark.parametrize(
    "changes",
    [{"architecture": "depth3"}, {"architecture": "depth2-const"}, {"width": 0.5}, {"channels": 3}],
)
def test_another_architecture(saved, changes):
    edit(saved[1], **changes)
    with pytest.raises(UserError, match="the weights do not fit"):
        load_model(*saved)


def test_weights_of_another_run(unet, saved):
    write_tensors(saved[0], {k: v + 1 for k, v in unet.state_dict().items()})
    with pytest.raises(UserError, match="not those that"):
        load_model(*saved)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1, 2]", '{"format": 99}', '{"format": 1, "architecture": "depth2"}', "not json"],
)
def test_a_description_that_is_none(saved, text):
    saved[1].write_text(text)
    with pytest.raises(UserError, match=r"m\.json"):
        load_model(*saved)


def test_missing_files(saved):
    saved[0].unlink()
    with pytest.raises(UserError, match=r"m\.safetensors: cannot read"):
        load_model(*saved)
    saved[1].unlink()
    with pytest.raises(UserError, match=r"m\.json: cannot read"):
        load_model(*saved)
