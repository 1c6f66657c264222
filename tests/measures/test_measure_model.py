"""Several scripts in one process: each hears its own words and those for all."""

import sys

import pytest
from conftest import ROOT

from depthbias.system.errors import UserError


@pytest.fixture
def model(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import measure_model

    heard = {}
    for name, part in measure_model.SCRIPTS.items():
        monkeypatch.setattr(part, "main", lambda of=name: heard.update({of: sys.argv}))

    def call(words):
        monkeypatch.setattr(sys, "argv", ["measure_model.py", *words.split()])
        measure_model.main()
        return heard

    return call


def test_words_are_gathered_from_several_places(model):
    heard = model(
        "measure_structure --seed 0 then measure_flips --noises 2 then all --run r then "
        "measure_structure --model m then measure_denoising --model m then all --threads 3"
    )
    everywhere = ["--run", "r", "--threads", "3"]
    assert heard == {
        "measure_structure": ["measure_structure", "--seed", "0", "--model", "m", *everywhere],
        "measure_denoising": ["measure_denoising", "--model", "m", *everywhere],
        "measure_flips": ["measure_flips", "--noises", "2", *everywhere],
    }


def test_an_unknown_script_is_refused(model):
    with pytest.raises(UserError, match="measure_flip: not one of measure_structure, measure_den"):
        model("measure_flip --noises 2")


def test_help_names_the_scripts(model, capsys):
    assert model("--help") == {}
    assert "measure_structure, measure_denoising, measure_flips" in capsys.readouterr().out
