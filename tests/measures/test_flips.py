"""Rows of round trips, their archives, and the scripts."""

import json
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
import torch
from conftest import program

from depthbias.diffusion.checkpoints import save_model
from depthbias.diffusion.unet import build_unet
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import read_rows, tidy
from depthbias.measures.flip_rows import bias_parts, flip_rows, generated_rows
from depthbias.measures.samples import Classes, noise_of
from depthbias.measures.trip_classes import (
    TripClasses,
    read_all,
    read_trip_classes,
    write_trip_classes,
)
from depthbias.measures.variance_split import bias_variance
from depthbias.system.errors import UserError
from depthbias.system.files import write_json, write_npz
from depthbias.vision.classifier import Classifier, save_classifier

CLASSES = ("six", "nine")
LEVELS = (0.5, 5.0)


def made_up(architecture="depth2", seed=0, ratio="90-10", flips=(0.1, 0.4), images=40, k=0):
    """Round trips in which a class flips with these chances at the levels; 3 noises."""
    random = np.random.default_rng([seed, int(1000 * sum(flips)), images])
    labels = np.arange(images) % 2
    chances = np.array(flips)[:, None, None] * random.choice([0, 2], images)
    flipped = random.random((2, 3, images)) < chances
    half = np.arange(images) < images // 2
    return TripClasses(
        run=Run("s", ratio, architecture, str(seed)),
        decoded=(labels ^ flipped).astype(np.int8),
        levels=np.array(LEVELS),
        noise_seed=0,
        rows=np.arange(images),
        labels=labels,
        heldout=half,
        own=~half,
        shared=~half,
        classes=CLASSES,
        proportions=np.array([0.9, 0.1]),
        k=k,
    )


def rows_of(models, twins=()):
    rows = tidy(flip_rows(models, twins))
    assert not rows.duplicated(list(rows.columns[:9])).any()
    return rows


def pick(rows, metric, **keys):
    chosen = rows[rows["metric"] == metric]
    for name, value in keys.items():
        column = chosen[{"name": "class"}.get(name, name)]
        chosen = chosen[column.isna() if value is None else column == value]
    return chosen


def test_flip_rates_count_images_by_class_part_and_level():
    trips = made_up()
    rows = pick(rows_of([trips]), "flip_rate:heldout", name="nine->six", seed="0")
    nines = trips.decoded[:, :, :20][..., trips.labels[:20] == 1]
    assert rows["value"].tolist() == pytest.approx(
        [*(1 - nines).mean(axis=(1, 2)), (1 - nines).mean()]
    )
    assert rows["sigma"].tolist()[:2] == list(LEVELS) and np.isnan(rows["sigma"].iloc[2])
    assert (rows["n"] == 10).all() and (rows["lower"] < rows["value"]).all()
    own = pick(rows_of([trips]), "flip_rate:training", name="six->nine", sigma=5.0, seed="0")
    sixes = trips.decoded[1][:, 20:][:, trips.labels[20:] == 0]
    assert own["value"].item() == pytest.approx(sixes.mean())


def test_classes_come_back_as_any_other_and_rates_over_seeds_are_shares():
    classes, labels = ("a", "b", "c"), np.arange(40) % 3
    models = [
        replace(
            made_up(seed=seed),
            classes=classes,
            labels=labels,
            decoded=np.broadcast_to((labels + shift) % 3, (2, 3, 40)),
            proportions=np.full(3, 1 / 3),
        )
        for seed, shift in ((0, 1), (1, 2))
    ]
    rows = pick(rows_of(models), "flip_rate:heldout", sigma=5.0)
    flips = {f"{a}->{b}" for a, b in permutations(classes, 2)}
    assert set(rows["class"]) == flips and len(rows) == 3 * 6
    alone = pick(rows, "flip_rate:heldout", seed="0").set_index("class")["value"]
    assert alone[alone == 1].index.tolist() == ["a->b", "b->c", "c->a"] and alone.sum() == 3
    both = pick(rows, "flip_rate:heldout", seed="all")
    assert (both["value"] == 0.5).all()
    assert (both["lower"] >= 0).all() and (both["upper"] <= 1).all()


