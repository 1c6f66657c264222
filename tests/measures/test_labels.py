"""Labels by hand: the sheet, the page in a browser, the answers, and the shares they give."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coverage_study import coverage_of_labels
from PIL import Image
from scipy.special import logit

from depthbias.data.subsets import Subset
from depthbias.estimates.intervals import from_draws, share_over_seeds
from depthbias.estimates.noise_bootstrap import NoiseBootstrap
from depthbias.estimates.runs import Run, as_json
from depthbias.measures.label_rows import _by_hand, label_rows
from depthbias.measures.label_sheet import (
    NEITHER,
    answers,
    counts_of,
    draw_images,
    draw_sheet,
    name_of,
    read_labels,
)
from depthbias.measures.samples import Classes, join, noise_of, read_classes, read_samples
from depthbias.report.label_page import contact_sheet, label_page
from depthbias.system.errors import UserError
from depthbias.system.files import write_npz

SCRIPTS = Path(__file__).parents[2] / "scripts"
CLASSES = ("six", "nine")
IMAGES = 100
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Files of samples and classes of 2 architectures, 2 seeds; a fifth of depth3 is nine."""
    folder, samples, classes = tmp_path_factory.mktemp("study"), [], []
    for number, (architecture, seed) in enumerate(
        [(a, s) for a in ("depth2", "depth3") for s in "01"]
    ):
        random = np.random.default_rng(number)
        nine = np.arange(IMAGES) % (10 if architecture == "depth2" else 5) == 0
        told = np.stack([~nine, nine], axis=1).astype(np.float32)
        common = {
            "noise": noise_of([0], IMAGES),
            "run": as_json(Run("s", "90-10", architecture, seed, "ddim-4")),
        }
        samples.append(folder / f"samples{number}.npz")
        classes.append(folder / f"classes{number}.npz")
        images = random.integers(0, 256, (IMAGES, 8, 8, 1), dtype=np.uint8)
        write_npz(samples[-1], {"images": images, **common})
        write_npz(classes[-1], {"probabilities": told, "classes": np.array(CLASSES), **common})
    return samples, classes


def models_of(study):
    return [join(read_samples(s), read_classes(c)) for s, c in zip(*study, strict=True)]


def images_of(study, count=150):
    return draw_images([read_classes(path) for path in study[1]], study[0], count)


def subsets():
    labels = (np.arange(100) >= 90).astype(int)
    return [Subset(Path("s"), "90-10", seed, CLASSES, np.arange(100), labels) for seed in "01"]


# The sheet


def test_every_stratum_has_equally_many_images_as_far_as_they_go(study):
    models = models_of(study)
    drawn = draw_sheet(models, 150)
    assert drawn == draw_sheet(models, 150) and len(set(drawn)) == len(drawn)
    counts = {}
    for m, i in drawn:
        key = models[m].run.architecture, models[m].labels[i]
        counts[key] = counts.get(key, 0) + 1
    assert counts == {("depth2", 0): 45, ("depth2", 1): 20, ("depth3", 0): 45, ("depth3", 1): 40}
    order = [models[m].run.architecture for m, _ in drawn]
    assert order != sorted(order)  # the images come in random order


def test_a_sheet_of_more_images_than_there_are_holds_all(study):
    assert len(draw_sheet(models_of(study), 1000)) == 4 * IMAGES
    for count in (1, 2, 3):
        assert len(draw_sheet(models_of(study), count)) == 4  # at least one a stratum


