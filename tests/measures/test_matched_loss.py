"""Depths at equal held-out loss: which snapshots are taken, and what is made of them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import program
from measures.denoising_runs import made_up

from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import tidy
from depthbias.measures.class_shares import Instrument
from depthbias.measures.classified import Acceptance, Classified
from depthbias.measures.denoising_errors import write_denoising_errors
from depthbias.measures.manifolds import Manifold, write_manifold
from depthbias.measures.matched_loss import Snapshot, choices, matched_rows, snapshots_of
from depthbias.measures.samples import noise_of
from depthbias.report.matched_table import sections
from depthbias.system.errors import UserError
from depthbias.system.files import write_json, write_npz

ROOT = Path(__file__).parents[2]
CLASSES = ("six", "nine")
INSTRUMENT = Instrument(CLASSES, np.array([[500, 1], [1, 500]]), 200)
ACCEPTANCE = Acceptance(CLASSES, np.full(2, 0.95), np.full(2, 60), 200)
SEEN = {"time-100": 100, "time-200": 200, "s": 400}
# Losses after 100, 200 and 400 images: the deeper one learns twice as slowly.
LOSSES = {"depth2": (1.0, 0.5, 0.25), "depth3": (2.0, 1.0, 0.55)}


def snapshots(ratios=("90-10",), seeds=(0, 1), losses=None):
    return [
        Snapshot(Run(study, ratio, name, str(seed)), seen, loss * (1 + 0.02 * seed))
        for ratio in ratios
        for name, values in (losses or LOSSES).items()
        for seed in seeds
        for (study, seen), loss in zip(SEEN.items(), values, strict=True)
    ]


def taken(choice):
    return {(s.run.ratio, s.run.architecture, s.run.seed): s.seen for s in choice.snapshots}


def test_every_model_is_taken_where_its_loss_is_nearest_to_the_largest_final_one():
    last, matched = choices(snapshots())
    assert set(taken(last).values()) == {400}
    assert taken(matched) == {
        ("90-10", "depth2", "0"): 200,
        ("90-10", "depth2", "1"): 200,
        ("90-10", "depth3", "0"): 400,
        ("90-10", "depth3", "1"): 400,
    }


def test_ratios_are_matched_apart_and_the_latest_of_equals_is_taken():
    found = snapshots(seeds=(0,))
    easy = {"depth2": (1.0, 0.5, 0.5), "depth3": (1.0, 0.7, 0.5)}
    other = [
        replace(s, run=s.run._replace(ratio="60-40")) for s in snapshots(seeds=(0,), losses=easy)
    ]
    _, matched = choices([*found, *other])
    assert taken(matched)[("90-10", "depth2", "0")] == 200
    assert taken(matched)[("60-40", "depth2", "0")] == 400
    assert taken(matched) == taken(choices([*other, *found][::-1])[1])


def classified(found, sampler="ddim-4", n=300):
    """Of every snapshot: the minority's share grows with the images seen."""
    made = []
    for one in found:
        labels = (np.arange(n) < n * one.seen / 4000).astype(int)
        run = one.run._replace(sampler=sampler)
        trained = np.array([0.9, 0.1])
        made.append(Classified(run, trained, labels, *np.ones((2, n), bool), noise_of([0], n)))
    return made


def test_rows_are_those_of_the_snapshots_taken():
    found = snapshots()
    table = tidy(matched_rows("time", found, classified(found), INSTRUMENT, ACCEPTANCE))
    table = table.set_index(["study", "architecture", "seed", "metric", "class"]).sort_index()

    def value(arm, name, metric, label=""):
        return table.loc[(f"time-{arm}", name, "all", metric, label), "value"].item()

    for name in LOSSES:
        assert value("equal-images", name, "images_seen") == 400
        assert value("equal-images", name, "share_raw", "nine") == pytest.approx(0.1)
    assert value("equal-loss", "depth2", "images_seen") == 200
    assert value("equal-loss", "depth2", "share_raw", "nine") == pytest.approx(0.05)
    assert value("equal-loss", "depth3", "share_raw", "nine") == pytest.approx(0.1)
    assert value("equal-loss", "depth2", "heldout_loss") == pytest.approx(0.505)
    slope = value("equal-images", "published", "log_odds_shift_per_depth", "nine")
    assert slope == pytest.approx(0, abs=1e-9)
    assert value("equal-loss", "published", "log_odds_shift_per_depth", "nine") > 0.5
    assert len(table.loc["time-equal-loss", "depth2", "0", "images_seen"]) == 1


