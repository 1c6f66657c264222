"""Changed files of a folder are noticed by what they hold, and quickly."""

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest

from depthbias.data import raw_files
from depthbias.data.raw_files import digest_of_files

OLD = 1_600_000_000


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    for name in ("a.png", "more/b.png", "more/c.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
        os.utime(folder / name, (OLD, OLD))
    return folder


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that were read."""
    found, whole = [], hashlib.file_digest

    def counting(file, kind):
        found.append(Path(file.name).name)
        return whole(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", counting)
    monkeypatch.setattr(raw_files, "SETTLED", 0)  # as if all were written long ago
    return found


def rewrite(folder):
    """Other content of the same length, under the same name and date."""
    (folder / "a.png").write_text("A.png")
    os.utime(folder / "a.png", (OLD, OLD))


CHANGES = {
    "rewritten": rewrite,
    "longer": lambda folder: (folder / "more/b.png").write_text("longer than before"),
    "renamed": lambda folder: (folder / "a.png").rename(folder / "z.png"),
    "moved": lambda folder: (folder / "a.png").rename(folder / "more/a.png"),
    "removed": lambda folder: (folder / "more/c.txt").unlink(),
    "added": lambda folder: (folder / "d.png").write_text("d"),
    "swapped": lambda folder: [
        (folder / "a.png").rename(folder / "x"),
        (folder / "more/b.png").rename(folder / "a.png"),
        (folder / "x").rename(folder / "more/b.png"),
    ],
    "linked": lambda folder: (folder / "d.png").symlink_to(folder / "a.png"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("settled", [0, raw_files.SETTLED])
def test_changes_are_noticed(raw, tmp_path, monkeypatch, change, settled):
    monkeypatch.setattr(raw_files, "SETTLED", settled)
    memory = tmp_path / "memory.json"
    before = digest_of_files(raw, memory)
    assert digest_of_files(raw, memory) == before
    time.sleep(0.02)  # longer than the clock of files ticks
    CHANGES[change](raw)
    after = digest_of_files(raw, memory)
    assert after != before
    assert after == digest_of_files(raw, tmp_path / "other.json")


def test_dates_places_and_hidden_files_change_nothing(raw, tmp_path, reads):
    before = digest_of_files(raw, tmp_path / "memory.json")
    os.utime(raw / "a.png")
    (raw / ".DS_Store").write_text("x")
    (raw / "nothing.png").symlink_to(raw / "gone.png")
    assert digest_of_files(raw, tmp_path / "memory.json") == before
    shutil.copytree(raw, tmp_path / "copy", ignore=shutil.ignore_patterns("nothing.png"))
    assert digest_of_files(tmp_path / "copy", tmp_path / "memory2.json") == before


def test_only_what_changed_is_read_again(raw, tmp_path, reads):
    memory = tmp_path / "memory.json"
    digest_of_files(raw, memory)
    assert sorted(reads) == ["a.png", "b.png", "c.txt"]
    digest_of_files(raw, memory)
    assert len(reads) == 3
    (raw / "a.png").write_text("another")
    digest_of_files(raw, memory)
    assert reads[3:] == ["a.png"]


def test_files_that_were_just_written_are_read_again(raw, tmp_path, reads, monkeypatch):
    monkeypatch.setattr(raw_files, "SETTLED", 10**12)
    for _ in range(2):
        digest_of_files(raw, tmp_path / "memory.json")
    assert len(reads) == 6


@pytest.mark.parametrize("damage", ["", "{", "[]", "5"])
def test_a_damaged_memory_is_made_again(raw, tmp_path, reads, damage):
    memory = tmp_path / "memory.json"
    before = digest_of_files(raw, memory)
    memory.write_text(damage)
    assert digest_of_files(raw, memory) == before
    digest_of_files(raw, memory)
    assert len(reads) == 6


def test_two_thousand_files_take_a_fraction_of_a_second(tmp_path, reads):
    (tmp_path / "raw").mkdir()
    for number in range(2000):
        (tmp_path / f"raw/{number}.png").write_bytes(bytes(100))
    digest_of_files(tmp_path / "raw", tmp_path / "memory.json")
    start = time.process_time()
    digest_of_files(tmp_path / "raw", tmp_path / "memory.json")
    assert len(reads) == 2000 and time.process_time() - start < 1
