"""Where the files of CelebA lie: as its authors pack them, and as mirrors do."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from depthbias.data.photos import Photo
from depthbias.data.raw_files import files_below
from depthbias.data.tables import FILE_COLUMNS, Readable, read_text
from depthbias.system.errors import UserError, reading, several

IMAGES = ("img_align_celeba.zip", "img_align_celeba", "img_align_celeba_png")
DAMAGE = (OSError, EOFError, RuntimeError, ValueError, zlib.error, zipfile.BadZipFile)
LARGEST = 64 * 2**20  # bytes of one unpacked image file; more is no photo but a zip bomb
LEVELS = ("", "*/", "*/*/")  # Anno/, CelebA/Img/ and the like


def find_table(name: str, folders: Sequence[Path]) -> Path | zipfile.Path | None:
    """A table of CelebA, as .txt or .csv, in one of the folders, up to two below, or in a zip."""
    csv = str(PurePosixPath(name).with_suffix(".csv"))
    names = list(dict.fromkeys([name, csv, name.lower(), csv.lower()]))
    found = _find(names, folders)
    for archive in [] if found else _archives(folders):
        for member, paths in _places(archive).items():
            if member in names and len(paths) == 1:
                return zipfile.Path(archive, paths[0])
    return found


def read_words(path: Readable) -> list[list[str]]:
    """The words of each line of such a table, between spaces (.txt) or commas (.csv)."""
    return split_words(read_text(path))


def split_words(text: str) -> list[list[str]]:
    """The words of each line of the text of such a table."""
    separated = str.maketrans(',;"', "   ")
    return [line.translate(separated).split() for line in text.rstrip().split("\n")]


def names_columns(words: Sequence[str]) -> bool:
    """Whether these are the words of a line that names columns, as in the .csv files."""
    return bool(words) and words[0].casefold() in FILE_COLUMNS


def find_images(folders: Sequence[Path], source: Sequence[str]) -> Path | None:
    """The zip or folder of the aligned images, else one that holds the first of `source`."""
    found = _find(IMAGES, folders)
    if found or not source:
        return found
    others = [*_archives(folders), *[folder for folder in folders[:1] if folder.is_dir()]]
    return next((place for place in others if _of(source[0], _places(place))), None)


def photos_of(place: Path, source: Sequence[str], table: object) -> Iterator[Photo]:
    """The images `source` in a zip or folder, whatever folders they are in; .png may be for .jpg.

    UserError that names those that are not there. Nothing is ever unpacked to disk.
    """
    places = _places(place)
    found = {file: _of(file, places) for file in source}
    problems = [f"{file} is missing" for file, paths in found.items() if not paths]
    if problems:
        raise UserError(
            f"{several(place, problems)}, though {table} lists it: download the images again"
        )
    problems = [" and ".join(paths[:2]) for paths in found.values() if len(paths) > 1]
    if problems:
        raise UserError(f"{several(place, problems)} are of one name: keep one of them")
    if place.is_dir():
        return ((str(place / path), place / path) for [path] in found.values())
    archive = zipfile.ZipFile(place)
    return ((f"{place}: {path}", _read(archive, path, place)) for [path] in found.values())


def _find(names: Sequence[str], folders: Sequence[Path]) -> Path | None:
    for folder in folders:
        for level in LEVELS:
            for name in names:
                found = [p for p in sorted(folder.glob(level + name)) if "__MACOSX" not in p.parts]
                if len(found) > 1:
                    raise UserError(f"{found[0]}: there is {found[1]} as well: keep one of them")
                if found:
                    return found[0]
    return None


def _archives(folders: Sequence[Path]) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.glob("*.zip"))]


def _places(place: Path) -> dict[str, list[str]]:
    """{file name: where it is} of all files in a zip or folder; hidden ones are left out."""
    if place.is_dir():
        files = list(files_below(place))
    else:
        with (
            reading(place, "not a complete zip file", "download it again", (zipfile.BadZipFile,)),
            zipfile.ZipFile(place) as archive,
        ):
            files = [member.filename for member in archive.infolist() if not member.is_dir()]
    found: dict[str, list[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        if ".." not in path.parts and not path.name.startswith("."):
            found.setdefault(path.name, []).append(file)
    return found


def _of(file: str, places: dict[str, list[str]]) -> list[str]:
    """Where an image is; of several places those of aligned images, as others have their names."""
    found = places.get(file) or places.get(str(PurePosixPath(file).with_suffix(".png"))) or []
    aligned = [path for path in found if "align" in path]
    return aligned if len(found) > 1 and aligned else found


def _read(archive: zipfile.ZipFile, name: str, path: Path) -> bytes | UserError:
    size = archive.getinfo(name).file_size
    if size > LARGEST:
        return UserError(f"{path}: {name} is {size} bytes large: refused")
    try:
        with reading(path, f"{name} is damaged", "download the images again", DAMAGE):
            return archive.read(name)
    except UserError as error:
        return error
