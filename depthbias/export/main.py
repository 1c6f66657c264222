"""Export a model, the images or the whole of a study, from what the workflow recorded.

depthbias export model STUDY RATIO ARCHITECTURE SEED --output FOLDER
depthbias export data STUDY --output FOLDER
depthbias export study STUDY --output FOLDER
"""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from depthbias.export.needs import needs
from depthbias.system.errors import UserError, command, explain

if TYPE_CHECKING:
    from depthbias.export.study import Study


def main() -> None:
    """Read the command line, and export."""
    options = _parser().parse_args()
    from depthbias.export.study import Study

    study = Study(options.study, terms=options.licence)
    export = {"model": _model, "data": _data, "study": _study}[options.what]
    with _new_folder(options.output) as options.folder:
        export(study, options)
        if not study.licence.name:
            print("note: the licence of the images is not known: give --licence", file=sys.stderr)
    print(f"{options.output}: written")


@contextmanager
def _new_folder(output: Path) -> Iterator[Path]:
    """A folder that gets the name `output` when the block succeeds, and else is deleted.

    UserError if there is something of that name, other than an empty folder.
    """
    try:
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise UserError(f"{output}: is there already: name a new folder")
        output.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as place:
            folder = Path(place, output.name)
            folder.mkdir()
            yield folder
            folder.replace(output)
    except OSError as error:
        raise explain(error, output) from error


def _parser() -> ArgumentParser:
    words = sys.argv[0] if sys.argv[0].startswith("depthbias") else None
    parser = ArgumentParser(
        prog=words, description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="what", required=True, metavar="{model,data,study}")
    model = kinds.add_parser("model", help="a folder that diffusers opens, with a card")
    data = kinds.add_parser("data", help="images and tables with Croissant metadata")
    study = kinds.add_parser("study", help="files and jobs as a Workflow Run RO-Crate")
    for kind in (model, data, study):
        kind.add_argument("study", metavar="STUDY", help="its name in params.yaml")
    for name in ("ratio", "architecture", "seed"):
        model.add_argument(name, metavar=name.upper(), help="of the model")
    for kind in (model, data, study):
        kind.add_argument("--output", type=Path, required=True, help="new folder to write")
        text = "of your own images, an SPDX name or a link; others have their own"
        kind.add_argument("--licence", default="", help=text)
    data.add_argument("--url", default="", help="where the folder will be found")
    text = "MB of the largest file to copy; of larger ones the hash is noted (default: 100)"
    study.add_argument("--largest", type=float, default=100.0, help=text)
    return parser


def _model(study: "Study", options: Namespace) -> None:
    job = study.model(options.ratio, options.architecture, options.seed)
    from depthbias.diffusion.checkpoints import load_model
    from depthbias.export.diffusers_folder import export_diffusers
    from depthbias.export.model_card import write_card

    network, meta = load_model(study.path(job, "model"), study.path(job, "meta"))
    export_diffusers(network, meta, options.folder)
    write_card(options.folder, study, job, meta)


def _data(study: "Study", options: Namespace) -> None:
    from depthbias.export.croissant import write_croissant
    from depthbias.export.data_folder import (
        IMAGES,
        SUBSETS,
        TABLE,
        write_images,
        write_subsets,
        write_table,
    )

    needs("mlcroissant")
    rows = write_table(options.folder / TABLE, study.split, study.prepared)
    write_subsets(options.folder / SUBSETS, study.subsets)
    if study.licence.shared:
        write_images(options.folder / IMAGES, study.prepared, rows)
    write_croissant(options.folder, study, options.url)


def _study(study: "Study", options: Namespace) -> None:
    from depthbias.export.crate import write_crate

    write_crate(options.folder, study, options.largest)


if __name__ == "__main__":
    command(main)
