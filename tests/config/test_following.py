"""Values that follow from the data, and the study of own images to copy."""

import re

import pytest
import yaml
from conftest import ROOT

from depthbias.config.reading import load, parse
from depthbias.data.splits import heldout_of
from depthbias.system.errors import UserError

TEXT = (ROOT / "params.yaml").read_text()


@pytest.mark.parametrize(
    ("size", "k"), [(4, [1]), (6, [1, 5]), (50, [1, 5, 10]), (51, [1, 5, 10, 50])]
)
def test_neighbours_are_below_the_subset_size(size, k):
    content = yaml.safe_load(TEXT)
    content["studies"]["digits"] |= {"subset_size": size, "ratios": ["50-50"]}
    del content["sweeps"]
    study = parse(content).studies["digits"]
    assert study.neighbors.k == k
    assert study.structure.samples == 320


@pytest.mark.parametrize("given", ["auto", None])
@pytest.mark.parametrize(("size", "channels"), [(8, 3), (16, 1)])
def test_noisy_images_follow_from_the_pixels(given, size, channels):
    content = yaml.safe_load(TEXT)
    study = content["studies"]["digits"]
    study["data"] |= {"size": size, "channels": channels}
    study["structure"]["samples"] = given
    if given is None:
        del study["structure"]["samples"]
    assert parse(content).studies["digits"].structure.samples == 5 * size * size * channels


@pytest.mark.parametrize(
    ("wanted", "counts", "heldout"),
    [
        (54, [181, 180], 54),
        ("auto", [181, 180], 54),  # digits
        ("auto", [6876, 6958], 1000),  # mnist
        ("auto", [40, 100, 60], 12),
        ("auto", [46, 100], 12),
        ("auto", [2, 100], 4),
    ],
)
def test_held_out_images_follow_from_the_smallest_class(wanted, counts, heldout):
    assert heldout_of(wanted, counts) == heldout


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.heldout", 3),
        ("data.heldout", "all"),
        ("neighbors.k", "all"),
        ("structure.samples", 0),
    ],
)
def test_what_is_neither_a_number_nor_auto_is_refused(key, value):
    content = yaml.safe_load(TEXT)
    block, _, name = key.partition(".")
    content["studies"]["digits"][block][name] = value
    with pytest.raises(UserError, match=rf"studies\.digits\.{re.escape(key)}: .*{value!r}"):
        parse(content)


def test_a_study_to_copy_is_valid_without_its_comments(tmp_path):
    [block] = re.findall(r"\n(  # pets:\n(?:  #   .*\n)+)", TEXT)
    assert block.count("\n") <= 13
    plain = re.sub(r"^  # ", "  ", block, flags=re.MULTILINE)
    (tmp_path / "params.yaml").write_text(TEXT.replace(block, plain))
    study = load(tmp_path / "params.yaml").studies["pets"]
    assert study.data.heldout == "auto" and study.neighbors.k == [1, 5, 10, 50]
    assert study.structure.samples == 5 * 16 * 16 * 3
