"""What an audit answers: words, tables, conditions, the card and its notes, from made-up rows."""

import pytest
import yaml

from depthbias.estimates.tidy import tidy
from depthbias.report.audit_answer import answers, condition, failures, headline, sections
from depthbias.report.audit_card import card
from depthbias.report.audit_notes import left_out, notes, own_lights
from depthbias.system.errors import UserError

CLASSES = ["lying", "standing"]


def row(subject, metric, value, lower, upper, **keys):
    about = {"study": "a", "ratio": "natural", "seed": "0", "sampler": "given", "class": ""}
    if subject in ("real", "train"):
        about["sampler"] = ""
    about |= {"architecture": subject, "metric": metric, "n": 100, "runs": 1}
    return about | {"value": value, "lower": lower, "upper": upper} | keys


def summary():
    rows = [row("real", "memorised_share:pixels", 0.01, 0.0, 0.04)]
    for name, share, shift in (
        ("copier", (0.1, 0.05, 0.2), (-0.5, -0.9, -0.1)),
        ("clean", (0.0, 0.0, 0.03), (0.1, -0.2, 0.4)),
        ("unclear", (0.05, 0.02, 0.1), (0.5, 0.1, 0.9)),
    ):
        rows.append(row(name, "memorised_share:pixels", *share))
        rows.append(row(name, "nn_distance:pixels", 50, 45, 55, k=1))
        rows.append(row(name, "nn_distance:pixels", 80, 75, 85, k=5))
        rows.append(row(name, "attack_auc:loss", 0.9, 0.8, 0.95, sigma=1.0))
        rows.append(row(name, "log_odds_shift", *shift, **{"class": "standing"}))
        rows.append(row(name, "share_corrected", 0.3, 0.2, 0.4, **{"class": "standing"}))
        rows.append(row(name, "share_train", 0.4, None, None, **{"class": "standing"}))
    over_seeds = [one | {"seed": "all", "lower": None, "upper": None} for one in rows]
    return tidy([*over_seeds, *rows])


def test_the_interval_decides_and_not_the_value():
    found = answers(summary(), ["copier", "clean", "unclear"], CLASSES)
    assert [one.leak for one in found] == [
        "copies",
        "no more copies than real images",
        "cannot tell",
    ]
    assert [one.bias for one in found] == [
        "amplifies",
        "no shift told apart from 0",
        "attenuates",
    ]
    assert found[0].told == (
        "copier: copies (memorised: 10.0 [5.0, 20.0] % of its images; of held-out images: "
        "1.0 [0.0, 4.0] %); amplifies (share of standing: 30.0 [20.0, 40.0] %, trained on 40.0 %)."
    )
    without = answers(summary(), ["copier"], [])
    assert without[0].bias == "" and without[0].told.endswith("1.0 [0.0, 4.0] %).")


def test_without_held_out_images_training_images_are_the_background():
    rows = summary()
    rows.loc[rows["architecture"] == "real", "architecture"] = "train"
    assert "of training images, among the others: 1.0" in answers(rows, ["copier"], [])[0].told


def test_tables_show_the_least_k_and_no_single_noise_level():
    first, second = sections(summary(), ["copier", "clean"], CLASSES)
    assert first.header[3:] == [] or "distance" in first.header[-1]
    assert [line[0] for line in first.rows] == ["copier", "clean", "held-out images"]
    assert first.rows[0][1:] == ["10.0 [5.0, 20.0]", "50.0 [45.0, 55.0]"]
    assert [
        "copier",
        "standing",
        "40.0",
        "30.0 [20.0, 40.0]",
        "-0.50 [-0.90, -0.10]",
    ] in second.rows


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("memorised_share:pixels > 0.04", ["copier"]),
        ("memorised_share:pixels > 0.06", []),
        ("memorised_share:pixels < 0.05", ["clean"]),
        ("log_odds_shift[standing]<0", ["copier"]),
        ("nn_distance:pixels < 6e1", ["copier", "clean", "unclear"]),
    ],
)
def test_a_condition_holds_where_the_whole_interval_is_beyond(text, subjects):
    found = failures(headline(summary()), ["copier", "clean", "unclear"], text)
    assert [line.split(":")[0] for line in found] == subjects


@pytest.mark.parametrize("text", ["", "memorised", "a > b", "a = 1", "> 1", "a[b > 1"])
def test_what_is_no_condition_is_said_so(text):
    with pytest.raises(UserError, match="is no condition"):
        condition(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("memorized_share:pixels > 1", "no metric .*did you mean 'memorised_share:pixels'"),
        ("log_odds_shift < 1", r"write one of log_odds_shift\[standing\]"),
        ("attack_auc:loss > 1", "no metric"),
    ],
)
def test_a_condition_on_what_is_not_there_is_said_so(text, words):
    with pytest.raises(UserError, match=words):
        failures(headline(summary()), ["copier"], text)


def test_the_card_has_a_model_index_that_the_hub_reads():
    from huggingface_hub import ModelCard

    rows = summary()
    found = answers(rows, ["copier", "clean"], CLASSES)
    text = card("mine", headline(rows), found, ["read this"], "1.2")
    index = yaml.safe_load(text.split("---")[1])["model-index"]
    assert [model["name"] for model in index] == ["copier", "clean"]
    metrics = [m for result in index[0]["results"] for m in result["metrics"]]
    shares = [m for m in metrics if m["type"] == "memorised_share:pixels"]
    assert shares[0]["value"] == 0.1 and shares[0]["args"]["lower"] == 0.05
    assert "- read this" in text and "| copier | memorised_share:pixels | 0.1000 [" in text
    ModelCard(text)


REAL = {"training": {"images": 9, "repeated": 2}, "held-out": {"images": 5, "left_out": 1}}
MADE = [{"given": "g", "repeated": 3, "differs": "sizes 9x9 where training images have 8x8"}]


def test_notes_tell_all_that_was_odd_with_what_was_brought():
    found = notes({"real": REAL, "generated": MADE})
    assert len(found) == 4 and "g: 3 images are copies of others; they count" in found
    assert not notes({"real": {"training": {"repeated": 0}}, "generated": []})


def test_lights_on_decoding_and_held_out_images():
    states = [one.state for one in own_lights({"real": REAL, "generated": MADE}, {})]
    assert states == ["doubtful", "holds"]
    bare = {"training": REAL["training"]}
    states = [one.state for one in own_lights({"real": bare, "generated": []}, {})]
    assert states == ["not measured", "fails"]


def test_what_is_left_out_says_what_it_would_need():
    images, model = {"x": {"images": "g"}}, {"x": {"images": "", "diffusers": "m"}}
    whole = {"classes": {"a": 1}, "heldout": {"raw": "t"}, "diversity": {"backbone": "b"}}
    assert left_out(whole | {"subjects": model}) == []
    assert left_out(whole | {"subjects": images}) == [
        "membership: it needs a model, not images alone"
    ]
    found = left_out({"subjects": images})
    assert [text.split(":")[0] for text in found] == ["bias", "membership", "diversity"]
