"""Draw a training subset with exact class proportions from the pool of a split."""

from depthbias.data.splits import read_split
from depthbias.data.subsets import draw_from
from depthbias.system.arguments import Arguments, file, flag, script, switch
from depthbias.system.files import fingerprint, write_json


@script(
    file("--split", "split of a data set (.json)"),
    flag("--ratio", "percentages like 90-10, or natural"),
    flag("--size", "images", int),
    flag("--seed", "draws the images", int),
    switch("--disjoint", "seeds 0, 1 ... share no image"),
    file("--output", "subset to write (.json)"),
)
def main(args: Arguments) -> None:
    split = read_split(args.split)
    content = draw_from(split, args.ratio, args.size, args.seed, args.disjoint)
    provenance = {"split": fingerprint(args.split), "images": split.images}
    write_json(args.output, {**content, "provenance": provenance})