def test_training_sets_of_a_ratio_are_compared_with_each_other():
    models = [
        made_up(name, seed, ratio)
        for ratio in ("90-10", "60-40")
        for name in ("depth2", "depth3")
        for seed in (0, 1)
    ]
    rows = pick(rows_of(models), "class_bias:heldout", sigma=None)
    assert set(zip(rows["ratio"], rows["architecture"], strict=True)) == set(
        product(("90-10", "60-40"), ("depth2", "depth3"))
    )
    assert (rows["runs"] == 2).all() and len(rows) == 4
    slopes = pick(rows_of(models), "class_bias_per_depth:heldout")
    assert sorted(slopes["ratio"]) == ["60-40", "90-10"] and (slopes["runs"] == 4).all()


def test_no_flip_in_few_images_is_not_certain():
    rows = pick(rows_of([made_up(flips=(0, 0))]), "flip_rate:heldout", seed="0")
    assert (rows["value"] == 0).all() and (rows["upper"] > 0.2).all()


def test_bias_and_variance_are_weighted_means_of_images():
    group = [made_up(seed=seed) for seed in range(3)]
    found = {(part.metric, part.sigma): part for part in bias_parts(group, "heldout")}
    decoded = np.stack([one.decoded[1][:, :20] for one in group])
    expected = bias_variance(decoded, group[0].labels[:20], 2)
    weights = np.where(group[0].labels[:20] == 0, 0.9, 0.1) / 10
    for name, values in expected._asdict().items():
        part = found[f"class_{name}:heldout", 5.0]
        assert part.row["value"] == pytest.approx(weights @ values)
        assert part.values.shape == (3,) and part.row["lower"] < part.row["upper"]
        assert (part.row["runs"], part.row["seed"], part.row["n"]) == (3, "all", 20)
        over = np.mean([found[f"class_{name}:heldout", level].values for level in LEVELS], axis=0)
        assert found[f"class_{name}:heldout", None].values == pytest.approx(over)


def test_bias_of_training_images_is_of_those_that_all_share():
    group = [replace(made_up(seed=seed), own=np.arange(40) % 2 == seed) for seed in range(2)]
    found = {(part.metric, part.sigma): part for part in bias_parts(group, "training")}
    decoded = np.stack([one.decoded[0][:, 20:] for one in group])
    weights = np.where(group[0].labels[20:] == 0, 0.9, 0.1) / 10
    for name, values in bias_variance(decoded, group[0].labels[20:], 2)._asdict().items():
        row = found[f"class_{name}:training", 0.5].row
        assert (row["value"], row["n"]) == (pytest.approx(weights @ values), 20)


def test_two_training_sets_have_values_without_an_interval_and_one_has_none():
    rows = pick(rows_of([made_up(seed=seed) for seed in (0, 1)]), "class_bias:training")
    assert len(rows) == 3 and np.isfinite(rows["value"]).all() and rows["lower"].isna().all()
    assert "class_bias:training" not in set(rows_of([made_up()])["metric"])


def test_twins_have_rows_over_seeds_by_k():
    models = [made_up(seed=seed) for seed in (0, 1, 2)]
    twins = [made_up("train", seed, k=k) for seed in (0, 1, 2) for k in (1, 3, 0)]
    rows = rows_of(models, twins)
    rows = rows[rows["architecture"] == "train"]
    assert set(rows["seed"]) == {"all"}
    for metric in ("class_variance_sets:heldout", "flip_rate:training"):
        assert set(pick(rows, metric)["k"].fillna(0)) == {0, 1, 3}


def test_slopes_on_depth_are_of_pseudo_values_over_all_levels():
    chances = {"depth2": 0.05, "depth3": 0.2, "depth4": 0.35}
    models = [
        made_up(name, seed, flips=(chance, chance), images=400)
        for name, chance in chances.items()
        for seed in (0, 1, 2)
    ]
    rows = rows_of(models)
    slope = pick(rows, "class_variance_noises_per_depth:heldout").iloc[0]
    values = pick(rows, "class_variance_noises:heldout", sigma=None)["value"].tolist()
    assert slope["value"] == pytest.approx((values[2] - values[0]) / 2)
    assert slope["lower"] > 0 and (slope["architecture"], slope["runs"]) == ("published", 9)


