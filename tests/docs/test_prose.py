"""The rules of prose that a machine can check."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PRIVATE = [
    "vouch",
    "mend(s|ed|ing)?",
    "the way of the data",
    "is none of",
    "so many",
    "makes again",
]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def names(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


def anchors(page):
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def sentences(text):
    """The sentences of a page: code, tables and pictures left out, each item of a list apart.

    Code within a sentence is one word, and a link its text.
    """
    prose = FENCE.sub("\n\n", text)
    lines = ["" if re.match(r"[|!#]|    ", line) else line for line in prose.splitlines()]
    prose = re.sub(r"\]\([^)]*\)", "]", "\n".join(lines))
    prose = re.sub(r"`[^`]*`", "code", prose)
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:[-*] |\d+\. ))|(?<=[.?!])[\")*]*\s+", prose)
    return [" ".join(part.split()) for part in parts if part.strip()]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= 900


def words(sentence):
    return [word for word in sentence.split() if re.search(r"\w", word)]


@pytest.mark.parametrize("page", [name for name in names(PAGES) if name != "CHANGELOG.md"])
def test_no_long_sentence(page):
    found = sentences((ROOT / page).read_text())
    assert not [sentence for sentence in found if len(words(sentence)) > 25]


def test_sentences_are_told_apart():
    text = "One `a. b c`: [two](x.md#y). Is it **three.** Four\n- five\n  six\n\n"
    text += "| a. b |\n\n    x = 1. y\n"
    assert sentences(text) == ["One code: [two].", "Is it **three.", "Four", "- five six"]
    assert words("- a > b") == ["a", "b"]


def test_the_readme_has_the_commands_that_are_looked_for():
    text = (ROOT / "README.md").read_text()
    for words in ("snakemake --cores all --resources gpu=3", "dvc repro", "profile", "## Usage"):
        assert words in text
    for target in ("make demo", "make test", "make lint"):
        assert target in text


@pytest.mark.parametrize("page", names(PAGES))
def test_no_private_words(page):
    text = (ROOT / page).read_text()
    assert not re.findall(rf"\b(?:{'|'.join(PRIVATE)})\b", text, re.IGNORECASE)


@pytest.mark.parametrize("page", names(PAGES))
def test_links_lead_somewhere(page):
    path = ROOT / page
    for link in LINK.findall(FENCE.sub("", path.read_text())):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{page}: {link}: no such file"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page}: {link}: no such heading"


@pytest.mark.parametrize("page", names(PAGES))
def test_paths_in_prose_exist(page):
    """Scripts, modules and rule files that a page names in backquotes."""
    text = FENCE.sub("", (ROOT / page).read_text())
    for name in re.findall(r"`((?:scripts|depthbias|workflow|tests|docs)/[\w./-]+\.\w+)`", text):
        if page != "docs/extend.md" and page != "docs/log.md":
            assert (ROOT / name).exists(), f"{page}: {name}"
