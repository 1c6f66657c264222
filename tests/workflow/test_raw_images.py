"""Images of a user's that change under their names are noticed by the workflow."""

import copy
import os
import re
import shutil

from conftest import TINY, copy_checkout, snakemake
from data.pictures import encoded, picture

OLD = 1_600_000_000
IMAGES = "data/tiny/images.npz"


def planned(folder):
    done = snakemake(folder, "-n", "--cores", "1", IMAGES)
    assert done.returncode == 0, done.stdout
    return re.findall(r"^prepare +\d+$", done.stdout, re.MULTILINE) != []


def write(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(picture(seed, 8, 8), "BMP"))  # all of one length
    os.utime(path, (OLD, OLD))


def test_images_that_change_under_their_names_are_noticed(tmp_path):
    params = copy.deepcopy(TINY)
    params["studies"]["tiny"]["data"] |= {"dataset": "folder", "raw": "raw"}
    folder = copy_checkout(tmp_path / "checkout", params)
    for row in range(200):
        write(folder / f"raw/{'69'[row % 2]}/{row}.bmp", row)
    done = snakemake(folder, "--cores", "1", IMAGES)
    assert done.returncode == 0, done.stdout
    assert not planned(folder)

    shutil.copytree(folder / "raw", folder / "copy")
    shutil.rmtree(folder / "raw")  # as a colleague has it, who pulled the prepared images
    assert not planned(folder)
    (folder / "copy").rename(folder / "raw")
    os.utime(folder / "raw/6/0.bmp")
    assert not planned(folder)

    write(folder / "raw/6/0.bmp", 201)
    assert planned(folder)

    (folder / "raw/2").symlink_to(folder / "raw")
    done = snakemake(folder, "-n", "--cores", "1", IMAGES)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "raw/2: a link to a folder that holds it" in done.stdout
