"""Input from strangers: refused in one line, and none of it is ever run.

What single modules refuse is tested with them: photos, label tables and archives in
test_datasets.py, checkpoints in test_checkpoints.py, weights in test_embeddings.py.
"""

import ast
import copy
import gzip
import hashlib
import io
import pickle
import re
import zipfile
import zlib

import numpy as np
import pytest
from conftest import ROOT, TINY, copy_checkout, snakemake
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from depthbias.config import reading
from depthbias.data import celeba, mnist
from depthbias.system import files
from depthbias.system.errors import UserError
from depthbias.system.files import map_npz, read_npz, write_npz
from depthbias.system.tensors import read_tensors


class Harm:
    """Fails the test when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def refused(function, *arguments, match):
    with pytest.raises(UserError, match=match) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)


# Archives of images


def celeba_zip(folder, name, content, mode=0o100644):
    (folder / celeba.ATTRIBUTES).write_text("1\nMale\n000001.jpg 1\n")
    member = zipfile.ZipInfo(name)
    member.external_attr = mode << 16
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        archive.writestr(member, content)


def prepare_celeba(folder):
    return list(celeba.load_celeba([folder], 8, 3, 1, False).blocks)


def photo(side=8):
    file = io.BytesIO()
    Image.new("RGB", (side, side)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("name", ["../000001.jpg", "a/../../000001.jpg"])
def test_a_zip_member_that_climbs_out_is_not_read(tmp_path, name):
    celeba_zip(tmp_path, name, photo())
    refused(prepare_celeba, tmp_path, match=r"000001\.jpg is missing")


def test_a_symlink_in_a_zip_is_not_followed(tmp_path):
    (tmp_path / "secret.png").write_bytes(photo())
    celeba_zip(tmp_path, "000001.jpg", str(tmp_path / "secret.png"), mode=0o120777)
    refused(prepare_celeba, tmp_path, match=r"000001\.jpg: unreadable image")


def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path):
    """Its header claims 10^9 pixels, 3 GB: refused before a byte of them is unpacked."""
    celeba_zip(tmp_path, "000001.jpg", bomb_png(32_000))
    refused(prepare_celeba, tmp_path, match="claims too many pixels")


def bomb_png(side):
    head = bytearray(photo())
    head[16:24] = side.to_bytes(4, "big") * 2
    head[29:33] = zlib.crc32(head[12:29]).to_bytes(4, "big")
    return bytes(head)


def test_a_gzip_bomb_is_refused_by_its_hash_before_it_is_unpacked(tmp_path, monkeypatch):
    for name in mnist.HASHES:
        (tmp_path / name).write_bytes(gzip.compress(bytes(10**6)))
    monkeypatch.setattr(gzip, "open", lambda *_: pytest.fail("it was unpacked"))
    refused(mnist.load_mnist, [tmp_path], 28, 1, match="MD5 is")


# Results of others: .npz and .safetensors


def forged_npz(path, header, content=b"", kind=zipfile.ZIP_DEFLATED):
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"fortran_order": False} | header)
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("images.npy", member.getvalue() + content)


@pytest.mark.parametrize("read", [read_npz, map_npz])
def test_an_npz_of_python_objects_is_refused(tmp_path, read):
    path = tmp_path / "x.npz"
    np.savez(path, images=np.array([Harm()], dtype=object))
    refused(read, path, "images", match=r"x\.npz: .*Python objects")


@pytest.mark.parametrize("read", [read_npz, map_npz])
def test_an_npz_that_claims_more_than_it_holds_is_refused(tmp_path, read):
    path = tmp_path / "x.npz"
    forged_npz(path, {"descr": "|u1", "shape": (10**15,)}, bytes(100), zipfile.ZIP_STORED)
    refused(read, path, "images", match="not as long as its header says")


def test_an_npz_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    write_npz(path, {"images": np.zeros(10**6, np.uint8)})
    assert len(read_npz(path, "images")[0]) == 10**6  # small ones may be as empty as they like
    monkeypatch.setattr(files, "BOMB_BYTES", 10**5)
    refused(read_npz, path, "images", match="images unpacks from")


CONTENTS = {}
for packed in (True, False):
    stream = io.BytesIO()
    save = np.savez_compressed if packed else np.savez
    save(stream, images=np.arange(60, dtype=np.uint8), run="a run")
    CONTENTS[packed] = stream.getvalue()


@settings(max_examples=300, deadline=None)
@given(
    packed=st.booleans(),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
    keep=st.floats(0.2, 1) | st.just(1.0),
)
def test_damaged_archives_give_arrays_or_a_user_error(tmp_path_factory, packed, changes, keep):
    content = bytearray(CONTENTS[packed])
    for place, value in changes:
        content[int(place * len(content))] = value
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content[: int(keep * len(content))])
    for read in (read_npz, map_npz):
        try:
            read(path, "images")
        except UserError as error:
            assert "\n" not in str(error)


def test_tensors_that_are_a_pickle_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Harm()))
    refused(read_tensors, path, match="a pickled checkpoint")


# Names and params.yaml

NAMES = ["../x", "a/b", "a b", "a;b", "$(touch harmed)", "`b`", "a\n", "-rf", "{w}", "*", "", "."]


@pytest.mark.parametrize("name", NAMES)
def test_studies_and_classes_have_plain_names(name):
    content = copy.deepcopy(TINY)
    content["studies"][name] = content["studies"]["tiny"]
    refused(reading.parse, content, match=r"^params\.yaml: studies\.")
    content = copy.deepcopy(TINY)
    classes = content["studies"]["tiny"]["classes"]
    classes[name] = classes.pop("nine")
    refused(reading.parse, content, match=r"^params\.yaml: studies\.tiny\.classes\.")


HARMFUL = {
    "tag": "x: !!python/object/apply:os.system ['touch harmed']\n",
    "template": "__use_yte__: true\nx: ?__import__('os').system('touch harmed')\n",
}


@pytest.mark.parametrize("kind", HARMFUL)
def test_code_in_params_yaml_is_not_run(tmp_path, kind):
    """YAML tags, and templates, which Snakemake's own reader of configuration files runs."""
    folder = copy_checkout(tmp_path / "study")
    params = folder / "params.yaml"
    params.write_text(HARMFUL[kind] + params.read_text())
    done = snakemake(folder, "-n", "--cores", "1")
    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: params.yaml: ")
    assert "Traceback" not in done.stdout
    assert not (folder / "harmed").exists()


