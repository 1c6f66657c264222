"""The progress line in a terminal and in a log file, with a clock of its own."""

import io

import pytest

from depthbias.system import progress
from depthbias.system.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until told: clock[0] is the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_log_file_gets_a_line_every_ten_seconds_and_one_at_the_end(clock):
    stream = io.StringIO()
    with Progress(2000, "training", stream=stream) as shown:
        for second in range(25):
            clock[0] = 100 + second
            shown.update(50 * second, note=f"loss {second}")
        clock[0] = 140
        shown.update(2000)
    assert stream.getvalue().splitlines() == [
        "training: 500/2,000 images, 50/s, 0:30 left, loss 10",
        "training: 1,000/2,000 images, 50/s, 0:20 left, loss 20",
        "training: 2,000/2,000 images, 50/s, took 0:40",
    ]


def test_a_terminal_gets_one_line_rewritten(clock):
    stream = Terminal()
    with Progress(10, "sampling", stream=stream) as shown:
        for done in range(11):
            clock[0] += 1
            shown.update(done, note="a long note" if done < 10 else "")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    *_, before, last = text.rstrip("\n").split("\r")
    assert last.rstrip() == "sampling: 10/10 images, 1/s, took 0:10"
    assert len(last) >= len(before.rstrip())  # nothing of the longer line is left standing


def test_the_rate_of_a_resumed_run_is_that_of_this_process(clock):
    stream = io.StringIO()
    shown = Progress(90_000, "training", stream=stream)
    shown.update(50_000)
    clock[0] += 10
    shown.update(50_100)
    assert stream.getvalue() == "training: 50,100/90,000 images, 10/s, 1:06:30 left\n"


def test_nothing_is_said_before_there_is_something_to_say(clock):
    stream = io.StringIO()
    shown = Progress(10, "reading", unit="files", stream=stream)
    shown.update(0)
    assert stream.getvalue() == ""
    shown.close()
    assert stream.getvalue() == "reading: 0/10 files\n"
