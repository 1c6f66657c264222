"""Train the study's classifier on real images; measure its confusion on held-out ones."""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from depthbias.system.errors import UserError, command
from depthbias.system.files import check_writable, fingerprint, map_npz, read_json, write_npz
from depthbias.system.gpu_lease import lease
from depthbias.system.progress import Progress


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--images", type=Path, required=True, help="prepared images (.npz)")
    add("--split", type=Path, required=True, help="classes, pool and held-out images (.json)")
    add("--budget", type=int, required=True, help="images seen in training")
    add("--batch-size", type=int, required=True)
    add("--learning-rate", type=float, required=True, help="the highest, after the warm-up")
    add("--seed", type=int, required=True)
    add("--threshold", type=float, required=True, help="least balanced accuracy")
    add("--threads", type=int, default=1, help="CPU threads")
    add("--model", type=Path, required=True, help="weights to write (.safetensors)")
    add("--meta", type=Path, required=True, help="their description to write (.json)")
    add("--control", type=Path, required=True, help="classified control images to write (.npz)")
    return parser.parse_args()


def load_parts(path: Path) -> tuple[list[str], dict[str, list[np.ndarray]]]:
    """(classes, rows of each class in pool, calibration and control) of a split."""
    split = read_json(path)
    try:
        classes = split["classes"]
        parts = {
            part: [np.array(split[part][name], dtype=np.int64) for name in classes]
            for part in ("pool", "calibration", "control")
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a split ({error}): split the data set again") from error
    return classes, parts


def main() -> None:
    args = parse()
    classes, parts = load_parts(args.split)
    images = map_npz(args.images, "images")
    check_writable(args.model, args.meta, args.control)
    with lease() as device:
        print(f"device: {device}", file=sys.stderr)
        make(args, images, classes, parts)


def make(
    args: argparse.Namespace,
    images: np.ndarray,
    classes: list[str],
    parts: dict[str, list[np.ndarray]],
) -> None:
    import torch

    from depthbias.vision.classifier import (
        check_accuracy,
        classify,
        confusion_counts,
        save_classifier,
        train_classifier,
    )

    torch.set_num_threads(args.threads)
    options: dict[str, Any] = {
        "budget": args.budget,
        "batch_size": args.batch_size,
        "learning_rate": args.learning_rate,
        "seed": args.seed,
    }
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with Progress(args.budget, "training the classifier") as progress:
        model = train_classifier(
            images, parts["pool"], **options, device=device, report=progress.update
        )
    found = {}
    for part in ("calibration", "control"):
        rows = parts[part]
        labels = np.repeat(np.arange(len(classes)), [len(own) for own in rows])
        found[part] = classify(model, images[np.concatenate(rows)]), labels
    probabilities, labels = found["calibration"]
    confusion = confusion_counts(probabilities.argmax(axis=1), labels, len(classes))
    accuracy = check_accuracy(confusion, classes, args.threshold)
    meta = {"classes": classes, "size": images.shape[1], "channels": images.shape[3], **options}
    meta |= {"threshold": args.threshold, "confusion": confusion, "balanced_accuracy": accuracy}
    meta |= {"device": device, "split": fingerprint(args.split)}
    save_classifier(model, meta, args.model, args.meta)
    write_npz(args.control, dict(zip(("probabilities", "labels"), found["control"], strict=True)))


if __name__ == "__main__":
    command(main)
