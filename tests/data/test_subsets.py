"""Classes, duplicates, held-out images and subsets: exact counts, nesting, and bad input."""

import json
import subprocess
import sys
import unicodedata
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from depthbias.data.dataset import DataSet, write_data_set
from depthbias.data.persons import hold_out_parts
from depthbias.data.splits import PARTS, class_labels, hold_out, read_split
from depthbias.data.subsets import class_counts, class_proportions, draw_subset
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def program(name: str, *flags: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / name), *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True)


# ---- subsets -----------------------------------------------------------------------------------

percent_lists = st.lists(st.integers(0, 100), min_size=2, max_size=5).filter(sum)


@settings(deadline=None)
@given(weights=percent_lists, size=st.integers(1, 5000))
def test_counts_are_the_largest_remainder(weights, size):
    exact = [Fraction(weight, sum(weights)) * size for weight in weights]
    counts = class_counts([weight / sum(weights) for weight in weights], size)
    assert sum(counts) == size
    raised = [count - int(quota) for count, quota in zip(counts, exact, strict=True)]
    assert set(raised) <= {0, 1}
    remainders = [quota - int(quota) for quota in exact]
    of_raised = [rest for rest, up in zip(remainders, raised, strict=True) if up]
    of_others = [rest for rest, up in zip(remainders, raised, strict=True) if not up]
    if of_raised and of_others:
        assert min(of_raised) >= max(of_others)


def test_counts_by_hand():
    assert class_counts([0.9, 0.1], 1000) == [900, 100]
    assert class_counts([0.29, 0.71], 100) == [29, 71]
    assert class_counts([1 / 3, 1 / 3, 1 / 3], 10) == [4, 3, 3]
    assert class_counts([0.5832, 0.4168], 1001) == [584, 417]
    assert class_counts([1.0, 0.0], 7) == [7, 0]


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 120),
    shares=st.lists(st.integers(0, 10), min_size=3, max_size=3).filter(sum),
)
def test_subset_has_exactly_the_counts(seed, size, shares):
    labels = np.random.default_rng(0).permutation(np.repeat(["a", "b", "c", "unused"], 150))
    proportions = {name: share / sum(shares) for name, share in zip("cab", shares, strict=True)}
    rows = draw_subset(labels, proportions, size, seed)
    assert len(set(rows.tolist())) == size
    assert (np.diff(rows) > 0).all()
    counts = [np.count_nonzero(labels[rows] == name) for name in proportions]
    assert counts == class_counts(list(proportions.values()), size)
    assert np.array_equal(rows, draw_subset(labels, proportions, size, seed))


@settings(deadline=None)
@given(seed=st.integers(0, 1000), less=st.integers(1, 50), more=st.integers(1, 50))
def test_same_seed_nests(seed, less, more):
    assume(less <= more)
    labels = np.random.default_rng(1).permutation(np.repeat([6, 9], 100))
    minority = {}
    for percent in (less, more):
        rows = draw_subset(labels, {6: 1 - percent / 100, 9: percent / 100}, 100, seed)
        minority[percent] = set(rows[labels[rows] == 9])
    assert minority[less] <= minority[more]


def test_seeds_differ_and_every_image_is_as_likely():
    labels = np.repeat([0, 1], [90, 10])
    drawn = np.zeros(100)
    for seed in range(2000):
        drawn[draw_subset(labels, {0: 0.9, 1: 0.1}, 50, seed)] += 1
    # Each image has probability 1/2; 5 standard deviations of a binomial share of 2000 trials.
    np.testing.assert_allclose(drawn / 2000, 0.5, atol=5 * (0.25 / 2000) ** 0.5)


def test_the_order_of_the_classes_does_not_matter():
    labels = np.random.default_rng(1).permutation(np.repeat([6, 9], 100))
    rows = draw_subset(labels, {6: 0.7, 9: 0.3}, 100, 5)
    assert np.array_equal(rows, draw_subset(labels, {9: 0.3, 6: 0.7}, 100, 5))


