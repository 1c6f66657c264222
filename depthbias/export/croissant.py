"""Croissant metadata of an exported data set (mlcommons.org/croissant), made by mlcroissant."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from depthbias.export.data_folder import IMAGES, SUBSETS, TABLE
from depthbias.export.needs import needs
from depthbias.export.study import Study
from depthbias.report.methods import sha256
from depthbias.system.errors import UserError
from depthbias.system.files import write_json

PICTURES = "pictures"  # the files in the zip
# The record sets of the tables: {column: (type, what it is)}.
TABLES = {
    TABLE: {
        "image": ("TEXT", "name of the image: its row in the prepared data set"),
        "class": ("TEXT", "class of the image in the study"),
        "part": ("TEXT", "pool: for training; calibration, control: held out"),
        "source": ("TEXT", "file or row of the data set that it was made from"),
    },
    SUBSETS: {
        "ratio": ("TEXT", "proportions of the classes, percent"),
        "seed": ("INTEGER", "seed of the subset"),
        "image": ("TEXT", "name of the training image, as in images/image"),
        "class": ("TEXT", "its class"),
    },
}


def write_croissant(folder: Path, study: Study, url: str = "") -> None:
    """Write croissant.json beside the files of `data_folder`, valid by mlcroissant itself.

    url: where the folder will be found, by default the source of the data set. UserError if
    mlcroissant finds it wrong.
    """
    mlc = needs("mlcroissant")
    pictures = (folder / IMAGES).is_file()
    licence, prepare = study.licence, study.first("prepare")
    size = prepare.flags["size"][0]
    try:
        metadata = mlc.Metadata(
            name=f"{study.name}-images",
            description=_description(study, size, pictures),
            cite_as=licence.citation or None,
            license=[licence.link or licence.name] if licence.name else None,
            url=url or licence.source or None,
            version="1.0.0",
            date_created=prepare.end,
            date_published=datetime.now(UTC),
            distribution=_distribution(mlc, folder, pictures),
            record_sets=[_records(mlc, table, pictures) for table in TABLES],
            data_preprocessing_protocol=[
                f"Brought to {size}x{size} pixels by depthbias; docs/data.md says how.",
                "Of images with equal bytes the first one is kept.",
            ],
            data_biases=[
                "The training subsets have unequal classes on purpose, to measure what models make "
                "of them."
            ],
        )
    except mlc.ValidationError as error:
        raise UserError(f"{folder}: no valid Croissant metadata: {_one_line(error)}") from error
    write_json(folder / "croissant.json", metadata.to_json())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _description(study: Study, size: str, pictures: bool) -> str:
    held = "" if pictures else " The images themselves are not here: their licence forbids it."
    return (
        f"Images of the data set {study.data_set} at {size}x{size} pixels, as the study "
        f"{study.name} of depthbias uses them, of the classes {', '.join(study.split.classes)}. "
        "Tables say which image is for training, which is held out, and which are in each training "
        f"subset.{held}"
    )


def _distribution(mlc: Any, folder: Path, pictures: bool) -> list[Any]:
    kinds = {TABLE: "text/csv", SUBSETS: "text/csv"}
    if pictures:
        kinds[IMAGES] = "application/zip"
    files = [
        mlc.FileObject(
            id=name,
            name=name,
            content_url=name,
            content_size=f"{(folder / name).stat().st_size} B",
            encoding_formats=[kind],
            sha256=sha256(folder / name),
        )
        for name, kind in kinds.items()
    ]
    if pictures:
        of_zip = {"contained_in": [IMAGES], "includes": ["*.png"]}
        png = {"encoding_formats": ["image/png"], **of_zip}
        files.append(mlc.FileSet(id=PICTURES, name=PICTURES, **png))
    return files


def _records(mlc: Any, table: str, pictures: bool) -> Any:
    """The record set of a table; that of the images has the pictures, joined by their names."""
    name = table.removesuffix(".csv")
    fields = [
        _field(mlc, name, column, kind, what, _column(mlc, table, column))
        for column, (kind, what) in TABLES[table].items()
    ]
    if table == TABLE and pictures:
        row = mlc.Source(
            file_set=PICTURES,
            extract=mlc.Extract(file_property=mlc.FileProperty.filename),
        )
        fields[0] = _field(mlc, name, "image", *TABLES[table]["image"], row)
        fields[0].references = _column(mlc, table, "image")
        content = mlc.Extract(file_property=mlc.FileProperty.content)
        source = mlc.Source(file_set=PICTURES, extract=content)
        fields.append(_field(mlc, name, "picture", "IMAGE_OBJECT", "the image", source))
    key = ["images/image"] if table == TABLE else None
    return mlc.RecordSet(id=name, name=name, key=key, fields=fields)


def _column(mlc: Any, table: str, column: str) -> Any:
    return mlc.Source(file_object=table, extract=mlc.Extract(column=column))


def _field(mlc: Any, records: str, column: str, kind: str, what: str, source: Any) -> Any:
    known: Mapping[str, Any] = vars(mlc.DataType)
    key = f"{records}/{column}"
    return mlc.Field(id=key, name=key, description=what, data_types=[known[kind]], source=source)