def test_the_order_of_runs_changes_no_row():
    runs = [made_up(name, seed) for name in ("depth2", "depth3") for seed in (0, 1, 2)]
    keys = ["metric", "class", "k", "sigma", "architecture", "seed"]
    one, other = (
        rows_of(order).sort_values(keys, ignore_index=True) for order in (runs, runs[::-1])
    )
    values = ["value", "lower", "upper"]
    assert np.allclose(one[values], other[values], equal_nan=True)
    assert one.drop(columns=values).equals(other.drop(columns=values))


def test_intervals_of_the_variance_between_sets_cover_it():
    """200 made-up studies of 3 sets, 2 noises, 40 images: 95 % intervals cover in 95 % or more."""
    truth, covered = 0.3**2, 0
    base = made_up(images=80)
    for study in range(200):
        random = np.random.default_rng(study)
        shares = random.choice([0.9, 0.3], (3, 1, 1, 80))
        group = [
            replace(base, decoded=(random.random((2, 3, 80)) < share).astype(np.int8))
            for share in shares
        ]
        rows = [p.row for p in bias_parts(group, "heldout") if p.sigma == 5.0]
        row = next(r for r in rows if r["metric"] == "class_variance_sets:heldout")
        covered += row["lower"] <= truth <= row["upper"]
    assert covered >= 186


# Free generation


def generated(architecture, seed, share, count=300, noise_seed=0):
    random = np.random.default_rng([int(seed), int(1000 * share)])
    nine = (random.random(count) < share).astype(float)
    run = Run("s", "90-10", architecture, seed, "ddim-4")
    noise = noise_of([noise_seed], count)
    return Classes(f"{seed}.npz", run, noise, CLASSES, np.stack([1 - nine, nine], axis=1))


TRAINED = {("90-10", seed): np.array([0.9, 0.1]) for seed in "012"}


def test_free_generation_has_rows_and_trends():
    models = [
        generated(name, seed, share)
        for name, share in (("depth2", 0.1), ("depth3", 0.3))
        for seed in "012"
    ]
    rows = tidy(generated_rows(models, TRAINED))
    deep = rows[rows["architecture"] == "depth3"].set_index("metric")
    assert deep.loc["class_bias:generated", "value"] == pytest.approx(0.04, abs=0.02)
    assert deep.loc["class_variance_sets:generated", "value"] == pytest.approx(0.21, abs=0.03)
    assert deep.loc["class_variance_noises:generated", "value"] == pytest.approx(0, abs=0.03)
    slope = rows[rows["metric"] == "class_bias_per_depth:generated"].iloc[0]
    assert slope["value"] > 0.02 and slope["runs"] == 6


def test_rows_of_free_generation_say_what_they_are_of():
    models = [
        replace(one, run=one.run._replace(ratio=ratio))
        for ratio in ("90-10", "60-40")
        for one in (
            generated(name, seed, 0.2, 50) for name in ("depth2", "depth3") for seed in "01"
        )
    ]
    trained = {(ratio, seed): np.array([0.5, 0.5]) for ratio in ("90-10", "60-40") for seed in "01"}
    rows = list(generated_rows(models, trained))
    found = {
        (row["metric"], row["ratio"], row["architecture"]): (row["seed"], row["n"], row["runs"])
        for row in rows
    }
    parts = ("bias", "variance_sets", "variance_noises")
    expected = {}
    for ratio, part in product(("90-10", "60-40"), parts):
        for name in ("depth2", "depth3"):
            expected[f"class_{part}:generated", ratio, name] = ("all", 50, 2)
    apart = {key: told for key, told in found.items() if "per_depth" not in key[0]}
    assert apart == expected and len(rows) == len(found) == 18
    slopes = {key for key in found if "per_depth" in key[0]}
    assert slopes == {
        (f"class_{part}_per_depth:generated", ratio, "published")
        for ratio, part in product(("90-10", "60-40"), parts)
    }


