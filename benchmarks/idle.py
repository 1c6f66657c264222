"""Print how long Snakemake and DVC take to plan and to find nothing to do.

With `python -m benchmarks.idle`, in a temporary copy of the checkout, Snakemake plans the studies
named (mnist and celeba). Then every file of them is made up, a few bytes each, and recorded by both
tools; then both look again, in turns. With `--studies digits --seeds 300` there are 10,000 jobs.
"""

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--nocolor", "--cores", "1"]
DVC = [sys.executable, "-m", "dvc"]


def call(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout[-2000:]}")
    return done.stdout


def copy_checkout(folder: Path, studies: list[str], seeds: int | None) -> None:
    """With these studies active, each with this number of seeds; None: as it has."""
    for name in call(ROOT, "git", "ls-files").splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    for study in studies if seeds else []:
        params["studies"][study]["seeds"] = list(range(seeds or 0))
    (folder / "params.yaml").write_text(yaml.safe_dump(params | {"active": studies}))
    call(folder, "git", "init", "--quiet")


def make(folder: Path) -> tuple[int, int]:
    """All files of the plan made up and recorded; returns the numbers of jobs and of files."""
    plan = call(folder, *SNAKEMAKE, "--dry-run")
    outputs = re.findall(r"^    output: (.*)", plan, flags=re.MULTILINE)
    files = [name.removesuffix(" (report)") for names in outputs for name in names.split(", ")]
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}" if name.endswith(".json") else name)
    call(folder, *SNAKEMAKE, "--touch", "--forceall")
    call(folder, *DVC, "commit", "--force")
    return len(outputs), len(files)


def seconds(folder: Path, answer: str, *command: str) -> tuple[float, float]:
    """How long a command takes to give this answer: on the clock, and of the processor."""
    start, before = time.perf_counter(), processor()
    said = call(folder, *command)
    taken = time.perf_counter() - start, processor() - before
    if answer not in said:
        raise RuntimeError(f"{' '.join(command)}: not {answer!r}:\n{said[-2000:]}")
    return taken


def processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", nargs="+", default=["mnist", "celeba"])
    parser.add_argument("--seeds", type=int, help="of every study, in the place of its own")
    parser.add_argument("--turns", type=int, default=5, help="measurements of each tool")
    arguments = parser.parse_args()
    plan = (*SNAKEMAKE, "--dry-run", "--quiet")
    tools = {
        "snakemake -n": ("Nothing to be done", *SNAKEMAKE, "--dry-run"),
        "dvc status": ("up to date", *DVC, "status"),
    }
    taken: dict[str, list[tuple[float, float]]] = {tool: [] for tool in tools}
    with tempfile.TemporaryDirectory() as name:
        os.environ.update(DVC_NO_ANALYTICS="1", DVC_SITE_CACHE_DIR=f"{name}/site")
        folder = Path(name, "checkout")
        copy_checkout(folder, arguments.studies, arguments.seeds)
        taken["snakemake -n, of all"] = [seconds(folder, "", *plan)]
        jobs, files = make(folder)
        load = os.getloadavg()[0]
        for _ in range(arguments.turns):
            for tool, (answer, *command) in tools.items():
                taken[tool].append(seconds(folder, answer, *command))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{' '.join(arguments.studies)}: {jobs} jobs, {files} files, {os.cpu_count()} cores, "
        f"load {load:.1f}, peak memory {peak:.0f} MB"
    )
    for tool, times in taken.items():
        clock, used = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{tool}: median {clock:.1f} s, {used:.1f} s of the processor")


if __name__ == "__main__":
    main()
