"""Train the study's classifier on real images; measure its confusion on held-out ones."""

from depthbias.data.splits import read_split
from depthbias.system.arguments import IMAGES, MADE_MODEL, THREADS, Arguments, file, flag, script
from depthbias.system.files import check_writable, fingerprint, map_npz, write_npz
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

OPTIONS = ("budget", "batch_size", "learning_rate", "seed")


@script(
    IMAGES,
    file("--split", "classes, pool and held-out images (.json)"),
    flag("--budget", "images seen in training", int),
    flag("--batch-size", kind=int),
    flag("--learning-rate", "the highest, after the warm-up", float),
    flag("--seed", "draws weights and batches", int),
    flag("--threshold", "least balanced accuracy", float),
    THREADS,
    *MADE_MODEL,
    file("--control", "classified control images to write (.npz)"),
)
def main(args: Arguments) -> None:
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
    height, width, channels = images.shape[1:]
    size = height if height == width else [height, width]
    meta = {"classes": classes, "size": size, "channels": channels, **options}
    meta |= {"threshold": args.threshold, **calibrate(*calibration, classes, args.threshold)}
    meta |= {"device": device.type, "split": fingerprint(args.split)}
    save_classifier(model, meta, args.model, args.meta)
    write_npz(args.control, dict(zip(("probabilities", "labels"), control, strict=True)))
