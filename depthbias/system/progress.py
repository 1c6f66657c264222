"""One progress line: rewritten in place in a terminal, a line every few seconds in a log file."""

import sys
import time
from typing import TextIO

TERMINAL_SECONDS = 0.2  # often enough to look alive, rarely enough to cost nothing
LOG_SECONDS = 10.0


class Progress:
    """Progress of `total` units of work, shown on `stream` (standard error unless given).

    The line shows the work done, its rate, the time left and a note of the caller's. The rate
    counts only what this process did, so that a resumed run shows an honest one. Usable as a
    context manager.
    """

    def __init__(
        self, total: int, label: str, unit: str = "images", stream: TextIO | None = None
    ) -> None:
        self.total, self.label, self.unit = total, label, unit
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._started = self._shown = time.monotonic()
        self._first: int | None = None
        self._done, self._note, self._width, self._shown_done = 0, "", 0, -1

    def update(self, done: int, note: str = "") -> None:
        """Set the work done so far (absolute, in units) and the note; cheap: call it each step."""
        if self._first is None:
            self._first = done
            self._started = time.monotonic()
        self._done, self._note = done, note
        now = time.monotonic()
        if now - self._shown >= (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            self._show(now)

    def close(self) -> None:
        """Show the last state and end the line."""
        if self._shown_done != self._done or self._terminal:
            self._show(time.monotonic())
        if self._terminal:
            self._stream.write("\n")
        self._stream.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _show(self, now: float) -> None:
        self._shown, self._shown_done = now, self._done
        line = self._line(now - self._started)
        if self._terminal:
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def _line(self, seconds: float) -> str:
        fresh = self._done - (self._first or 0)
        parts = [f"{self.label}: {self._done:,}/{self.total:,} {self.unit}"]
        if fresh > 0 and seconds > 0:
            rate = fresh / seconds
            parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
            if self._done < self.total:
                parts.append(f"{_clock((self.total - self._done) / rate)} left")
            else:
                parts.append(f"took {_clock(seconds)}")
        return ", ".join([*parts, self._note] if self._note else parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
