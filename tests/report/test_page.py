"""The page of a study: its samples, its parts, and how it behaves in a browser."""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from test_verdict_parts import ENDPOINT, arms, lpips, named, row

from depthbias.data.subsets import read_subset
from depthbias.estimates.endpoints import read_slopes, verdict, verdict_rows
from depthbias.estimates.runs import Run, as_json
from depthbias.estimates.tidy import tidy
from depthbias.measures.manifolds import Manifold
from depthbias.measures.samples import noise_of
from depthbias.report import sample_browser
from depthbias.report.claims import judge
from depthbias.report.doubts import doubts
from depthbias.report.lights import lights
from depthbias.report.methods import methods
from depthbias.report.page import arm_bars, page, pictures
from depthbias.report.sample_browser import (
    OF_AUDIT,
    Group,
    browser,
    by_ratio,
    nearest_rows,
    read_shown,
    sprite,
)
from depthbias.report.style import save
from depthbias.system.errors import UserError
from depthbias.system.files import write_csv, write_json, write_npz

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
CLASSES = ("six", "nine")
IMAGES = 40  # generated, a model
RUNS = [Run("s", "90-10", a, s, "ddim-4") for a in ("depth2", "depth3") for s in "01"]


def nines(run):
    """Which images are nine: of depth2 every tenth, of depth3 two more."""
    own = np.arange(IMAGES) % 10 == 0
    if run.architecture == "depth3":
        own[[3, 5]] = True
    return own


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """(samples, classes, manifold, subsets, prepared images) of two depths and two seeds."""
    folder = tmp_path_factory.mktemp("study")
    random, samples, classes = np.random.default_rng(0), [], []
    real = random.integers(0, 256, (30, 8, 8, 1), dtype=np.uint8)
    write_npz(folder / "images.npz", {"images": real}, compress=False)
    for run in reversed(RUNS):
        common = {"noise": noise_of([0], IMAGES), "run": as_json(run)}
        told = np.stack([~nines(run), nines(run)], axis=1).astype(np.float32)
        told[7] = 0.5, 0.5  # undecidable
        name = f"{run.architecture}-{run.seed}.npz"
        images = random.integers(0, 256, (IMAGES, 8, 8, 1), dtype=np.uint8)
        images[0] = real[int(run.seed) + 4]
        samples.append(folder / f"samples-{name}")
        classes.append(folder / f"classes-{name}")
        write_npz(samples[-1], {"images": images, **common})
        write_npz(classes[-1], {"probabilities": told, "classes": np.array(CLASSES), **common})
    subsets = []
    for seed in "01":
        subsets.append(folder / f"{seed}.json")
        rows = list(range(int(seed), 30))
        content = {"ratio": "90-10", "seed": seed, "classes": CLASSES, "indices": rows}
        write_json(subsets[-1], content | {"labels": [row % 2 for row in rows]})
    accepted = np.ones((len(RUNS), IMAGES), dtype=bool)
    accepted[0, 9] = False
    ones = np.ones(2)
    manifold = Manifold(
        tuple(RUNS), noise_of([0], IMAGES), accepted, ones, ones, 5, "pixels", CLASSES
    )
    return samples, classes, manifold, subsets, folder / "images.npz"


def shown_of(study):
    samples, classes, manifold, subsets, images = study
    return read_shown(samples, classes, manifold, [read_subset(p) for p in subsets], images, 0.9)


def test_models_come_in_reading_order_with_flips_and_neighbours(study):
    shown = shown_of(study)
    assert [one.run for one in shown] == RUNS
    assert [one.changed.sum() for one in shown] == [0, 0, 2, 2]
    assert [one.nearest[0] for one in shown] == [4, 5, 4, 5]  # copies of these rows


