"""A study with subjects: what it may say, its defaults, its groups, and errors in one line."""

import copy

import jsonschema
import pytest
import yaml
from conftest import ROOT

from depthbias.config.reading import parse, schema
from depthbias.system.errors import UserError

AUDIT = {
    "data": {"raw": "train", "labels": "train.csv", "size": 32, "channels": 3},
    "heldout": {"raw": "test", "labels": "test.csv"},
    "classes": {"cat": {"any": ["cat"]}, "dog": {"any": ["dog"]}},
    "subjects": {
        "theirs": {"images": "generated"},
        "ours": {"diffusers": "models/mine"},
        "loose": {"weights": "w.safetensors", "unet": "c.json", "scheduler": "s.json"},
    },
}


def content(**changes):
    """params.yaml with the audit, some keys of it changed; None: left out."""
    own = copy.deepcopy(AUDIT) | changes
    own = {key: value for key, value in own.items() if value is not None}
    return {"active": ["mine"], "studies": {"mine": own}}


def audit(**changes):
    return parse(content(**changes)).audits["mine"]


def test_an_audit_is_a_study_with_defaults_that_follow_from_its_classes():
    found = audit()
    assert found.neighbors.embeddings == ["pixels", "classifier"]
    assert found.neighbors.copies == {"classifier": "calibrated"}
    assert found.diversity.backbone == "classifier"
    without = audit(classes=None)
    assert without.neighbors.embeddings == ["pixels"] and not without.neighbors.copies
    assert without.diversity is None
    assert audit(diversity={"backbone": "lpips-alex"}).diversity.backbone == "lpips-alex"


def test_models_are_one_group_and_every_set_of_images_another():
    groups = audit().groups("mine")
    assert list(groups) == ["mine-models", "mine-theirs"]
    assert groups["mine-models"].architectures == ["ours", "loose"]
    assert groups["mine-models"].sampling.samplers == ["ddim-50"]
    assert groups["mine-theirs"].sampling.samplers == ["given"]


def test_an_audit_stands_beside_studies_and_may_be_based_on_an_audit():
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["studies"] |= {
        "mine": AUDIT,
        "more": {"based_on": "mine", "subjects": {"theirs": {"images": "others.zip"}}},
    }
    found = parse(params)
    assert list(found.audits) == ["mine", "more"] and "mine" not in found.studies
    assert list(found.audits["more"].subjects) == ["theirs"]
    assert found.audits["more"].data == found.audits["mine"].data


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"subjects": {}}, ["studies.mine.subjects", "at least 1"]),
        ({"subjects": {"a": {}}}, ["studies.mine.subjects.a", "one of images", "none of them"]),
        ({"subjects": {"a": {"images": "x", "diffusers": "y"}}}, ["images and diffusers"]),
        ({"subjects": {"a": {"weights": "x.bin"}}}, ["give unet", "scheduler"]),
        ({"subjects": {"a": {"images": "x", "unet": "y"}}}, ["only beside weights"]),
        ({"subjects": {"a": {"image": "x"}}}, ["subjects.a.image", "did you mean 'images'"]),
        ({"subjects": {"Theirs": {"images": "x"}}}, ["'Theirs'", "small letters"]),
        ({"subjects": {"real": {"images": "x"}}}, ["'real'", "cannot be the name"]),
        ({"subjects": {"depth9": {"images": "x"}}}, ["'depth9'", "cannot be the name"]),
        ({"subjects": {"models": {"images": "x"}}}, ["'models' has a meaning"]),
        ({"ratios": ["90-10"]}, ["studies.mine.ratios", "unknown key"]),
        ({"heldout": {"raw": ""}}, ["studies.mine.heldout.raw"]),
        ({"data": AUDIT["data"] | {"channels": 2}}, ["data.channels", "1 (grey) or 3"]),
        ({"data": AUDIT["data"] | {"dataset": "mnist"}}, ["data.dataset"]),
        ({"classes": {"cat": {"any": ["cat"]}}}, ["classes", "one class has no bias"]),
        (
            {"classes": None, "neighbors": {"embeddings": ["pixels", "classifier"]}},
            ["neighbors.embeddings: classifier needs classes", "sscd"],
        ),
        ({"classes": None, "diversity": {"backbone": "classifier"}}, ["needs classes"]),
        ({"quality": {"manifold_embedding": "sscd"}}, ["quality.manifold_embedding", "'sscd'"]),
        ({"sampling": {"samplers": ["ddim"]}}, ["sampling.samplers"]),
    ],
)
def test_a_bad_audit_is_refused_in_one_line(changes, words):
    with pytest.raises(UserError) as caught:
        parse(content(**changes))
    message = str(caught.value)
    assert message.startswith("params.yaml: studies.mine") and "\n" not in message
    for word in words:
        assert word in message, message


def test_names_that_the_groups_take_are_refused():
    both = content()
    both["studies"]["mine-theirs"] = AUDIT
    with pytest.raises(UserError, match=r"studies\.mine-theirs: mine makes it: rename"):
        parse(both)
    with pytest.raises(UserError, match=r"audits: unknown key"):
        parse(content() | {"audits": {}})


def test_the_schema_takes_audits_and_tells_wrong_ones():
    check = jsonschema.Draft202012Validator(schema())
    check.validate(content())
    check.validate(content(classes=None, heldout=None))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    check.validate(params)
    for wrong in ({"ratios": ["90-10"]}, {"subjects": {"a": {"image": "x"}}}, {"data": {}}):
        assert not check.is_valid(content(**wrong)), wrong
