"""Scripts that people call themselves: whatever is wrong with a flag or a file is one line."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from depthbias.data.splits import class_rules
from depthbias.estimates.runs import RUN
from depthbias.measures.copy_thresholds import given_thresholds
from depthbias.system.arguments import mapping
from depthbias.system.errors import UserError

# measure_model.py hands its words to three of the others.
SCRIPTS = sorted({p.stem for p in (ROOT / "scripts").glob("*.py")} - {"measure_model"})
RUN_TEXT = '{"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "0"}'
CLASSES = '{"six": {"any": [6]}, "nine": {"any": ["9"]}}'
ENDPOINT = '"endpoint": {"metric": "m", "series": "s", "smallest": 0.1, "secondary": []}'
SETTINGS = f'{{"ratios": ["90-10"], "bias": {{"decidable": 0.9}}, {ENDPOINT}}}'
JSON = {mapping: SETTINGS, class_rules: CLASSES, given_thresholds: "{}"}
TEXTS = {"--ratio": "90-10", "--sampler": "dpmpp-8", "--embeddings": "pixels", "--labels": ""}
TEXTS |= {"--backbone": "classifier", "--others": "network-1"}
TEXTS |= {"--manifold-embedding": "pixels", "--dataset": "folder"}
# Flags that need several words.
SEVERAL = {"--prompts": ["a cat", "a dog"], "--seeds": ["0", "1"], "--percentages": ["0"]}
WITHOUT_FILES = {"power", "measure_molrg"}


def value_of(name, options, folder):
    """A value that the flag takes; files are in a folder that is not there."""
    kind = options.get("type", str)
    if "choices" in options:
        wanted = TEXTS.get(name)
        return wanted if wanted in options["choices"] else str(next(iter(options["choices"])))
    if kind is Path:
        return str(folder / "missing" / name.strip("-"))
    if kind is RUN[1]["type"]:
        return RUN_TEXT
    return JSON.get(kind, TEXTS.get(name, "missing" if kind is str else "1"))


@pytest.fixture(scope="module")
def mains():
    """{script: its main function}, all loaded into this process."""
    before, sys.path[:] = list(sys.path), [str(ROOT / "scripts"), *sys.path]
    found = {name: runpy.run_path(str(ROOT / f"scripts/{name}.py"))["main"] for name in SCRIPTS}
    sys.path[:] = before
    return found


def called(main, words, monkeypatch, capsys):
    """What a script with these words ends with: (exit status, the lines it says)."""
    monkeypatch.setattr(sys, "argv", ["script", *words])
    try:
        main()
    except UserError as error:
        return 1, [f"error: {error}"]
    except SystemExit as ended:
        return ended.code, capsys.readouterr().err.splitlines()
    return 0, []


def words_of(flags, folder, **changed):
    words = []
    for name, options in flags:
        if options.get("action") != "store_true":
            count = options.get("nargs")
            values = [changed.get(name, value_of(name, options, folder))]
            if isinstance(count, int):
                values *= count
            elif count and name not in changed:
                values = SEVERAL.get(name, values)
            words += [name, *values] if name.startswith("-") else values
    return words


@pytest.mark.parametrize("name", sorted({*SCRIPTS} - WITHOUT_FILES))
def test_a_missing_file_is_named_in_one_line(mains, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main = mains[name]
    status, told = called(main, words_of(main.flags, tmp_path), monkeypatch, capsys)
    assert status == 1 and len(told) == 1, (status, told)
    assert "missing" in told[0], told


WITH_JSON = [
    (script, flag, text)
    for script, flag in (
        ("split", "--classes"),
        ("measure_neighbors", "--copies"),
        ("write_page", "--settings"),
        ("train", "--run"),
        ("sample", "--run"),
    )
    for text in ("{", "[1, 2]", "6", '{"a": 1}', '"text"')
]


@pytest.mark.parametrize(("name", "flag", "text"), WITH_JSON)
def test_bad_json_is_one_line(mains, name, flag, text, tmp_path, monkeypatch, capsys):
    words = words_of(mains[name].flags, tmp_path, **{flag: text})
    status, told = called(mains[name], words, monkeypatch, capsys)
    assert status in (1, 2) and len(told) == 1, told
    assert told[0].startswith("error: ") and flag in told[0], told


@pytest.mark.parametrize("name", SCRIPTS)
def test_texts_where_numbers_belong_are_one_line(mains, name, tmp_path, monkeypatch, capsys):
    flags = mains[name].flags
    numbers = [
        flag
        for flag, options in flags
        if value_of(flag, options, tmp_path) == "1" and "choices" not in options
    ]
    for flag in numbers:
        words = words_of(flags, tmp_path, **{flag: "six"})
        status, told = called(mains[name], words, monkeypatch, capsys)
        assert (status, len(told)) == (2, 1), told
        assert told[0].startswith(f"error: argument {flag}: ") and "'six'" in told[0]


def test_numbers_are_names_in_classes_as_in_params():
    assert class_rules(CLASSES) == {"six": {"any": ["6"]}, "nine": {"any": ["9"]}}


@pytest.mark.parametrize(
    "rule", ['{"any": [true]}', '{"any": [1.5]}', '{"any": "cat"}', "[6]", '{"any": [null]}']
)
def test_what_is_no_name_is_refused(mains, rule, tmp_path, monkeypatch, capsys):
    text = f'{{"six": {rule}, "nine": {{"any": ["9"]}}}}'
    words = words_of(mains["split"].flags, tmp_path, **{"--classes": text})
    status, told = called(mains["split"], words, monkeypatch, capsys)
    assert (status, len(told)) == (2, 1) and "argument --classes: class six: " in told[0]


def test_an_unknown_flag_is_one_line_of_the_program_too(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/split.py", "--nothing", "1"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: the following arguments are required: --images")


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_traceback_is_shown_where_it_is_asked_for(tmp_path, debug):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/summarize.py", "--parts", "no.csv", "--output", "s.csv"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "DEPTHBIAS_DEBUG": debug},
    )
    assert done.returncode == 1 and "no.csv: cannot read" in done.stderr
    assert ("Traceback" in done.stderr) == bool(debug)
    assert debug or done.stderr.count("\n") == 1
