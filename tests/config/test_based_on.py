"""Studies based on one another: what is merged, what is refused, what is printed."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st

from depthbias.config.based_on import merge
from depthbias.config.blocks import Block
from depthbias.config.reading import load, parse, schema
from depthbias.config.study import Study
from depthbias.system.errors import UserError

ROOT = Path(__file__).parents[2]
FULL = TINY["studies"]["tiny"]


def of(**studies):
    """Parameters with the tiny study and studies that follow it."""
    return {"active": ["tiny"], "studies": {"tiny": copy.deepcopy(FULL)} | studies}


def refusal(content):
    with pytest.raises(UserError) as caught:
        parse(content)
    message = str(caught.value)
    assert message.startswith("params.yaml: ") and "\n" not in message
    return message


values = st.none() | st.integers() | st.lists(st.integers(), max_size=2)
free = st.dictionaries(st.sampled_from("ab"), values, max_size=2)
parts = st.fixed_dictionaries(
    {},
    optional={
        "width": values,
        "classes": free,
        "training": st.fixed_dictionaries({}, optional={"budget": values, "clip": values}),
        "neighbors": st.fixed_dictionaries({}, optional={"k": values, "copies": free}),
    },
)


@given(parts, parts, parts)
def test_merging_is_associative_so_a_chain_may_be_read_from_either_end(a, b, c):
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(parts, parts)
def test_merging_twice_is_merging_once_and_changes_neither(a, b):
    before = copy.deepcopy((a, b))
    once = merge(a, b)
    assert merge(once, b) == once and merge(a, {}) == a and merge({}, b) == b
    assert merge(a, a) == a and (a, b) == before


@given(parts, parts)
def test_every_value_is_that_of_the_study_or_else_of_its_base(a, b):
    merged = merge(a, b)
    for key in ("width", "classes"):
        assert merged.get(key, "none") == b.get(key, a.get(key, "none"))
    for block, key in (("training", "budget"), ("training", "clip"), ("neighbors", "copies")):
        expected = b.get(block, {}).get(key, a.get(block, {}).get(key, "none"))
        assert merged.get(block, {}).get(key, "none") == expected


def test_a_chain_is_resolved_whatever_the_order_and_the_content_is_left_alone():
    content = of(
        last={"based_on": "middle", "training": {"budget": 900}},
        middle={
            "based_on": "tiny",
            "training": {"budget": 800, "clip": 2.0},
            "seeds": [7],
            "classes": {"one": {"any": ["1"]}, "two": {"any": ["2"]}},
        },
    )
    before = copy.deepcopy(content)
    studies = parse(content).studies
    assert content == before
    assert studies["middle"].training == studies["tiny"].training.model_copy(
        update={"budget": 800, "clip": 2.0}
    )
    assert studies["last"].training == studies["middle"].training.model_copy(update={"budget": 900})
    assert studies["last"].seeds == [7] and list(studies["last"].classes) == ["one", "two"]
    same = {"training", "seeds", "classes"}
    assert studies["last"].model_dump(exclude=same) == studies["tiny"].model_dump(exclude=same)


def test_a_changed_base_changes_what_is_based_on_it():
    content = of(other={"based_on": "tiny", "training": {"budget": 900}})
    content["studies"]["tiny"]["training"]["batch_size"] = 16
    assert parse(content).studies["other"].training.batch_size == 16


@pytest.mark.parametrize(
    ("studies", "words"),
    [
        ({"a": {"based_on": "tinny"}}, ["studies.a.based_on: no study 'tinny'", "mean 'tiny'"]),
        ({"a": {"based_on": None}}, ["studies.a.based_on: give the name of one study"]),
        ({"a": {"based_on": ["tiny"]}}, ["studies.a.based_on: give the name", "['tiny']"]),
        ({"a": {"based_on": "a"}}, ["studies.a.based_on: a -> a is a circle"]),
        (
            {"a": {"based_on": "b"}, "b": {"based_on": "c"}, "c": {"based_on": "b"}},
            ["studies.c.based_on: b -> c -> b is a circle"],
        ),
        ({"a": {"based_on": "b"}, "b": 5}, ["studies.b: give it the keys of a study"]),
        ({"a": {"base_on": "tiny"}}, ["studies.a.base_on: unknown key", "mean 'based_on'"]),
        ({"a": {"based_on": "tiny", "trainin": {}}}, ["studies.a.trainin: ", "mean 'training'"]),
        (
            {"a": {"based_on": "tiny", "training": {"clip": 0}}},
            ["studies.a.training.clip: input should be greater than 0"],
        ),
        ({"a": {"based_on": "tiny", "training": None}}, ["studies.a.training: "]),
        (
            {"a": {"based_on": "tiny", "data": {"size": 16}}},
            ["studies.a.structure.samples: 80 ", "(from studies.tiny.structure.samples)"],
        ),
        (
            {"a": {"based_on": "b"}, "b": {"based_on": "tiny", "training": {"clip": 0}}},
            ["studies.a.training.clip: ", "(from studies.b.training.clip)"],
        ),
        (
            {"a": {"based_on": "b"}, "b": {"based_on": "tiny", "trainin": {}}},
            ["studies.a.trainin: unknown key", "(from studies.b.trainin)"],
        ),
        (
            {
                "a": {"based_on": "b"},
                "b": {key: value for key, value in FULL.items() if key != "width"},
            },
            ["studies.a.width: field required (give it there or in studies.b.width)"],
        ),
    ],
)
def test_mistakes_are_refused_in_one_line_that_names_the_key_and_its_source(studies, words):
    message = refusal(of(**studies))
    assert all(word in message for word in words), message


def test_a_value_of_its_own_is_not_blamed_on_the_base():
    assert "(from" not in refusal(of(a={"based_on": "tiny", "training": {"clip": 0}}))


def keys(block):
    """{key: keys of the block under it, or None} of a class of blocks."""
    kinds = {name: field.annotation for name, field in block.model_fields.items()}
    return {
        name: keys(kind) if isinstance(kind, type) and issubclass(kind, Block) else None
        for name, kind in kinds.items()
    }


def test_the_digits_study_has_every_key():
    digits = yaml.safe_load((ROOT / "params.yaml").read_text())["studies"]["digits"]
    for name, inner in keys(Study).items():
        assert name in digits and set(inner or ()) <= set(digits[name] if inner else ())


def test_the_schema_takes_a_study_in_full_or_one_with_a_base():
    check = jsonschema.Draft202012Validator(schema())
    check.validate(yaml.safe_load((ROOT / "params.yaml").read_text()))
    check.validate(of(a={"based_on": "tiny", "training": {"budget": 5}}))
    for wrong in (
        {"training": {"budget": 5}},
        FULL | {"training": {"budget": 5}},
        {"based_on": "tiny", "trainin": {}},
        {"based_on": "tiny", "training": {"bugdet": 5}},
        {"based_on": 5},
    ):
        assert not check.is_valid(of(a=wrong)), wrong


def resolved(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "depthbias.config.resolve", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_study_is_printed_in_full_and_can_stand_for_itself(tmp_path):
    done = resolved("mnist-sweep")
    study = load(ROOT / "params.yaml").studies["mnist-sweep"]
    assert done.returncode == 0 and done.stderr == ""
    assert parse(of(alone=yaml.safe_load(done.stdout))).studies["alone"] == study
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps(of(a={"based_on": "tiny", "seeds": [9]})))
    assert yaml.safe_load(resolved("a", "--params", path).stdout)["seeds"] == [9]
    done = resolved("b", "--params", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {path}: studies: no study 'b'; valid: tiny, a\n"