def test_the_nearest_image_is_exact_and_the_first_of_equal_ones(monkeypatch):
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (200, 5, 5, 3), dtype=np.uint8)
    images[150] = images[20]
    queries = np.concatenate([images[[150]], random.integers(0, 256, (30, 5, 5, 3), np.uint8)])
    rows = np.arange(10, 200)
    apart = queries.reshape(31, 1, -1).astype(int) - images[rows].reshape(1, 190, -1)
    expected = (apart**2).sum(2).argmin(1)
    monkeypatch.setattr(sample_browser, "BLOCK_BYTES", 8 * 75 * 7)  # seven images at a time
    assert nearest_rows(queries, images, rows).tolist() == expected.tolist()
    assert rows[nearest_rows(queries, images, rows)[0]] == 20


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sprite_has_image_i_in_column_and_row(tmp_path, channels):
    images = np.random.default_rng(0).integers(0, 256, (70, 4, 4, channels), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(sprite(images))
    whole = np.array(Image.open(tmp_path / "a.png")).reshape(12, 128, channels)
    assert np.array_equal(whole[8:12, 20:24], images[69])  # third row, sixth column
    assert np.array_equal(whole[:4, :4], images[0])


def test_the_browser_tells_shares_of_all_images_and_shows_fewer_where_they_are_large(
    study, monkeypatch
):
    shown = shown_of(study)
    told = browser(by_ratio(shown), study[-1])
    [group] = told["groups"]
    models = group["models"]
    assert len(group["noises"]) == group["images"] == IMAGES and group["title"] == "90-10"
    assert models[2]["shares"]["changed"] == 2 / IMAGES
    assert models[0]["shares"] == {"changed": 0, "undecidable": 1 / IMAGES, "off": 1 / IMAGES}
    whole = sum(len(one["sprite"]) for one in models)
    monkeypatch.setattr(sample_browser, "SPRITE_BYTES", whole // 2)
    [fewer] = browser(by_ratio(shown), study[-1])["groups"]
    assert 0 < len(fewer["noises"]) < IMAGES and fewer["images"] == IMAGES
    assert fewer["models"][2]["shares"]["changed"] == 2 / IMAGES


def test_a_group_has_the_marks_that_its_images_can_have(study):
    """One model has no other class than itself; of one class no image is undecidable."""
    shown = shown_of(study)
    alone = Group("depth2", "image", [replace(shown[0], images=shown[0].images[:5])])
    one_class = replace(
        shown[0].classes, classes=("all",), probabilities=np.ones((IMAGES, 1), dtype=np.float32)
    )
    kinds = {
        "90-10": (Group("90-10", "noise", shown), ["changed", "undecidable", "off"]),
        "depth2": (alone, ["undecidable", "off"]),
        "all": (Group("all", "noise", [replace(shown[0], classes=one_class)]), ["off"]),
    }
    told = browser([group for group, _ in kinds.values()], study[-1], OF_AUDIT)
    assert told["heading"] == "Generated images" and told["first"] == "the first model"
    assert [one["flags"] for one in told["groups"]] == [flags for _, flags in kinds.values()]
    assert [one["unit"] for one in told["groups"]] == ["noise", "image", "noise"]
    assert [len(one["models"]) for one in told["groups"]] == [4, 1, 1]


def test_models_from_other_noises_are_refused(study, tmp_path):
    samples, classes, *rest = study
    common = {"noise": noise_of([1], IMAGES), "run": as_json(RUNS[0])}
    told = np.full((IMAGES, 2), 0.5, dtype=np.float32)
    path = tmp_path / "classes.npz"
    write_npz(path, {"probabilities": told, "classes": np.array(CLASSES), **common})
    with pytest.raises(UserError, match="not from the noise of"):
        shown_of((samples, [*classes[:-1], path], *rest))


def made(folder, samples, rows):
    """A page of these samples and rows of a summary."""
    summary = tidy(rows)
    slopes = verdict_rows(summary, ENDPOINT)
    write_csv(folder / "verdict.csv", slopes)
    slopes = read_slopes(folder / "verdict.csv")
    found = verdict(slopes, ENDPOINT)
    save(Figure(), [folder / "kappa.svg", folder / "kappa.png"])
    meta = {"run": RUNS[0]._asdict(), "git": "abc+dirty", "device": "cpu", "parameters": 9}
    write_json(folder / "model.json", meta | {"versions": {"torch": "2"}, "weights": "1f" * 32})
    manifold = Manifold((), np.empty(0), np.empty(0), np.empty(0), np.empty(0), 5, "pixels", ())
    return page(
        "s",
        found,
        arm_bars(slopes, ENDPOINT),
        lights(summary, ENDPOINT, manifold),
        judge(summary, slopes, found, ENDPOINT),
        pictures([folder / "kappa.svg", folder / "kappa.png"]),
        samples,
        methods({"seeds": [0]}, "s", [folder / "model.json"], [], [folder / "verdict.csv"]),
        doubts=doubts(summary),
    )


@pytest.fixture(scope="module")
def whole(study, tmp_path_factory):
    """The page of the made-up study."""
    rows = named([*arms(0.3), *lpips(0.5)])
    return made(
        tmp_path_factory.mktemp("page"), browser(by_ratio(shown_of(study)), study[-1]), rows
    )


def test_the_page_says_all_parts_and_asks_for_nothing(whole):
    for words in ("Depth amplifies the bias: kappa changes by 0.3", "<h2", "git checkout abc\n"):
        assert words in whole
    for words in ("snakemake --cores all s", "1f1f", "seeds:", "Diversity: <span", "not measured"):
        assert words in whole
    assert not re.search(r'(src|href)="(?!#|data:)', whole) and "url(http" not in whole
    assert "default-src 'none'; img-src data:" in whole
    assert "neighbours, membership, variance, linearity" in whole  # what it does not measure
    assert whole.count('id="figure-kappa"') == 1
    targets = set(re.findall(r'href="#([\w-]+)"', whole))
    assert targets <= set(re.findall(r'id="([\w-]+)"', whole))


def test_a_page_without_slopes_claims_and_samples_stands(tmp_path):
    text = made(tmp_path, None, [row("share_raw", 0.1)])
    assert "Cannot tell: the study has no such slope" in text
    assert 'id="claims"' not in text and 'id="samples"' not in text and 'id="methods"' in text


def contrast(first, second):
    """WCAG 2's ratio of two colours #rrggbb or #rgb."""

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        parts = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


def test_every_colour_of_text_can_be_read_in_the_light_and_in_the_dark(whole):
    blocks = re.findall(r":root \{(.*?)\}", whole, re.DOTALL)
    for block in blocks[:2]:
        colours = dict(re.findall(r"--([\w]+): (#\w+)", block))
        for name in ("text", "soft", "link", "holds", "doubtful", "fails"):
            for back in ("back", "card"):
                assert contrast(colours[name], colours[back]) >= 4.5, (name, back)


PROBE = """<script>
const faults = [], seen = {};
addEventListener("error", event => faults.push(event.message));
addEventListener("securitypolicyviolation", event => faults.push(event.blockedURI));
const on = (id, name) => document.getElementById(id).dispatchEvent(new Event(name));
addEventListener("load", () => {
  const heads = () => [...document.querySelectorAll("#grid tbody tr th")];
  const rows = () => heads().map(one => one.textContent);
  const filter = (...names) => {
    for (const box of document.querySelectorAll("#filters fieldset input")) {
      box.checked = names.includes(box.value);
      box.dispatchEvent(new Event("change"));
    }
    return rows();
  };
  seen.all = rows().length;
  for (const name of ["changed", "undecidable", "off"]) seen[name] = filter(name);
  seen.both = filter("changed", "off");
  filter();
  const cells = document.querySelectorAll("#grid button");
  seen.labels = [...cells].filter(one => one.getAttribute("aria-label")).length;
  seen.stops = [...cells].filter(one => one.tabIndex === 0).length;
  cells[0].click();
  seen.first = document.getElementById("told").textContent;
  const press = key => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true }));
  ["ArrowDown", "ArrowDown", "ArrowDown", "End"].forEach(press);
  seen.moved = document.getElementById("told").textContent;
  seen.focus = document.activeElement.getAttribute("aria-label");
  const near = document.querySelector("#grid .near");
  seen.hidden = getComputedStyle(near).display;
  document.getElementById("beside").click();
  seen.beside = getComputedStyle(near).display;
  seen.wide = document.documentElement.scrollWidth <= innerWidth;
  seen.requests = performance.getEntriesByType("resource").map(one => one.name)
    .filter(name => !name.startsWith("data:"));
  seen.faults = faults;
  document.body.textContent = JSON.stringify(seen);
});
</script>"""


@pytest.mark.skipif(not BROWSER, reason="no chromium on this machine")
@pytest.mark.parametrize("width", [500, 1600])
def test_the_page_works_in_a_browser(whole, tmp_path, width):
    path = tmp_path / "page.html"
    path.write_text(whole.replace("<head>", "<head>" + PROBE))
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/user"]
    options += [
        f"--window-size={width},900",
        "--enable-logging=stderr",
        "--virtual-time-budget=3000",
    ]
    command = [BROWSER, *options, "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "CONSOLE" not in done.stderr, done.stderr
    seen = json.loads(re.search(r"<body>(\{.*?\})</body>", done.stdout, re.DOTALL)[1])
    assert seen["faults"] == [] and seen["requests"] == []
    assert seen["all"] == IMAGES and seen["labels"] == 4 * IMAGES and seen["stops"] == 1
    assert (seen["changed"], seen["undecidable"], seen["off"]) == (["3", "5"], ["7"], ["9"])
    assert seen["both"] == []
    assert seen["first"] == "depth2, seed 0, noise 0: nine (100 %)"
    told = "depth3, seed 1, noise 3: nine (100 %) · ≠ of another class than the shallowest model"
    assert seen["moved"] == seen["focus"] == told
    assert (seen["hidden"], seen["beside"]) == ("none", "block")
    assert seen["wide"], "the page scrolls sideways"


def test_the_page_says_under_the_answer_what_makes_it_mean_little(tmp_path):
    run = {"study": "s", "ratio": "90-10", "sampler": "ddim-4", "class": "", "n": 40}
    rows = [
        run | {"architecture": name, "seed": seed, "metric": "undecidable_share", "value": 1.0}
        for name in ("depth2", "depth3")
        for seed in ("0", "all")
    ]
    text = made(tmp_path, None, [*named([*arms(0.3), *lpips(0.5)]), *rows])
    answer, _, rest = text.partition('id="lights"')
    assert "<li>Nearly all images of all models are undecidable: " in answer
    assert "class shares mean nothing" not in rest
