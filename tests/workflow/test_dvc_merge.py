"""Two branches that each changed dvc.lock are merged by the recipe of docs/dvc.md, with toys."""

import copy
import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from conftest import ROOT
from histories import files, jobs
from toy_job import JOBS
from toy_study import OPTIONS, Server, commit, git, make_code, toy_params

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dvc")]
WHO = ["-c", "user.name=test", "-c", "user.email=test@example.org"]


def change(folder, study, value):
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["studies"][study]["training"]["clip"] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def run_and_record(server, folder, message):
    code, output = server(folder, *OPTIONS, "all")
    assert code == 0, output
    server.dvc(folder, "commit", "--force")
    commit(folder, message)


def of(study, made):
    return {name: content for name, content in made.items() if f"/{study}" in name}


def follow(server, folder, line):
    """One line of the recipe."""
    for part in re.split(r" && ", line.partition("  #")[0].strip()):
        program, *words = shlex.split(part)
        if program == "git":
            done = subprocess.run(["git", *WHO, *words], cwd=folder, capture_output=True, text=True)
            conflict = words[0] == "merge" and "CONFLICT" in done.stdout
            assert conflict == (words[0] == "merge") and (conflict or not done.returncode), done
        elif program == "rm":
            for name in words[1:]:
                shutil.rmtree(folder / name)
        elif program == "dvc":
            server.dvc(folder, *words)
        else:
            code, output = server(folder, *OPTIONS, *words)
            assert code == 0, output


def test_the_recipe_keeps_the_results_of_both_branches(tmp_path):
    recipe = re.search(
        r"each changed `dvc.lock`.*?```sh\n(.*?)```", (ROOT / "docs/dvc.md").read_text(), re.DOTALL
    )[1].splitlines()
    assert len(recipe) == 8
    folder, server = tmp_path / "study", Server(tmp_path)
    make_code(folder)
    params = toy_params()
    del params["sweeps"]
    study = params["studies"].pop("tiny")
    params["studies"] = {"mine": study, "theirs": copy.deepcopy(study)}
    params["active"] = ["mine", "theirs"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    commit(folder, "Begin")
    run_and_record(server, folder, "Both")

    git(folder, "checkout", "-q", "-b", "other")
    change(folder, "theirs", 2.0)
    run_and_record(server, folder, "Theirs")
    theirs = of("theirs", files(folder))
    git(folder, "checkout", "-q", "main")
    server.dvc(folder, "checkout")
    change(folder, "mine", 3.0)
    run_and_record(server, folder, "Mine")
    mine = of("mine", files(folder))
    assert of("theirs", files(folder)) != theirs

    for line in recipe:
        follow(server, folder, line)
    assert files(folder) == mine | theirs
    (folder / JOBS).unlink(missing_ok=True)
    code, output = server(folder, *OPTIONS, "all")
    assert code == 0 and not jobs(folder), output
    code, output = server(folder, "status", program="dvc")
    assert "up to date" in output, output
    assert not git(folder, "status", "--porcelain")
    server.close()
