"""`depthbias check`: whatever params.yaml and the raw files decide is said before the first job."""

import copy
import gzip
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import TINY

from depthbias.config.check import main
from depthbias.config.outlook import QUICK_TABLE
from depthbias.config.raw_data import first_problem, outlook
from depthbias.config.reading import find_problems, parse
from depthbias.data.digits import COUNTS, load_digits
from depthbias.data.mnist import COUNTS as MNIST_COUNTS
from depthbias.data.registry import known_labels
from depthbias.system.errors import UserError


def changed(**values):
    """The tiny study with the values at dotted key paths (__ for a dot) replaced."""
    content = copy.deepcopy(TINY)
    for path, value in values.items():
        block = content["studies"]["tiny"]
        *parents, key = path.split("__")
        for parent in parents:
            block = block.setdefault(parent, {})
        block[key] = value
    return content


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(
    "path", ["width", "training__learning_rate", "training__clip", "classifier__threshold"]
)
def test_numbers_that_are_not_finite_are_refused(path, value):
    with pytest.raises(UserError, match=rf"studies\.tiny\.{path.replace('__', '.')}: "):
        parse(changed(**{path: value}))


@pytest.mark.parametrize(
    "sampler", ["ddim-1001", "ddpm-1001", "heun-5000", "dpmpp-99999999999999999999"]
)
def test_more_steps_than_the_objective_has_levels_are_refused(sampler):
    content = changed(sampling__samplers=[sampler])
    with pytest.raises(UserError, match=rf"sampling\.samplers: {sampler}: .* at most .*-1000$"):
        parse(content)
    content["studies"]["tiny"]["training"]["objective"] = "edm"
    if not sampler.startswith("ddpm"):
        parse(content)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"subset_size": 10}, "subset_size: ratio 90-10: 10 images have 1 of nine, and 2 are"),
        ({"ratios": ["99-1"]}, "subset_size: ratio 99-1: 40 images have 0 of nine"),
        ({"sampling__images": 1}, "sampling.images: input should be greater than or equal to 2"),
        ({"neighbors": {"embeddings": ["classifier"]}}, "neighbors.embeddings: nothing tells"),
        ({"endpoint": {"secondary": ["kapa_per_depth"]}}, "endpoint.secondary: no slope 'kapa"),
        (
            {"classes__eight": {"any": [8]}, "ratios": ["60-30-10"], "flips__images": 5},
            "flips.images: 5 are not 2 of each of 3 classes: take 6",
        ),
        (
            {
                "classes__eight": {"any": [8]},
                "ratios": ["60-30-10"],
                "denoising": {"training_images": 4},
            },
            "denoising.training_images: 4 are not 2 of each of 3 classes: take 6",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_sizes_that_a_later_measurement_needs_are_checked(values, words):
    with pytest.raises(UserError) as caught:
        parse(changed(**values))
    assert f"studies.tiny.{words}" in str(caught.value)


def test_all_problems_are_found_in_one_pass():
    content = changed(width=math.inf, bias__bootstrap=1)
    content["studies"]["other"] = changed(
        neighbors__k=[40], sampling__samplers=["ddim-1001"], quality={"k": [3, 54, 5]}
    )["studies"]["tiny"]
    content["studies"]["right"] = copy.deepcopy(TINY["studies"]["tiny"])
    content["active"] = ["tiny", "right", "wrong"]
    content["sweeps"] = {
        "a": {"study": "tiny", "vary": "width", "values": [0.5, 1]},
        "b": {"study": "right", "vary": "subset_size", "values": [4, 5, 40]},
    }
    params, problems = find_problems(content)
    keys = [problem.split(": ")[0] for problem in problems]
    assert keys == [
        "studies.tiny.width",
        "studies.tiny.bias.bootstrap",
        "studies.other.neighbors.k",
        "studies.other.sampling.samplers",
        "studies.other.quality.k",
        "active",
        *["sweeps.b.values"] * 4,  # two sizes, each too small for neighbors.k and for 90-10
    ]
    assert params is None
    with pytest.raises(UserError, match=r"tiny\.width: .* \(and 4 more\)$"):
        parse(content)


def test_what_is_right_is_left_for_further_checks():
    content = changed(width=0)
    content["studies"]["right"] = copy.deepcopy(TINY["studies"]["tiny"])
    params, problems = find_problems(content)
    assert len(problems) == 1 and list(params.studies) == ["right"]


# ---- raw files ----------------------------------------------------------------------------------


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """A study of own images, 60 cats and 40 dogs, in the working folder: its parameters."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{k}.png,{'cat' if k < 60 else 'dog'}\n" for k in range(100)]
    (tmp_path / "raw").mkdir()
    for k in range(100):
        (tmp_path / f"raw/{k}.png").touch()
    (tmp_path / "labels.csv").write_text("file,label\n" + "".join(rows))
    return changed(
        data__dataset="folder",
        data__raw="raw",
        data__labels="labels.csv",
        data__heldout=12,
        classes={"cat": {"any": ["cat"]}, "dog": {"any": ["dog"]}},
        subset_size=30,
    )


def checked(content, monkeypatch, capsys, *names):
    """The lines of `depthbias check` for these parameters: (standard output, standard error)."""
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    monkeypatch.setattr(sys, "argv", ["check", *names])
    failed = None
    try:
        main()
    except UserError as error:
        failed = str(error)
    out, told = capsys.readouterr()
    return out.splitlines(), told.splitlines(), failed


def test_a_study_that_can_run_is_summarised(pets, monkeypatch, capsys):
    out, told, failed = checked(pets, monkeypatch, capsys)
    assert (told, failed) == ([], None)
    assert out == [
        "tiny: 60 cat, 40 dog; 12 of each held out, 30 train a model; neighbors.k: 1, 5; "
        "structure.samples: 80"
    ]
    assert first_problem(parse(pets), ["tiny"]) == ""


def test_values_that_follow_from_the_data_are_told(pets, monkeypatch, capsys):
    study = pets["studies"]["tiny"]
    study["data"]["heldout"] = "auto"
    del study["neighbors"]["k"], study["structure"]["samples"]
    assert checked(pets, monkeypatch, capsys)[0] == [
        "tiny: 60 cat, 40 dog; 12 of each held out, 30 train a model; neighbors.k: 1, 5, 10; "
        "structure.samples: 320"
    ]


WRONG = [
    ({"data__raw": "rew"}, ["data.raw: rew: no such folder; did you mean 'raw'?: put"]),
    ({"data__labels": "label.csv"}, ["data.labels: label.csv: no such file; did you mean"]),
    ({"classes__dog": {"any": ["dogs"]}}, ["classes: class dog: no attribute 'dogs'; did you"]),
    (
        {"classes__dog": {"any": ["Hund"]}, "classes__cat": {"all": ["Katze"]}},
        ["classes: 2 problems: class cat: no attribute 'Katze'; valid: cat, dog; class dog: "],
    ),
    ({"classes__dog": {"none": ["fox"]}}, ["classes: class dog: no attribute 'fox'"]),
    ({"classes__dog": {"all": ["cat", "dog"]}}, ["classes: class dog: no image matches all: [cat"]),
    ({"classes__dog": {"any": ["cat", "dog"]}}, ["classes: classes cat and dog share 60 images"]),
    ({"data__heldout": 40}, ["data.heldout: class dog has 40 different images: 40 cannot"]),
    ({"data__heldout": 70}, ["data.heldout: 2 problems: class cat has 60"]),
    (
        {"subset_size": 60},
        [
            "subset_size: ratio 90-10: a subset of 60 images at this ratio needs 54 of cat "
            "(available: 48), 6 of dog (available: 28): the largest possible size"
        ],
    ),
    (
        {"subset_size": 90},
        ["subset_size: ratio 90-10: a subset of 90", "subset_size: ratio 60-40: a subset of 90"],
    ),
    ({"disjoint": True}, ["subset_size: ratio 90-10, apart for 2 seeds: a subset of 30"]),
    (
        {"ratios": ["natural"], "subset_size": 90},
        ["subset_size: ratio natural: a subset of 90"],
    ),
    (
        {"data__heldout": "auto", "quality__k": [5, 14]},
        ["data.heldout: auto holds out 12 images a class, and quality.k: 14 needs more"],
    ),
]


@pytest.mark.parametrize(("values", "lines"), WRONG, ids=[str(list(v)) for v, _ in WRONG])
def test_what_the_raw_files_do_not_allow_is_told(pets, monkeypatch, capsys, values, lines):
    for path, value in values.items():
        block = pets["studies"]["tiny"]
        *parents, key = path.split("__")
        for parent in parents:
            block = block.setdefault(parent, {})
        block[key] = value
    out, told, failed = checked(pets, monkeypatch, capsys)
    assert out == [] and len(told) == len(lines), told
    for line, beginning in zip(told, lines, strict=True):
        assert line.startswith(f"params.yaml: studies.tiny.{beginning}"), line
    assert failed == f"params.yaml: {len(lines)} problem{'s' if len(lines) > 1 else ''}"
    assert first_problem(parse(pets), ["tiny"]) == told[0].removeprefix("params.yaml: ")


def test_sizes_of_sweeps_are_checked(pets, monkeypatch, capsys):
    pets["sweeps"] = {"size": {"study": "tiny", "vary": "subset_size", "values": [20, 30, 200]}}
    _, told, _ = checked(pets, monkeypatch, capsys)
    assert len(told) == 2
    assert told[0].startswith("params.yaml: sweeps.size.values: 200: ratio 90-10: a subset of 200")


def test_problems_of_parameters_and_of_raw_files_are_told_together(pets, monkeypatch, capsys):
    pets["studies"]["wrong"] = changed(width=-1)["studies"]["tiny"]
    pets["studies"]["tiny"]["data"]["labels"] = "none.csv"
    _, told, failed = checked(pets, monkeypatch, capsys, "tiny", "wrong")
    assert [line.split(": ")[1] for line in told] == [
        "studies.wrong.width",
        "studies.tiny.data.labels",
    ]
    assert failed == "params.yaml: 2 problems"
    assert (
        "no study 'tinny'; did you mean 'tiny'?" in checked(pets, monkeypatch, capsys, "tinny")[2]
    )


def test_a_damaged_table_is_told_with_its_lines(pets, monkeypatch, capsys):
    with Path("labels.csv").open("a") as file:
        file.write("0.png,cat\nmissing.png,cat\n")
    _, told, _ = checked(pets, monkeypatch, capsys)
    assert len(told) == 1 and "tiny.data.labels: labels.csv: 2 problems: line 102: " in told[0]
    assert "line 103: 'missing.png' is not in raw" in told[0]


def test_sub_folders_are_classes_and_what_is_no_image_is_not_told(pets, monkeypatch, capsys):
    del pets["studies"]["tiny"]["data"]["labels"]
    for name, count in (("cat", 60), ("dog", 40)):
        for k in range(count):
            path = f"own/{name}/{k}.png"
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
    Path("own/notes.txt").touch()
    pets["studies"]["tiny"]["data"]["raw"] = "own"
    out, told, _ = checked(pets, monkeypatch, capsys)
    assert told == [] and out[0].startswith("tiny: 60 cat, 40 dog; ")


def test_prepared_images_stand_for_raw_files_that_are_gone(pets, monkeypatch, capsys, tmp_path):
    pets["studies"]["tiny"]["data"]["raw"] = "gone"
    (tmp_path / "data/tiny").mkdir(parents=True)
    labels = np.repeat([0, 1], [50, 40])
    np.savez(
        tmp_path / "data/tiny/images.npz",
        attributes=labels[:, None] == np.arange(2),
        names=np.array(["cat", "dog"]),
    )
    assert checked(pets, monkeypatch, capsys)[0][0].startswith("tiny: 50 cat, 40 dog; ")
    pets["studies"]["tiny"]["classes"]["dog"] = {"any": ["fox"]}
    assert "no attribute 'fox'" in checked(pets, monkeypatch, capsys)[1][0]


def test_a_large_table_is_left_to_the_first_job_but_not_by_check(pets, monkeypatch, capsys):
    pets["studies"]["tiny"]["classes"]["dog"] = {"any": ["fox"]}
    with Path("labels.csv").open("a") as file:
        file.write("\n" * QUICK_TABLE)
    assert first_problem(parse(pets), ["tiny"]) == ""
    assert "no attribute 'fox'" in checked(pets, monkeypatch, capsys)[1][0]


@pytest.mark.parametrize("lines", ["3\nMale Young\n", "image_id,Male,Young\n0.jpg,1,-1\n"])
def test_attributes_of_celeba_are_known_by_the_first_lines(pets, monkeypatch, tmp_path, lines):
    study = pets["studies"]["tiny"]
    study["data"] |= {"dataset": "celeba", "labels": "", "raw": "faces"}
    study["classes"] = {"a": {"all": ["Mal"]}, "b": {"none": ["Male"]}}
    assert first_problem(parse(pets), ["tiny"]) == ""  # a plan may be made before it is fetched
    told = outlook(parse(pets), "tiny").problems
    assert "tiny.data.raw: faces: list_attr_celeba.txt is missing: accept" in told[0]
    (tmp_path / "faces").mkdir()
    ending = "csv" if "," in lines else "txt"
    (tmp_path / f"faces/list_attr_celeba.{ending}").write_text(lines)
    problem = "studies.tiny.classes: class a: no attribute 'Mal'; did you mean 'Male'?"
    assert first_problem(parse(pets), ["tiny"]) == problem
    study["classes"]["a"] = {"all": ["Male"]}
    assert first_problem(parse(pets), ["tiny"]) == ""


def test_the_counts_of_digits_are_those_of_the_data_set():
    assert tuple(load_digits(8, 1).attributes.sum(axis=0)) == COUNTS
    assert sum(MNIST_COUNTS) == 70_000
    known = known_labels("mnist", [], None, False, "stop")
    assert tuple(known.attributes.sum(axis=0)) == MNIST_COUNTS


@pytest.mark.parametrize("shape", [(3, 28, 28), (5, 32, 32), (3, 2, 2)])
@pytest.mark.parametrize("kind", ["whole", "cut", "flipped", "no gzip"])
def test_files_of_another_data_set_are_not_called_damaged(pets, monkeypatch, tmp_path, shape, kind):
    """Fashion-MNIST and others have the names of MNIST's files."""
    pets["studies"]["tiny"]["data"] |= {"dataset": "mnist", "labels": "", "raw": "idx"}
    pets["studies"]["tiny"]["classes"] = TINY["studies"]["tiny"]["classes"]
    (tmp_path / "idx").mkdir()
    header = bytes([0, 0, 8, 3]) + np.array(shape, ">u4").tobytes()
    packed = gzip.compress(header + bytes(math.prod(shape)))
    flipped = packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:]  # in the checksum
    content = {"whole": packed, "cut": packed[:-7], "flipped": flipped, "no gzip": header}[kind]
    (tmp_path / "idx/train-images-idx3-ubyte.gz").write_bytes(content)
    told = first_problem(parse(pets), ["tiny"])
    assert told.startswith("studies.tiny.data.raw: idx/train-images-idx3-ubyte.gz: ")
    if kind == "whole":
        assert f"another data set than MNIST ({'x'.join(map(str, shape))})" in told
    else:
        assert "damaged or incomplete" in told


@pytest.mark.parametrize("ratios", [["90-10", "60-40"], ["50-50"], ["natural"]])
def test_the_size_that_a_message_names_is_the_largest(pets, ratios):
    study = pets["studies"]["tiny"]
    study.update(ratios=ratios, subset_size=90)
    for _ in ratios:
        if told := first_problem(parse(pets), ["tiny"]):
            study["subset_size"] = int(told.rpartition(" is ")[2])
    assert first_problem(parse(pets), ["tiny"]) == ""
    study["subset_size"] += 1
    assert "subset_size: ratio" in first_problem(parse(pets), ["tiny"])