def test_what_was_trained_is_told_of_every_run_and_over_the_seeds_of_a_ratio():
    found = snapshots(ratios=("90-10", "60-40"))
    assert {run[0] for run in taken(choices(found)[0])} == {"90-10", "60-40"}
    rows = tidy(matched_rows("time", found, classified(found), INSTRUMENT, ACCEPTANCE))
    rows = rows[rows["metric"].isin(["images_seen", "heldout_loss"])]
    assert len(rows) == 2 * 2 * 2 * 2 * 3  # arms, metrics, ratios, depths; two seeds and both
    apart = rows["seed"] != "all"
    assert (rows["n"] == np.where(apart, 1, 2)).all() and (rows["runs"] == rows["n"]).all()
    assert rows.loc[apart, ["lower", "upper"]].isna().all(axis=None)
    assert rows.loc[apart, "lower"].dtype == float
    assert (rows.loc[rows["metric"] == "heldout_loss", "value"] < 1).all()


def test_the_page_has_a_table_for_each_way_of_matching():
    found = snapshots()
    rows = tidy(matched_rows("time", found, classified(found), INSTRUMENT, ACCEPTANCE))
    images, loss = sections(rows)
    assert (images.heading, loss.heading) == ("Equal images seen", "Equal held-out loss")
    assert list(images.header) == ["ratio", "depth2", "depth3", "a stage (published widths)"]
    cells = {row[0]: row[1:] for row in loss.rows}
    seen = cells["trained on 90-10: images seen"]
    assert [cell.split(" ")[0] for cell in seen[:2]] == ["200", "400"] and seen[2] == "-"
    assert cells["trained on 90-10: log-odds shift"][2].startswith("0.7")
    assert not any("κ" in name for name in cells)  # it needs two ratios


def test_samples_of_every_chosen_snapshot_are_needed():
    found = snapshots()
    with pytest.raises(UserError, match="its samples are not classified: give them too"):
        list(matched_rows("time", found, classified(found[:-1]), INSTRUMENT, ACCEPTANCE))


def test_a_run_of_another_study_is_refused():
    errors = made_up("depth2", [[2, 2, 2]])
    assert snapshots_of([errors], SEEN)[0].seen == 400
    with pytest.raises(UserError, match="study 's': none of time-100, time-200: leave it out"):
        snapshots_of([errors], {"time-100": 100, "time-200": 200})


def test_the_script_reads_archives_of_all_studies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json("meta.json", {"classes": CLASSES, "confusion": [[500, 1], [1, 500]]})
    subset = {"ratio": "90-10", "seed": 0, "classes": CLASSES, "indices": list(range(10))}
    write_json("subset.json", subset | {"labels": [0] * 9 + [1]})
    found = snapshots(seeds=(0,))
    for place, (one, samples) in enumerate(zip(found, classified(found), strict=True)):
        run = json.dumps(samples.run._asdict())
        archive = {"run": run, "noise": samples.noise, "classes": np.array(CLASSES)}
        archive["probabilities"] = np.eye(2)[samples.labels]
        write_npz(f"classes{place}.npz", archive)
        errors = made_up(one.run.architecture, np.ones((int(one.run.architecture[-1]) - 1, 3)))
        errors = replace(errors, run=one.run, heldout_errors=one.loss * errors.heldout_errors)
        write_denoising_errors(Path(f"errors{place}.npz"), errors)
    for study in SEEN:
        runs = [samples.run for samples in classified(found) if samples.run.study == study]
        accepted = np.ones((len(runs), 300), dtype=bool)
        rest = ACCEPTANCE.rates, ACCEPTANCE.images, 5, "pixels", CLASSES
        manifold = Manifold(tuple(runs), noise_of([0], 300), accepted, *rest)
        write_manifold(Path(f"manifold-{study}.npz"), manifold)
    words = ["--manifolds", *(f"manifold-{study}.npz" for study in SEEN)]
    words += ["--sweep", "time", "--studies", *SEEN, "--values", *SEEN.values()]
    words += ["--meta", "meta.json", "--subsets", "subset.json"]
    words += ["--classes", *sorted(tmp_path.glob("classes*"))]
    words += ["--denoising", *sorted(tmp_path.glob("errors*"))]
    words += ["--decidable", 0.9, "--bootstrap", 200]
    words += ["--output-csv", "t.csv", "--output-md", "t.md", "--output-html", "t.html"]
    program(monkeypatch, "measure_matched", *words)
    page = Path("t.md").read_text()
    assert "## Equal held-out loss" in page and Path("t.html").is_file()
    assert "time-equal-loss,90-10,depth2,0,,images_seen,,,,200" in Path("t.csv").read_text()
