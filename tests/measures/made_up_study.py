"""The files of a made-up study of tiny random images, for tests of what compares them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from depthbias.estimates.runs import Run, as_json
from depthbias.measures.embedding_files import write_embedded
from depthbias.measures.samples import noise_of
from depthbias.system.files import write_json, write_npz

CLASSES = ("six", "nine")
ABOUT = {
    "pixels": {"metric": "euclidean"},
    "classifier": {"metric": "cosine"},
    "diversity": {"embedding": "lpips-alex", "metric": "squared"},
}
ROWS = np.arange(3, 33)  # of the data set of 40 images, embedded
HELDOUT = np.arange(30) % 2 == 0
REAL_LABELS = np.repeat([0, 1], [20, 10])  # held out: 10 and 5
SUBSETS = {  # training images: 9 and 3, 4 and 4
    "75-25": np.concatenate([ROWS[:20][~HELDOUT[:20]][:9], ROWS[20:][~HELDOUT[20:]][:3]]),
    "50-50": np.concatenate([ROWS[:20][~HELDOUT[:20]][:4], ROWS[20:][~HELDOUT[20:]][:4]]),
}
SAMPLES = 10
SAMPLE_LABELS = np.array([0, 0, 1, 0, 1, 0, 0, 0, 1, 1])


class Study(NamedTuple):
    """Files, images uint8 [M, 2, 2, 1] and vectors [N, 3] of the real images."""

    images_path: Path
    real: Path
    subsets: list[Path]
    samples: list[Path]
    embedded: list[Path]
    images: np.ndarray
    vectors: np.ndarray


def write_run(folder: Path, run: Run, seed: int, noise_seed: int = 7) -> tuple[Path, Path]:
    """Random samples of a run and their embedding."""
    random, name = np.random.default_rng(seed), "-".join(run.key)
    noise = {"run": as_json(run), "noise": noise_of([noise_seed], SAMPLES)}
    samples, embedded = folder / f"samples-{name}.npz", folder / f"embedded-{name}.npz"
    images = random.integers(0, 256, (SAMPLES, 2, 2, 1), dtype=np.uint8)
    write_npz(samples, noise | {"images": images})
    vectors = {"classifier": random.normal(size=(SAMPLES, 3)).astype(np.float32)}
    others = noise | {"labels": SAMPLE_LABELS, "classes": np.array(CLASSES)}
    write_embedded(embedded, vectors, ABOUT, others | {"sums": random.random((SAMPLES, 2))})
    return samples, embedded


def write_subset(path: Path, ratio: str, seed: int, rows: np.ndarray) -> Path:
    labels = REAL_LABELS[rows - ROWS[0]]
    content = {"ratio": ratio, "seed": seed, "classes": CLASSES}
    write_json(path, content | {"indices": rows.tolist(), "labels": labels.tolist()})
    return path


def write_study(folder: Path) -> Study:
    """Two ratios and two architectures of one seed, all from the same noise."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 2, 2, 1), dtype=np.uint8)
    vectors = random.normal(size=(30, 3)).astype(np.float32)
    write_npz(folder / "images.npz", {"images": images}, compress=False)
    others = {"rows": ROWS, "heldout": HELDOUT, "labels": REAL_LABELS}
    others |= {"classes": np.array(CLASSES), "sums": random.random((HELDOUT.sum(), 2))}
    write_embedded(folder / "real.npz", {"classifier": vectors}, ABOUT, others)
    subsets = [write_subset(folder / f"{r}.json", r, 0, rows) for r, rows in SUBSETS.items()]
    runs = [Run("s", r, a, "0", "ddim-4") for r in SUBSETS for a in ("depth2", "depth3")]
    files = [write_run(folder, run, seed) for seed, run in enumerate(runs)]
    samples, embedded = zip(*files, strict=True)
    return Study(
        folder / "images.npz",
        folder / "real.npz",
        subsets,
        list(samples),
        list(embedded),
        images,
        vectors,
    )
