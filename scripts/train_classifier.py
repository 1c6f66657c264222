"""Train the study's classifier on real images; measure its confusion on held-out ones."""

import argparse
from pathlib import Path

from depthbias.data.splits import read_split
from depthbias.system.errors import command
from depthbias.system.files import check_writable, fingerprint, map_npz, write_npz
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

OPTIONS = ("budget", "batch_size", "learning_rate", "seed")


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


def main() -> None:
    args = parse()
    split = read_split(args.split)
    images = map_npz(args.images, "images")
    check_writable(args.model, args.meta, args.control)
    with computing(args.threads, exact=True) as device:
        from depthbias.measures.calibration import calibrate, classify_held_out
        from depthbias.vision.classifier import save_classifier, train_classifier

        options = {name: getattr(args, name) for name in OPTIONS}
        with Progress(args.budget, "training the classifier") as progress:
            model = train_classifier(
                images, split.pool, **options, device=device, report=progress.update
            )
        control = classify_held_out(model, images, split.control)
        calibration = classify_held_out(model, images, split.calibration)
    classes = list(split.classes)
    meta = {"classes": classes, "size": images.shape[1], "channels": images.shape[3], **options}
    meta |= {"threshold": args.threshold, **calibrate(*calibration, classes, args.threshold)}
    meta |= {"device": device.type, "split": fingerprint(args.split)}
    save_classifier(model, meta, args.model, args.meta)
    write_npz(args.control, dict(zip(("probabilities", "labels"), control, strict=True)))


if __name__ == "__main__":
    command(main)
