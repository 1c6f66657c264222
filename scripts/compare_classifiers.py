"""Ask classifiers of other kinds, beside the study's own, about all samples of a study."""

from depthbias.data.splits import read_split
from depthbias.measures.opinions import write_opinions
from depthbias.system.arguments import (
    CLASSIFIER,
    IMAGES,
    STUDY,
    THREADS,
    Arguments,
    WrongUsage,
    file,
    files,
    flag,
    positive,
    script,
)
from depthbias.system.files import check_writable, map_npz
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress
from depthbias.vision.other_classifiers import NETWORK


@script(
    IMAGES,
    file("--split", "classes, pool and held-out images (.json)"),
    file("--real", "embedded real images (.npz)"),
    *CLASSIFIER,
    files("--samples", "generated images (.npz)"),
    files("--classes", "what the classifier made of them (.npz)"),
    files("--embedded", "the same, embedded (.npz)"),
    flag("--others", "names, like: network-1 svm-pixels", nargs="+"),
    flag("--training-images", "of each class, for those in an embedding", positive),
    STUDY,
    THREADS,
    file("--output", "what all say, to write (.npz)"),
)
def main(args: Arguments) -> None:
    if not len(args.samples) == len(args.classes) == len(args.embedded):
        raise WrongUsage("--samples, --classes, --embedded: name the same runs in the same order")
    split, images = read_split(args.split), map_npz(args.images, "images")
    check_writable(args.output)
    with computing(args.threads, exact=True) as device:
        from depthbias.measures.other_opinions import RealImages, opinions_of, others
        from depthbias.vision.classifier import load_classifier

        network, meta = load_classifier(args.model, args.meta)
        real = RealImages(images, split, args.real)
        training = {name: meta[name] for name in ("budget", "batch_size", "learning_rate")}
        asked = others(real, args.others, args.training_images, training, device)
        runs = list(zip(args.samples, args.classes, args.embedded, strict=True))
        own = f"{NETWORK}-{meta['seed']}", network
        with Progress(len(runs), "other classifiers", "runs") as progress:
            opinions = opinions_of(args.study, real, own, asked, runs, progress.update)
    write_opinions(args.output, opinions)
