"""Training that survives interruptions: it goes on from its resume point, and stops at a signal."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from depthbias.diffusion.resume_points import load_point, save_point
from depthbias.diffusion.trainer import Stopped, Trainer, train
from depthbias.system.errors import UserError
from depthbias.system.usage import Meter


def train_to_the_end(
    trainer: Trainer,
    meter: Meter,
    point: Path,
    caught: list[int],
    report: Callable[[int, str], None],
) -> None:
    """Go on from the point, if it is there and whole, and train to the budget.

    A signal in `caught` saves the point and ends the process with 128 + its number. `report` hears
    the images seen and the loss, step by step.
    """
    pause = save_seconds()
    _resume(trainer, meter, point)
    try:
        for _ in train(
            trainer,
            lambda: _save(trainer, meter, point),
            save_seconds=pause,
            stopping=lambda: bool(caught),
        ):
            note = f"loss {trainer.rows[-1]['loss']:.4f}" if trainer.rows else ""
            report(trainer.seen, note)
    except Stopped:
        _tell(f"stopped at {trainer.seen:,} images: run again to go on")
        sys.exit(128 + caught[0])


def save_seconds() -> float:
    """Seconds between resume points: DEPTHBIAS_SAVE_SECONDS, 30 unless set."""
    text = os.environ.get("DEPTHBIAS_SAVE_SECONDS", "30")
    try:
        return max(0.0, float(text))
    except ValueError as error:
        raise UserError(f"DEPTHBIAS_SAVE_SECONDS={text}: must be a number of seconds") from error


def catch_signals() -> list[int]:
    """The list the first SIGTERM or SIGINT is put in; a second one ends the process at once."""
    caught: list[int] = []

    def note(number: int, _: object) -> None:
        caught.append(number)
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, note)
    return caught


def _resume(trainer: Trainer, meter: Meter, point: Path) -> None:
    if not point.exists():
        return
    try:
        tensors, state = load_point(point)
        trainer.restore(tensors, state)
        meter.add(state["spent"])
        _tell(f"going on from {trainer.seen:,} images")
    except UserError as error:
        _tell(f"starting over: {error}")


def _save(trainer: Trainer, meter: Meter, point: Path) -> None:
    tensors, state = trainer.state()
    try:
        save_point(point, tensors, state | {"spent": meter.spent()})
    except UserError as error:  # no reason to lose the run
        _tell(f"no resume point saved: {error}")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
