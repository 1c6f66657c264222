"""Audit images or models of others: depthbias audit --training DIR --generated DIR --name NAME

Writes a study with subjects into params.yaml, shows it, runs it and says what it found. The answer
stands in results/NAME/index.html. Run it in a clone of depthbias.

  depthbias audit --training train --generated generated --name theirs
  depthbias audit --training train --labels train.csv --classes cat dog \\
      --heldout test --heldout-labels test.csv --model models/ddpm-mine --name mine
  depthbias audit --name mine --fail-if 'memorised_share:pixels > 0.01'
"""

import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, UnidentifiedImageError

from depthbias.config.audit import MODELS
from depthbias.config.reading import Plain, load
from depthbias.data.brought import list_images
from depthbias.diffusion.brought import TAKEN
from depthbias.estimates.tidy import read_rows
from depthbias.report.audit_answer import condition, failures, headline
from depthbias.system.errors import UserError, command, reading
from depthbias.system.files import read_json, write_text

STUDIES = re.compile(r"^studies:[ \t]*(#.*)?$", re.MULTILINE)
ROLES = ("training", "generated", "model", "heldout", "labels", "heldout_labels", "classes")
GREY = ("1", "L", "LA", "I", "F")  # modes of Pillow, and those that begin like I;16


def main() -> None:
    """Write the block, run the workflow, tell the answer; exit status 1 if a --fail-if holds."""
    args = _arguments()
    for text in args.fail_if:
        condition(text)
    if not Path("Snakefile").is_file():
        raise UserError("Snakefile: not here: change to the folder of depthbias and run it again")
    given = [role for role in ROLES if getattr(args, role)]
    if given:
        add_study(args.params, args.name, block_of(args))
    elif not args.params.is_file() or args.name not in load(args.params).audits:
        raise UserError(f"{args.params}: no audit {args.name!r}: give --training and --generated")
    again = ["snakemake", "--cores", args.cores, f"audit_{args.name}"]
    if not args.dry_run:
        done = subprocess.run([sys.executable, "-m", *again], check=False)
        if done.returncode:
            raise UserError(f"audit_{args.name}: snakemake stopped: its last lines say why")
        tell(args.name)
    print(f"To repeat it: {' '.join(again)}", flush=True)
    if found := [line for text in args.fail_if if not args.dry_run for line in failed(args, text)]:
        raise UserError("; ".join(found))


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--name", required=True, help="of the study that is written")
    add("--training", type=Path, help="folder of all training images")
    add("--generated", type=Path, nargs="+", default=[], help="folders, .zip or .npz")
    add("--model", type=Path, nargs="+", default=[], help="folders that diffusers saved")
    add("--heldout", type=Path, help="folder of real images that no model has seen")
    add("--labels", type=Path, help="CSV of the training images: file,label and perhaps used")
    add("--heldout-labels", type=Path, help="CSV of the held-out images: file,label")
    add("--classes", nargs="+", default=[], help="labels, majority first, or NAME=LABEL,LABEL")
    add(
        "--size",
        type=int,
        nargs="+",
        help="side, or height and width; else the model's, or that of the first training image",
    )
    add("--channels", type=int, choices=[1, 3], help="1 grey, 3 RGB; else as for --size")
    add(
        "--fail-if",
        action="append",
        default=[],
        metavar="CONDITION",
        help="exit with 1 if the whole interval is beyond: 'memorised_share:pixels > 0.01'",
    )
    add("--params", type=Path, default=Path("params.yaml"), help="default: params.yaml")
    add("--cores", default="all", help="of snakemake")
    add("--dry-run", action="store_true", help="write the study and run nothing")
    return parser.parse_args()


