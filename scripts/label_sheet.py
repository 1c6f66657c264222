"""Draw generated images of a study to label by hand: a contact sheet, and a page to do it on."""

from depthbias.measures.label_sheet import draw_images
from depthbias.measures.samples import read_classes
from depthbias.report.label_page import contact_sheet, label_page
from depthbias.system.arguments import (
    STUDY,
    Arguments,
    WrongUsage,
    file,
    files,
    flag,
    positive,
    script,
)
from depthbias.system.files import check_writable, replacing, write_text


@script(
    files("--samples", "generated images, main sampler (.npz)"),
    files("--classes", "what the classifier made of them (.npz)"),
    STUDY,
    flag("--count", "images to draw", positive),
    file("--sheet", "contact sheet to write (.png)"),
    file("--page", "page to write (.html)"),
)
def main(args: Arguments) -> None:
    if len(args.samples) != len(args.classes):
        raise WrongUsage("--samples and --classes must name the same runs in the same order")
    check_writable(args.sheet, args.page)
    models = [read_classes(path, args.study) for path in args.classes]
    drawn = draw_images(models, args.samples, args.count)
    with replacing(args.sheet) as temporary:
        contact_sheet(drawn).save(temporary, "PNG")
    write_text(args.page, label_page(args.study, drawn, models[0].classes))
