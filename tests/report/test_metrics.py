"""The headline numbers for DVC: taken from the right rows of the summary."""

import json
import subprocess
import sys

from conftest import ROOT

from depthbias.estimates.tidy import write_rows


def row(metric, value, **keys):
    main = {
        "study": "s",
        "ratio": "90-10",
        "architecture": "depth2",
        "seed": "all",
        "sampler": "ddim-25",
    }
    return main | {"metric": metric, "value": value} | keys


def write(tmp_path, rows, code=0):
    write_rows(tmp_path / "summary.csv", rows)
    command = [sys.executable, "scripts/write_metrics.py", "--summary", tmp_path / "summary.csv"]
    command += ["--metrics", tmp_path / "metrics.json", "--plot", tmp_path / "metrics.csv"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


def test_metrics_are_the_main_samplers_estimates_over_seeds(tmp_path):
    write(
        tmp_path,
        [
            row("share_corrected", 0.25, **{"class": "nine", "lower": 0.2, "upper": 0.3}),
            row("share_corrected", 0.35, **{"class": "nine", "seed": "0"}),
            row("share_corrected", 0.45, **{"class": "nine", "sampler": "ddpm-9"}),
            row("share_corrected", 0.1, **{"class": "nine", "architecture": "real"}),
            row("undecidable_share", 0.5),
            row("kappa", float("nan"), **{"class": "nine", "ratio": "all"}),
            row("kappa_most", 1.2, **{"class": "nine", "ratio": "all"}),
            row("kappa_per_depth_manifold", 0.3, **{"class": "nine", "architecture": "published"}),
            row("kid:pixels", 0.04),
            row("kid:pixels", 0.05, **{"class": "nine"}),
            row("recall", 1.5, **{"class": "nine"}),
            row("nn_distance:pixels", 9.0, k=1),
            row("nn_distance:pixels", 8.0, k=1, architecture="train"),
            row("nn_distance:pixels", 7.0, k=5),
            row("nn_distance:pixels", 6.0, k=1, **{"class": "nine"}),
            row("nn_distance_per_depth:pixels", 0.1, k=1, architecture="published"),
            row("lpips_per_depth:classifier", 0.2, architecture="published"),
            row("linearity", 0.99, k=45, sampler="", **{"class": "middle"}),
            row("linearity", 0.98, k=15, sampler="", **{"class": "middle"}),
            row("linearity", 0.97, k=45, sampler="", **{"class": "low"}),
            row("linearity", 0.96, k=45, sampler="", sigma=0.002),
        ],
    )
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "share_corrected": {"90-10": {"depth2": {"nine": 0.25}}},
        "undecidable_share": {"90-10": {"depth2": 0.5}},
        "kappa_most": {"all": {"depth2": {"nine": 1.2}}},
        "kappa_per_depth_manifold": {"90-10": {"published": {"nine": 0.3}}},
        "kid:pixels": {"90-10": {"depth2": 0.04}},
        "lpips_per_depth:classifier": {"90-10": {"published": 0.2}},
        "nn_distance:pixels": {"90-10": {"depth2": 9.0}},
        "nn_distance_per_depth:pixels": {"90-10": {"published": 0.1}},
        "linearity": {"90-10": {"depth2": 0.99}},
    }
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "estimate,share,lower,upper",
        "90-10 depth2 nine,0.25,0.2,0.3",
    ]


def test_a_summary_without_class_proportions_is_refused(tmp_path):
    assert "no class proportions" in write(tmp_path, [row("recall", 1.0)], code=1)
    assert not (tmp_path / "metrics.json").exists()