@pytest.mark.parametrize(
    ("proportions", "size", "message"),
    [
        ({0: 0.9, 1: 0.2}, 10, r"sum to 1\.1, not to 1"),
        ({0: 0.5}, 10, r"sum to 0\.5, not to 1"),
        ({0: 1.5, 1: -0.5}, 10, r"class 1: proportion -0\.5 is negative"),
        ({0: 1.0, 1: float("nan")}, 10, "class 1: proportion nan"),
        ({0: 0.5, 7: 0.5}, 10, "class 7 does not exist: the labels hold 0, 1"),
        ({}, 10, "sum to 0"),
        ({0: 0.5, 1: 0.5}, 0, "0 images is empty"),
        ({0: 0.5, 1: 0.5}, -4, "-4 images is empty"),
    ],
)
def test_impossible_subsets(proportions, size, message):
    with pytest.raises(UserError, match=message):
        draw_subset(np.repeat([0, 1], 50), proportions, size, 0)


def test_labels_must_be_one_dimensional():
    with pytest.raises(ValueError, match="one-dimensional"):
        draw_subset(np.eye(2), {0: 1.0}, 1, 0)


@settings(deadline=None)
@given(
    available=st.lists(st.integers(1, 60), min_size=3, max_size=3),
    shares=st.lists(st.integers(0, 10), min_size=3, max_size=3).filter(sum),
)
def test_the_largest_possible_size_is_named(available, shares):
    labels = np.repeat([0, 1, 2], available)
    proportions = {name: share / sum(shares) for name, share in enumerate(shares)}

    def fits(size: int) -> bool:
        counts = class_counts(list(proportions.values()), size)
        return all(count <= have for count, have in zip(counts, available, strict=True))

    largest = max(size for size in range(sum(available) + 1) if fits(size))
    with pytest.raises(UserError, match=f"largest possible size for this ratio is {largest}$"):
        draw_subset(labels, proportions, sum(available) + 1, 0)
    if largest:
        assert len(draw_subset(labels, proportions, largest, 0)) == largest


def test_too_large_a_subset_says_what_there_is():
    labels = np.repeat(["six", "nine"], [80, 30])
    with pytest.raises(UserError, match=r"needs 90 of six \(available: 80\), 10 of nine"):
        draw_subset(labels, {"six": 0.9, "nine": 0.1}, 100, 0)


def test_ratios():
    assert class_proportions("90-10", ["six", "nine"], [1, 1]) == {"six": 0.9, "nine": 0.1}
    assert class_proportions("12.5-87.5", ["a", "b"], [1, 1]) == {"a": 0.125, "b": 0.875}
    assert class_proportions("natural", ["a", "b"], [300, 100]) == {"a": 0.75, "b": 0.25}
    with pytest.raises(UserError, match="sums to 110, not 100"):
        class_proportions("90-20", ["a", "b"], [1, 1])
    with pytest.raises(UserError, match="2 percentages are needed, for a, b"):
        class_proportions("90-5-5", ["a", "b"], [1, 1])
    for wrong in ("90", "ninety-ten", "", "90--10"):
        with pytest.raises(UserError, match="is not a ratio: write 90-10"):
            class_proportions(wrong, ["a", "b"], [1, 1])


# ---- classes -----------------------------------------------------------------------------------

NAMES = ["Blond_Hair", "Male", "Young"]
ALL = np.array([[bool(row & bit) for bit in (1, 2, 4)] for row in range(8)])


def test_classes_follow_their_rules():
    classes = {
        "young-blond-male": {"all": ["Male", "Blond_Hair", "Young"]},
        "blond-not-male": {"any": ["Blond_Hair"], "none": ["Male"]},
    }
    expected = [0 if b and m and y else 1 if b and not m else -1 for b, m, y in ALL]
    assert class_labels(ALL, NAMES, classes).tolist() == expected
    any_of = {"x": {"all": ["Male"], "any": ["Blond_Hair", "Young"]}}
    expected = [0 if m and (b or y) else -1 for b, m, y in ALL]
    assert class_labels(ALL, NAMES, any_of).tolist() == expected


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"a": {"all": ["Mal"]}}, "class a: no attribute 'Mal'; did you mean 'Male'"),
        ({"a": {"any": ["blond hair"]}}, "did you mean 'Blond_Hair'"),
        ({"a": {"none": ["xyzzy"]}}, "'xyzzy'; valid: Blond_Hair, Male, Young$"),
        ({"a": {"all": ["Male"]}, "b": {"any": ["Young"]}}, "classes a and b share 2 images"),
        ({"a": {"all": ["Male"], "none": ["Male"]}}, "class a: no image matches"),
        ({"a": {}}, "class a: give attributes under"),
        ({"a": {"some": ["Male"]}}, "class a: give attributes under"),
    ],
)
def test_bad_classes(classes, message):
    with pytest.raises(UserError, match=message):
        class_labels(ALL, NAMES, classes)


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
@pytest.mark.parametrize("label", ["Café", "Ångström", "한국"])
def test_accents_may_be_composed_or_not(stored, asked, label):
    names = [unicodedata.normalize(stored, label), "other"]
    classes = {"a": {"any": [unicodedata.normalize(asked, label)]}, "b": {"any": ["other"]}}
    attributes = np.array([[True, False], [False, True]])
    assert class_labels(attributes, names, classes).tolist() == [0, 1]