def block_of(args: Namespace) -> dict[str, Any]:
    """The study that the flags describe, as params.yaml has it."""
    if not args.training:
        raise UserError("--training: give the folder of the training images")
    if not (args.generated or args.model):
        raise UserError("--generated, --model: give what is to be audited")
    size, channels = _shape(args)
    data = {"raw": args.training.as_posix(), "size": size, "channels": channels}
    if args.labels:
        data["labels"] = args.labels.as_posix()
    block: dict[str, Any] = {"data": data}
    if args.heldout:
        block["heldout"] = {"raw": args.heldout.as_posix()}
        if args.heldout_labels:
            block["heldout"]["labels"] = args.heldout_labels.as_posix()
    if args.classes:
        block["classes"] = dict(map(_class, args.classes))
    block["subjects"] = {}
    for key, paths in (("images", args.generated), ("diffusers", args.model)):
        for path in paths:
            block["subjects"][_name(path, block["subjects"])] = {key: path.as_posix()}
    return block


def _class(text: str) -> tuple[str, dict[str, list[str]]]:
    name, _, labels = text.partition("=")
    return name, {"any": (labels or name).split(",")}


def _name(path: Path, taken: Sequence[str]) -> str:
    """A subject's name: what is brought, after its file, small letters, digits and -."""
    plain = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "subject"
    name = plain if plain not in {*TAKEN, MODELS} else f"{plain}-images"
    while name in taken:
        name += "-2"
    return name


def _shape(args: Namespace) -> tuple[Any, int]:
    """Size and channels: as given, those of the first model, or of the first training image."""
    size, channels = args.size, args.channels
    if args.model and not (size and channels):
        config = read_json(args.model[0] / "unet" / "config.json")
        own = config.get("sample_size")
        size = size or ([own] if isinstance(own, int) else own)
        channels = channels or config.get("in_channels", 3)
    if not (size and channels):
        listed = list_images(args.training, None, labelled=False)
        path = listed.folder / listed.files[0]
        wrong = (UnidentifiedImageError, ValueError)
        with reading(path, "not an image", "replace it", wrong), Image.open(path) as image:
            size = size or [image.height, image.width]
            channels = channels or (1 if image.mode.split(";")[0] in GREY else 3)
    return (size[0] if len(set(size)) == 1 else list(size)), channels


def add_study(path: Path, name: str, block: dict[str, Any]) -> None:
    """Write a study into params.yaml, behind `studies:`, and show it.

    What else is there stays as it is. UserError for a name that another study has, and for a study
    that is wrong; then nothing is written.
    """
    content = yaml.safe_dump({name: block}, sort_keys=False, default_flow_style=None, width=100)
    before = path.read_text("utf-8") if path.is_file() else ""
    text = before or f"active: [{name}]\nstudies:\n"
    there = Plain(text).get_single_data() or {}
    if (own := (there.get("studies") or {}).get(name)) is not None:
        if own != block:
            raise UserError(
                f"{path}: studies.{name} is there and says something else: choose another --name, "
                "delete it, or give --name alone to run it"
            )
        print(content, end="")
        return
    if not (place := STUDIES.search(text)):
        raise UserError(f"{path}: has no line `studies:`: add it")
    indent = _indent(text[place.end() :])
    lines = "".join(f"{indent}{line}\n" for line in content.splitlines())
    new = f"{text[: place.end()]}\n{lines}{text[place.end() :].removeprefix(chr(10))}"
    write_text(path, new)
    try:
        load(path)
    except UserError:
        if before:
            write_text(path, before)
        else:
            path.unlink()
        raise
    print(f"{path}: added to studies:\n{lines}", end="", flush=True)


def _indent(rest: str) -> str:
    """How far the studies that are there are indented."""
    found = re.search(r"^([ ]+)[^\s#]", rest, re.MULTILINE)
    return found[1] if found else "  "


def tell(name: str) -> None:
    """Print what an audit found, and what to know before."""
    found = read_json(Path("results", name, "audit.json"))
    for text in found["warnings"]:
        print(f"warning: {text}")
    for text in found["left_out"]:
        print(f"left out: {text}")
    for one in found["subjects"].values():
        print(one["told"])
    print(f"Open results/{name}/index.html in a browser.", flush=True)


def failed(args: Namespace, text: str) -> list[str]:
    """The subjects of which a condition holds, a line each."""
    subjects = list(load(args.params).audits[args.name].subjects)
    rows = headline(read_rows(Path("results", args.name, "summary.csv")))
    return failures(rows, subjects, text)


if __name__ == "__main__":
    command(main)