def test_parameters_on_the_command_line_are_refused(tmp_path):
    done = snakemake(
        copy_checkout(tmp_path / "study"), "-n", "--cores", "1", "--config", "active=x"
    )
    assert done.returncode == 1
    assert "error: --config, --configfile: parameters are read from params.yaml only" in done.stdout


def test_folders_files_and_labels_may_hold_shell_characters(tmp_path):
    """They are words to the shell, never commands or patterns."""
    params = copy.deepcopy(TINY)
    study = params["studies"]["tiny"]
    wild = "$(touch harmed); `touch harmed` 'a' \"b\" * &&"
    study["data"].update(dataset="folder", raw=f"raw {wild}", labels=f"{wild}.csv", heldout=4)
    study["classes"] = {"six": {"any": [f"6 {wild}"]}, "nine": {"any": ["9"]}}
    study.update(ratios=["50-50"], subset_size=6)
    study["quality"] = {"k": [1], "manifold_k": 1}
    folder = copy_checkout(tmp_path / "study", params)
    (folder / f"raw {wild}").mkdir()
    rows = ["file,label"]
    for row in range(24):
        image = Image.fromarray(np.random.default_rng(row).integers(0, 255, (8, 8), np.uint8))
        image.save(folder / f"raw {wild}" / f"{row} $(touch harmed).png")
        label = f"6 {wild}".replace('"', '""') if row % 2 else "9"
        rows.append(f'{row} $(touch harmed).png,"{label}"')
    (folder / f"{wild}.csv").write_text("\n".join(rows) + "\n")
    done = snakemake(folder, "--cores", "1", "data_tiny")
    assert done.returncode == 0, done.stdout[-3000:]
    assert not list(folder.rglob("harmed"))


# The code


def shell_words():
    """(rules file, {...} of a shell command)."""
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for command in re.findall(r" +shell:\n((?: {8}.+\n)+)", path.read_text()):
            for word in re.findall(r"\{([^}]+)\}", command):
                yield path.name, word


# What flags() and files() have quoted, and names from a fixed list.
QUOTED = {"params.options", "params.files", "params.data"}
FIXED = {"threads", "params.script"}


def test_every_file_name_in_a_shell_command_is_quoted():
    words = list(shell_words())
    assert len(words) > 10
    for file, word in words:
        assert word.endswith(":q") or word in QUOTED | FIXED, f"{file}: {word}"


def test_every_wildcard_is_constrained():
    text = (ROOT / "workflow/rules/common.smk").read_text()
    block = re.search(r"^wildcard_constraints:\n((?: {4}.+\n)+)", text, flags=re.MULTILINE)[1]
    named = set(re.findall(r"^    (\w+)=", block, flags=re.MULTILINE))
    assert named >= {"study", "ratio", "architecture", "seed", "sampler"}
    for pattern in re.findall(r'=r"(.+)",', block):
        for text in ("a b", "a;b", "$(x)", "../a", "*", "a\nb"):
            assert not re.fullmatch(pattern, text)


def calls():
    """(file, name of the function as written, its keywords) of every call in the project's code."""
    for folder in ("depthbias", "scripts", "workflow", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
                    yield path.name, ast.unparse(node.func), keywords


def test_no_call_runs_a_shell_or_reads_a_pickle():
    found = list(calls())
    assert len(found) > 1000
    forbidden = {"eval", "exec", "os.system", "os.popen", "yaml.load", "subprocess.getoutput"}
    forbidden |= {"pickle.load", "pickle.loads", "np.fromfile", "joblib.load", "shelve.open"}
    for file, name, keywords in found:
        assert name not in forbidden, f"{file}: {name}"
        assert keywords.get("shell", "False") == "False", f"{file}: {name}"
        if name == "torch.load":
            assert keywords.get("weights_only") == "True", file
        if name == "np.load":
            assert keywords.get("allow_pickle") == "False", file
        assert keywords.get("allow_pickle", "False") == "False", f"{file}: {name}"
        assert not name.endswith((".extractall", ".extract", "unpack_archive")), f"{file}: {name}"


def test_pickled_weights_are_read_after_their_hash(tmp_path, monkeypatch):
    """Even torch's weights_only reader does not see a file whose hash is not the published one."""
    import torch

    from depthbias.vision import pretrained

    monkeypatch.setenv("DEPTHBIAS_WEIGHTS", str(tmp_path))
    (tmp_path / "net.pth").write_bytes(pickle.dumps(Harm()))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    known = hashlib.sha256(b"the published one").hexdigest()
    weights = pretrained.Weights("net.pth", known, "http://127.0.0.1:9/net.pth")
    refused(pretrained.load_state, weights, match="SHA-256 is")