def test_other_noise_is_refused_and_one_seed_has_no_row():
    models = [generated("depth2", "0", 0.1), generated("depth2", "1", 0.1, noise_seed=1)]
    with pytest.raises(UserError, match=r"1\.npz: not from the noise of the rest"):
        list(generated_rows(models, TRAINED))
    assert not list(generated_rows(models[:1], TRAINED))


# Archives and scripts


def test_an_archive_is_read_as_it_was_written(tmp_path):
    trips = made_up()
    write_trip_classes(tmp_path / "a.npz", trips)
    found = read_trip_classes(tmp_path / "a.npz", "s")
    for name, value in vars(trips).items():
        same = getattr(found, name)
        assert np.array_equal(same, value) and type(same) is type(value), name


@pytest.mark.parametrize(
    "changes",
    [
        {"decoded": np.zeros((2, 0, 40), dtype=np.int8)},
        {"decoded": np.full((2, 3, 40), 2, dtype=np.int8)},
        {"labels": np.arange(40) % 3},
        {"heldout": np.zeros(40, dtype=bool)},
        {"shared": np.zeros(40, dtype=bool)},
        {"levels": np.array([-0.5, 5.0])},
        {"levels": np.array([0.0, 5.0])},
        {"levels": np.array([5.0, 5.0])},
        {"rows": np.arange(40) // 2},
    ],
)
def test_an_archive_without_images_or_with_numbers_out_of_range_is_refused(tmp_path, changes):
    write_trip_classes(tmp_path / "a.npz", replace(made_up(), **changes))
    with pytest.raises(UserError, match=r"a\.npz: is damaged: make the round trips again"):
        read_trip_classes(tmp_path / "a.npz", "s")


def test_one_image_of_a_part_is_enough(tmp_path):
    write_trip_classes(tmp_path / "a.npz", replace(made_up(), own=np.arange(40) == 30))
    assert read_trip_classes(tmp_path / "a.npz", "s").own.sum() == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"levels": np.array([0.5, 6.0])}, "at other noise levels"),
        ({"decoded": made_up().decoded[:, :2]}, "with more or fewer noises"),
        ({"noise_seed": 1}, "with other noise"),
        ({"classes": ("a", "b")}, "with other classes"),
        ({"heldout": np.arange(40) < 19}, "on other held-out images"),
        ({"shared": np.arange(40) > 20}, "on other training images"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(tmp_path, changes, words):
    write_trip_classes(tmp_path / "a.npz", made_up())
    write_trip_classes(tmp_path / "b.npz", replace(made_up(seed=1), **changes))
    with pytest.raises(UserError, match=rf"b\.npz: made {words} than the rest"):
        read_all([tmp_path / "a.npz", tmp_path / "b.npz"], "s")


def test_round_trips_of_another_study_are_refused(tmp_path):
    write_trip_classes(tmp_path / "a.npz", made_up())
    with pytest.raises(UserError, match=r"a\.npz: a run of study 's', not of 't'"):
        read_all([tmp_path / "a.npz"], "t")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Files of two untrained models of two seeds, as the other rules write them."""
    folder = tmp_path_factory.mktemp("study")
    meta = {"architecture": "depth2", "channels": 1, "size": 8, "width": 0.25}
    for seed in (0, 1):
        torch.manual_seed(seed)
        unet = build_unet("depth2", channels=1, size=8, width=0.25)
        described = meta | {"objective": "ddpm", "sigma_data": 0.5}
        save_model(unet, described, folder / f"m{seed}.safetensors", folder / f"m{seed}.json")
        subset = {"ratio": "90-10", "seed": seed, "classes": CLASSES}
        subset |= {"indices": list(range(5 * seed, 20 + 5 * seed))}
        subset |= {"labels": [row % 2 for row in subset["indices"]]}
        write_json(folder / f"subset{seed}.json", subset)
    described = {"classes": CLASSES, "size": 8, "channels": 1}
    files = folder / "c.safetensors", folder / "c.json"
    save_classifier(Classifier(1, 8, 2), described, *files)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    write_npz(folder / "images.npz", {"images": pixels}, compress=False)
    split = {"classes": CLASSES, "population": [30, 30], "images": "0f"}
    for part, first in {"pool": 0, "calibration": 40, "control": 50}.items():
        split[part] = {"six": [first, first + 2], "nine": [first + 1, first + 5]}
    write_json(folder / "split.json", split)
    return folder


def words_of(folder, seed, output, levels=LEVELS, **changes):
    run = {"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": str(seed)}
    flags = {
        "model": folder / f"m{seed}.safetensors",
        "meta": folder / f"m{seed}.json",
        "classifier": folder / "c.safetensors",
        "classifier-meta": folder / "c.json",
        "images": folder / "images.npz",
        "split": folder / "split.json",
        "subset": folder / f"subset{seed}.json",
        "first-subset": folder / "subset0.json",
        "count": 8,
        "noises": 2,
        "sampler": "dpmpp-3",
        "noise-seed": 0,
        "batch-size": 16,
        "run": json.dumps(run),
        "output": output,
    } | changes
    return [*(w for key, value in flags.items() for w in (f"--{key}", value)), "--levels", *levels]


def test_scripts_measure_and_estimate(study, tmp_path, monkeypatch):
    outputs = [tmp_path / f"flips{seed}.npz" for seed in (0, 1)]
    for seed, output in enumerate(outputs):
        program(monkeypatch, "measure_flips", *words_of(study, seed, output))
    found = read_all(outputs, "s")
    assert found[0].decoded.shape == (2, 2, 16) and found[1].own.sum() == 8
    for seed in "01":
        made = {"run": json.dumps(found[int(seed)].run._asdict() | {"sampler": "ddim-4"})}
        made |= {"noise": noise_of([0], 6), "classes": np.array(CLASSES)}
        write_npz(tmp_path / f"c{seed}.npz", made | {"probabilities": np.eye(2)[[0, 1] * 3]})
    words = ["--images", study / "images.npz", "--study", "s", "--output", tmp_path / "rows.csv"]
    words += ["--subsets", study / "subset0.json", study / "subset1.json", "--flips", *outputs]
    program(monkeypatch, "estimate_flips", *words, "--classes", *sorted(tmp_path.glob("c*.npz")))
    rows = read_rows(tmp_path / "rows.csv")
    parts = [
        f"{kind}:{part}" for kind in ("flip_rate", "class_bias") for part in ("heldout", "training")
    ]
    assert {*parts, "class_variance_01:heldout", "class_variance_sets:generated"} < set(
        rows["metric"]
    )
    twins = rows[rows["architecture"] == "train"]
    assert set(twins["k"].dropna()) == {1, 3, 10} and twins["k"].isna().any()  # of 20 images


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampler": "ddpm-5"}, "--sampler must be a deterministic method"),
        ({"sampler": "dpmpp"}, "--sampler must be a deterministic method"),
        ({"levels": (5, 0.5)}, "--levels must be above 0 and rise"),
    ],
)
def test_wrong_flags_are_refused(study, tmp_path, monkeypatch, capsys, changes, words):
    with pytest.raises(SystemExit) as caught:
        program(monkeypatch, "measure_flips", *words_of(study, 0, tmp_path / "none.npz", **changes))
    assert caught.value.code == 2 and words in capsys.readouterr().err


def test_a_model_of_infinite_weights_and_a_low_level_stop_in_one_line(study, tmp_path, monkeypatch):
    words = words_of(study, 0, tmp_path / "none.npz", levels=(0.005,))
    with pytest.raises(SystemExit, match=r"^error: \S*m0\.json: cannot start from level 0\.005"):
        program(monkeypatch, "measure_flips", *words)
    unet = build_unet("depth2", channels=1, size=8, width=0.25)
    with torch.no_grad():
        unet.conv_out.bias.fill_(float("nan"))
    meta = json.loads((study / "m0.json").read_text())
    model = tmp_path / "m.safetensors"
    save_model(unet, meta, model, tmp_path / "m.json")
    words = words_of(study, 0, tmp_path / "none.npz", model=model, meta=tmp_path / "m.json")
    with pytest.raises(SystemExit, match=r"^error: \S*m\.safetensors: .*finite.* train the model"):
        program(monkeypatch, "measure_flips", *words)
    assert not (tmp_path / "none.npz").exists()
