"""What `make demo` prints at its end."""

import json

import pytest
import yaml
from conftest import TINY

from depthbias.config.answers import main
from depthbias.system.errors import UserError


def test_the_answer_and_the_page_of_every_active_study(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(TINY))
    folder = tmp_path / "results/tiny"
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_text(json.dumps({"sentence": "Cannot tell: too few."}))
    with pytest.raises(UserError, match=r"results/tiny/index.html: not there: run snakemake"):
        main()
    (folder / "index.html").touch()
    main()
    told = "tiny: Cannot tell: too few.\nOpen results/tiny/index.html in a browser.\n"
    assert capsys.readouterr().out == told