# ---- held-out images ----------------------------------------------------------------------------


@settings(deadline=None)
@given(heldout=st.integers(2, 29), seed=st.integers(0, 100))
def test_parts_share_no_image(heldout, seed):
    labels = np.random.default_rng(2).permutation(np.repeat([-1, 0, 1], [20, 30, 40]))
    split = hold_out(labels, ["a", "b"], heldout, seed)
    for index, size in enumerate((30, 40)):
        parts = [split.calibration[index], split.control[index], split.pool[index]]
        assert [len(part) for part in parts] == [
            (heldout + 1) // 2,
            heldout // 2,
            size - heldout,
        ]
        assert all((np.diff(part) > 0).all() for part in parts)
        rows = np.concatenate(parts)
        assert np.array_equal(np.sort(rows), np.flatnonzero(labels == index))


@settings(deadline=None)
@given(heldout=st.integers(2, 20), seed=st.integers(0, 100))
def test_parts_share_no_person(heldout, seed):
    rng = np.random.default_rng(2)
    labels = rng.permutation(np.repeat([-1, 0, 1], [20, 150, 200]))
    persons = rng.integers(0, 60, len(labels)) * 1000
    split = hold_out(labels, ["a", "b"], heldout, seed, persons)
    parts = {part: np.concatenate(getattr(split, part)) for part in PARTS}
    who = [set(persons[rows].tolist()) for rows in parts.values()]
    assert not (who[0] & who[1] or who[0] & who[2] or who[1] & who[2])
    for index in (0, 1):
        own = [getattr(split, part)[index] for part in ("calibration", "control")]
        assert [len(rows) for rows in own] == [(heldout + 1) // 2, heldout // 2]
        free = np.isin(persons, list(who[1] | who[2]), invert=True) & (labels == index)
        assert np.array_equal(split.pool[index], np.flatnonzero(free))


def test_every_image_its_own_person_is_the_split_by_image():
    labels = np.random.default_rng(2).permutation(np.repeat([-1, 0, 1], [20, 30, 40]))
    one = hold_out(labels, ["a", "b"], 9, 3)
    two = hold_out(labels, ["a", "b"], 9, 3, np.arange(len(labels)))
    for part in PARTS:
        pairs = zip(getattr(one, part), getattr(two, part), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs)


def test_the_official_parts_are_kept_apart():
    labels = np.random.default_rng(2).permutation(np.repeat([0, 1], [50, 60]))
    partition = np.random.default_rng(3).integers(0, 3, len(labels))
    split = hold_out_parts(labels, ["a", "b"], 8, 3, partition)
    for index in (0, 1):
        assert np.array_equal(
            split.pool[index], np.flatnonzero((labels == index) & (partition == 0))
        )
        heldout = np.concatenate([split.calibration[index], split.control[index]])
        assert len(set(heldout.tolist())) == 8 and (partition[heldout] > 0).all()
    with pytest.raises(UserError, match="class b has no image in the training part"):
        hold_out_parts(labels, ["a", "b"], 8, 3, np.where(labels == 1, 1, partition))


def test_persons_that_are_too_few_are_told():
    labels, persons = np.repeat([0, 1], 20), np.repeat([0, 1, 2], [20, 10, 10])
    with pytest.raises(UserError, match="class a has 20 different images of 1 persons: 4 cannot"):
        hold_out(labels, ["a", "b"], 4, 0, persons)


@pytest.mark.parametrize(
    ("heldout", "message"),
    [
        (30, "class a has 30 different images: 30 cannot be held out"),
        (31, "give data.heldout a number below 30"),
        (1, "leaves a part empty"),
    ],
)
def test_too_many_or_too_few_held_out(heldout, message):
    with pytest.raises(UserError, match=message):
        hold_out(np.repeat([0, 1], [30, 40]), ["a", "b"], heldout, 0)


# ---- the programs ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """220 images: labels x (120), y (80), z (20); five copies among those of x."""
    images = np.random.default_rng(3).integers(0, 256, (220, 4, 4, 1), dtype=np.uint8)
    images[115:120] = images[:5]
    attributes = np.repeat(np.eye(3, dtype=bool), [120, 80, 20], axis=0)
    path = tmp_path_factory.mktemp("data") / "images.npz"
    source = [f"{row}.png" for row in range(220)]
    write_data_set(path, DataSet(list("xyz"), attributes, source, (4, 4, 1), [images]))
    return path


CLASSES = json.dumps({"ex": {"any": ["x"]}, "why": {"any": ["y"], "none": ["z"]}})


def split_flags(prepared: Path, output: Path) -> list[object]:
    parameters = ["--classes", CLASSES, "--heldout", 21, "--seed", 4]
    return ["--images", prepared, *parameters, "--output", output]


def test_split_and_subset(prepared, tmp_path):
    assert program("split.py", *split_flags(prepared, tmp_path / "s.json")).returncode == 0
    split = json.loads((tmp_path / "s.json").read_text())
    assert split["classes"] == ["ex", "why"]
    assert split["population"] == [120, 80]
    assert split["duplicates"] == 5 and split["seed"] == 4
    sizes = {
        part: [len(rows) for rows in split[part].values()] for part in ("calibration", "control")
    }
    assert sizes == {"calibration": [11, 11], "control": [10, 10]}
    assert [len(split["pool"][name]) for name in ("ex", "why")] == [94, 59]
    used = [row for part in ("pool", "calibration", "control") for row in split[part]["ex"]]
    assert sorted(used) == list(range(115))

    minority = []
    for ratio, counts in (("90-10", [63, 7]), ("60-40", [42, 28]), ("natural", [42, 28])):
        output = tmp_path / f"{ratio}.json"
        flags = ["--split", tmp_path / "s.json", "--ratio", ratio, "--size", 70, "--seed", 1]
        assert program("subset.py", *flags, "--output", output).returncode == 0
        subset = json.loads(output.read_text())
        assert subset["counts"] == counts and subset["size"] == 70
        assert subset["proportions"] == [count / 70 for count in counts]
        assert subset["indices"] == sorted(set(subset["indices"]))
        for row, label in zip(subset["indices"], subset["labels"], strict=True):
            assert row in split["pool"][split["classes"][label]]
        rows = zip(subset["indices"], subset["labels"], strict=True)
        minority.append({row for row, label in rows if label == 1})
        assert subset["provenance"]["images"] == split["images"]
    assert minority[0] < minority[1] == minority[2]


@pytest.mark.parametrize("name", ["persons", "partition"])
def test_split_by_person(prepared, tmp_path, name):
    """220 images of 22 persons in turn, or of the parts 0, 1 and 2 by person."""
    images, attributes, names, source = read_npz(
        prepared, "images", "attributes", "names", "source"
    )
    who = np.arange(220) % 22
    numbers = who if name == "persons" else np.clip(who - 9, 0, 2)
    path, output = tmp_path / "images.npz", tmp_path / "s.json"
    parts = (images.shape[1:], [images], {name: numbers})
    write_data_set(path, DataSet(names.tolist(), attributes, source.tolist(), *parts))
    assert program("split.py", *split_flags(path, output), "--by-person").returncode == 0
    split = read_split(output)
    heldout, pool = split.rows("calibration", "control")[0], split.rows("pool")[0]
    assert len(heldout) == 42 and len(pool) and not set(who[heldout]) & set(who[pool])
    done = program("split.py", *split_flags(prepared, output), "--by-person")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "tells no persons: prepare it again with by_person" in done.stderr


def test_split_and_subset_report_errors_in_one_line(prepared, tmp_path):
    flags = split_flags(prepared, tmp_path / "s.json")
    assert program("split.py", *flags).returncode == 0
    wrong = [flag if flag != CLASSES else '{"a": {"all": ["X"]}}' for flag in flags]
    bad_size = ["--split", tmp_path / "s.json", "--ratio", "90-10", "--size", 1000, "--seed", 1]
    for name, given_flags, message in (
        ("split.py", [*wrong, "--output", tmp_path / "t.json"], "did you mean 'x'?"),
        ("subset.py", [*bad_size, "--output", tmp_path / "t.json"], "largest possible size"),
    ):
        done = program(name, *given_flags)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
        assert message in done.stderr
    assert program("split.py", "--images", prepared, "--classes", "{").returncode == 2
    assert not (tmp_path / "t.json").exists()