def test_strata_are_of_a_ratio_an_architecture_and_a_class_and_drawn_apart():
    """Of 3 classes, 2 architectures and 2 ratios, 30 images each: 5 of every stratum."""
    models = [
        Classes(
            Path("c"),
            Run("s", ratio, name, "0", "ddim-4"),
            noise_of([0], 90),
            ("a", "b", "c"),
            told,
        )
        for told in [np.eye(3)[np.arange(90) // 30]]
        for ratio in ("90-10", "60-40")
        for name in ("depth2", "depth3")
    ]
    drawn = draw_sheet(models, 12 * 5)
    strata = {}
    for m, i in drawn:
        strata.setdefault((m, i // 30), set()).add(i % 30)
    assert {len(own) for own in strata.values()} == {5} and len(strata) == 12
    assert len(set(map(frozenset, strata.values()))) == 12


def test_an_image_is_named_after_its_run_its_noise_and_its_pixels(study):
    models = models_of(study)
    drawn = images_of(study)
    named = {name_of(model, i): model.images[i] for model in models for i in range(IMAGES)}
    assert len(named) == 4 * IMAGES
    assert all(np.array_equal(named[one.name], one.image) for one in drawn)
    other = replace(models[0], images=255 - models[0].images)
    assert name_of(other, 0) != name_of(models[0], 0)
    run = models[0].run._replace(seed="7")
    noise = noise_of([1], IMAGES)
    for changes in ({"run": run}, {"noise": noise}):
        assert name_of(replace(models[0], **changes), 0) != name_of(models[0], 0)


def test_the_contact_sheet_shows_every_image(study):
    drawn = images_of(study)
    sheet = np.array(contact_sheet(drawn))
    assert sheet.shape == (8 * (56 + 14), 20 * 60, 3)
    cell = sheet[:56, 2:58]  # the first image, every pixel 7 by 7
    assert np.array_equal(cell[::7, ::7, 0], drawn[0].image[..., 0])


def test_a_class_called_neither_is_refused():
    assert answers(CLASSES) == ("six", "nine", "neither")
    with pytest.raises(UserError, match="rename the class"):
        answers(("six", NEITHER))


# The page


def page_of(study):
    drawn = images_of(study)
    return drawn, label_page("s", drawn, CLASSES)


def test_the_page_needs_no_network_and_does_not_tell_the_class(study):
    drawn, page = page_of(study)
    assert "http:" not in page and "https:" not in page and "src=" not in page
    assert "default-src 'none'" in page
    sheet = json.loads(re.search(r"const sheet = (.*);\n", page).group(1))
    assert [one["name"] for one in sheet["images"]] == [one.name for one in drawn]
    assert sheet["images"][0].keys() == {"name", "source"}
    content = b64decode(sheet["images"][0]["source"].partition(",")[2])
    assert np.array_equal(np.array(Image.open(io.BytesIO(content))), drawn[0].image[..., 0])


PRESSED = """<script>
const press = key => document.dispatchEvent(new KeyboardEvent("keydown", { key }));
["1", "2", "3", "9", "x", "ArrowLeft", "1", "ArrowRight", "2"].forEach(press);
document.querySelectorAll("#answers button")[2].click();
let saved;
URL.createObjectURL = blob => { saved = blob; return "data:text/csv,"; };
HTMLAnchorElement.prototype.click = function () { document.title = this.download; };
document.getElementById("save").click();
saved.text().then(text => { document.body.textContent = text; });
</script>"""


@pytest.mark.skipif(not BROWSER, reason="no chromium on this machine")
def test_the_page_writes_the_labels_of_a_browser(study, tmp_path):
    drawn, page = page_of(study)
    (tmp_path / "page.html").write_text(page.replace("</body>", PRESSED + "</body>"))
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/user"]
    command = [BROWSER, *options, "--virtual-time-budget=3000", "--dump-dom"]
    done = subprocess.run(
        [*command, f"file://{tmp_path}/page.html"], capture_output=True, text=True, timeout=120
    )
    assert "<title>s.csv</title>" in done.stdout, done.stderr
    text = re.search(r"<body>(.*?)</body>", done.stdout, re.DOTALL).group(1)
    rows = list(csv.reader(io.StringIO(text)))
    # 1, 2, 3; 9 and x mean nothing; back to the third, which becomes 1; one is left out; 2; a click
    said = ["six", "nine", "six", None, "nine", "neither"]
    names = [one.name for one in drawn]
    expected = [[name, label] for name, label in zip(names, said, strict=False) if label]
    assert rows == [["image", "label"], *expected]
    (tmp_path / "s.csv").write_text(text)
    assert read_labels(tmp_path / "s.csv", CLASSES) == {
        name: answers(CLASSES).index(label) for name, label in expected
    }


# The answers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "its columns are not image,label"),
        ("file,label\na,six\n", "its columns are not image,label"),
        ("image,label\na,seven\n", "label 'seven' is not six or nine or neither"),
        ("image,label\na,six\na,nine\n", "image a has two labels"),
        ("image,label\n", "holds no label"),
        ("image,label\na,\n", "holds no label"),
        ("image,label\na\n", "holds no label"),
        (
            b"\xff\xfe\x00image",
            "not a table of labels .*: save it again from the page of the sheet",
        ),
        (b"PK\x03\x04\x00\x00", "its columns are not image,label"),
    ],
)
def test_a_damaged_or_foreign_table_ends_in_one_line(tmp_path, text, words):
    path = tmp_path / "s.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=words) as caught:
        read_labels(path, CLASSES)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_labels_of_other_images_are_refused(study):
    models = models_of(study)
    given = {name_of(models[0], 0): 0, "0123456789abcdef": 1}
    with pytest.raises(UserError, match=r"1 of 2 labelled images are not among the samples"):
        counts_of(Path("l.csv"), given, models)


def test_answers_are_counted_by_what_the_classifier_said(study):
    models = models_of(study)  # image 0 of each is taken for nine, the others up to 4 for six
    given = {name_of(models[0], 0): 2, name_of(models[1], 0): 0, name_of(models[1], 3): 0}
    found = counts_of(Path("l.csv"), given, models)
    assert {key: counts.tolist() for key, counts in found.items()} == {
        ("90-10", "depth2", 1): [1, 0, 1],
        ("90-10", "depth2", 0): [1, 0, 0],
    }
    assert {counts.dtype for counts in found.values()} == {np.dtype(np.int64)}


def test_images_without_an_answer_are_passed_over(tmp_path):
    (tmp_path / "s.csv").write_text("image,label\na,\nb,six\nc,\nd,neither\n")
    assert read_labels(tmp_path / "s.csv", CLASSES) == {"b": 0, "d": 2}


def test_a_spreadsheet_may_have_saved_the_table(tmp_path):
    (tmp_path / "s.csv").write_bytes(b"\xef\xbb\xbfimage,label\r\na, six \r\nb,\r\n")
    assert read_labels(tmp_path / "s.csv", CLASSES) == {"a": 0}


# The shares


def labelled(study, count=150):
    """Of depth3 every second image that is taken for nine is neither; all others are right."""
    models = models_of(study)
    place = {
        name_of(model, i): (model.run.architecture, int(model.labels[i]), i)
        for model in models
        for i in range(IMAGES)
    }
    given = {}
    for one in images_of(study, count):
        architecture, label, i = place[one.name]
        given[one.name] = 2 if architecture == "depth3" and label and i % 10 else label
    return models, given


def test_the_estimate_is_the_prediction_powered_one_for_any_weight_of_the_prediction(study):
    models, given = labelled(study)
    counts = counts_of(Path("l"), given, models)
    rows = [*label_rows(Path("l"), models, counts, subsets(), 400)]
    share = {r["class"]: r["value"] for r in rows if r["metric"] == "share_by_hand" and _all(r)}
    own = [model for model in models if model.run.architecture == "depth3"]
    predicted = np.concatenate([model.labels for model in own])
    names = [name_of(model, i) for model in own for i in range(IMAGES)]
    chosen = np.array([name in given for name in names])
    said = np.array([given.get(name, 0) for name in names])
    shares = np.bincount(predicted) / len(predicted)
    for k, name in enumerate(answers(CLASSES)):
        for weight in (0.0, 0.5, 1.0):
            f = weight * (predicted == k)
            error = sum(
                shares[h] * ((said == k) - f)[chosen & (predicted == h)].mean() for h in (0, 1)
            )
            assert share[name] == pytest.approx(f.mean() + error)  # arXiv 2301.09633, by strata


def _all(row):
    return row["seed"] == "all" and row["architecture"] == "depth3"


def test_neither_is_a_share_of_its_own_and_counts_for_no_class(study):
    models, given = labelled(study, count=1000)  # every image
    counts = counts_of(Path("l"), given, models)
    rows = [*label_rows(Path("l"), models, counts, subsets(), 400)]
    found = {(r["metric"], r["class"]): r for r in rows if _all(r)}
    assert found["share_by_hand", "neither"]["value"] == pytest.approx(0.1)
    assert found["share_by_hand", "nine"]["value"] == pytest.approx(0.1)
    assert found["share_by_hand_decided", "nine"]["value"] == pytest.approx(0.1 / 0.9)
    shift = found["log_odds_shift_by_hand", "nine"]
    assert shift["value"] == pytest.approx(np.log(1 / 8) - np.log(1 / 9))
    assert shift["lower"] < shift["value"] < shift["upper"] and shift["runs"] == 2
    for metric in ("share_by_hand", "share_by_hand_decided"):
        values = [row["value"] for (name, _), row in found.items() if name == metric]
        assert sum(values) == pytest.approx(1)


def test_more_labels_narrow_the_interval(study):
    width = {}
    for count in (12, 150):
        models, given = labelled(study, count)
        counts = counts_of(Path("l"), given, models)
        [row] = [
            row
            for row in label_rows(Path("l"), models, counts, subsets(), 400)
            if _all(row) and (row["metric"], row["class"]) == ("share_by_hand", "neither")
        ]
        width[count] = row["upper"] - row["lower"]
    assert width[150] < 0.7 * width[12]


def test_a_model_without_labels_has_no_rows_and_half_labelled_ones_are_refused(study):
    models, given = labelled(study)
    counts = counts_of(Path("l"), given, models)
    alone = {key: own for key, own in counts.items() if key[1] == "depth2"}
    rows = [*label_rows(Path("l"), models, alone, subsets(), 100)]
    assert {row["architecture"] for row in rows} == {"depth2"}
    del alone["90-10", "depth2", 1]
    with pytest.raises(UserError, match=r"l: no label of depth2, 90-10 .* taken for nine"):
        list(label_rows(Path("l"), models, alone, subsets(), 100))


def told(ratio, architecture, seed, nines, images=20):
    """A model of whose images so many are taken for nine."""
    probabilities = np.eye(2)[(np.arange(images) < nines).astype(int)]
    run = Run("s", ratio, architecture, seed, "ddim-4")
    return Classes(Path(f"{ratio}.npz"), run, noise_of([0], images), CLASSES, probabilities)


def test_rows_by_hand_are_those_of_every_run_and_over_seeds():
    """Without labels no rows; none of a class, no share of those; none trained on, no shift."""
    models = [
        told("90-10", "depth4", "0", 5),  # no image of these is labelled
        *(told("90-10", "depth2", seed, nines) for seed, nines in (("0", 4), ("1", 6))),
        *(told("100-0", "depth2", seed, 0, 30) for seed in "01"),
        told("0-100", "depth2", "0", 20),
        told("60-40", "depth2", "0", 8),
    ]
    counts = {
        ("90-10", "depth2", 0): np.array([8, 1, 1]),
        ("90-10", "depth2", 1): np.array([1, 6, 2]),
        ("100-0", "depth2", 0): np.array([9, 1, 2]),
        ("0-100", "depth2", 1): np.array([0, 9, 0]),
        ("60-40", "depth2", 0): np.array([0, 0, 5]),
        ("60-40", "depth2", 1): np.array([0, 0, 7]),
    }
    made = [
        Subset(Path("s"), ratio, seed, CLASSES, np.arange(10), (np.arange(10) < nines).astype(int))
        for ratio, nines in (("90-10", 1), ("100-0", 0), ("0-100", 10), ("60-40", 4))
        for seed in "01"
    ]
    rows = [*label_rows(Path("l"), models, counts, made, 50)]
    expected, bootstrap = {}, NoiseBootstrap(50)
    for (ratio, trained), group in zip(
        (("90-10", 0.1), ("100-0", 0), ("0-100", 1), ("60-40", 0.4)),
        (models[1:3], models[3:5], models[5:6], models[6:]),
        strict=True,
    ):
        strata = {k: counts[ratio, "depth2", k] for k in (0, 1) if (ratio, "depth2", k) in counts}
        found = _by_hand(group, strata, bootstrap)
        for seed, parts in (
            *((m.run.seed, [f]) for m, f in zip(group, found, strict=True)),
            ("all", found),
        ):
            values, draws = np.stack([p.values for p in parts]), np.stack([p.draws for p in parts])
            n = sum(p.n for p in parts)

            def share(x, y, n=n, seed=seed):
                return share_over_seeds(x, y, n) if seed == "all" else from_draws(x[0], y[0], n)

            for k, name in enumerate((*CLASSES, NEITHER)):
                expected["share_by_hand", ratio, seed, name] = share(values[:, k], draws[..., k])
            for k, name in enumerate(CLASSES if ratio != "60-40" else ()):
                decided = share(*(x[..., k] / (1 - x[..., 2]) for x in (values, draws)))
                expected["share_by_hand_decided", ratio, seed, name] = decided
                if 0 < trained < 1:
                    ends = np.clip(decided[:3], 0.5 / n, 1 - 0.5 / n)
                    shift = logit(ends) - logit(trained if k else 1 - trained)
                    expected["log_odds_shift_by_hand", ratio, seed, name] = (*shift, n)
    keys = [(row["metric"], row["ratio"], row["seed"], row["class"]) for row in rows]
    assert len(set(keys)) == len(keys) and set(keys) == set(expected)
    for key, row in zip(keys, rows, strict=True):
        numbers = tuple(row[name] for name in ("value", "lower", "upper", "n"))
        assert numbers == pytest.approx(tuple(expected[key]), nan_ok=True), key
        several = key[2] == "all" and key[1] in ("90-10", "100-0")
        assert (row["architecture"], row["runs"]) == ("depth2", 2 if several else 1)
    with pytest.raises(UserError, match=r"90-10\.npz: no subset 90-10 of seed 0 was given"):
        list(label_rows(Path("l"), models, counts, [], 50))


def test_labels_of_two_strata_are_drawn_apart():
    """Of each stratum half are six: the error is that of a mean of two independent halves."""
    strata = {0: np.array([20, 20, 0]), 1: np.array([20, 20, 0])}
    [found] = _by_hand([told("50-50", "depth2", "0", 500, 1000)], strata, NoiseBootstrap(2000))
    error = np.sqrt(0.25 / 42.5)  # of one stratum: Dirichlet of its counts and a half each
    assert found.draws[:, 0].std() == pytest.approx(error / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("neither", [0.02, 0.2])
def test_coverage_of_shares_by_hand(neither):
    assert min(coverage_of_labels(25, 3, neither, 200).values()) > 0.91


def test_a_damaged_table_stops_the_script_in_one_line(study, tmp_path):
    (tmp_path / "l.csv").write_text("image,label\na,six\n")
    write = [sys.executable, SCRIPTS / "measure_labels.py", "--study", "s", "--bootstrap", "100"]
    (tmp_path / "s.json").write_text("{}")
    command = [*write, "--labels", tmp_path / "l.csv", "--samples", *study[0], "--classes"]
    command += [*study[1], "--subsets", tmp_path / "s.json", "--output", tmp_path / "o.csv"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "o.csv").exists()
