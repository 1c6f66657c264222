"""A toy study: the workflow's own rules, digests and records over scripts that take milliseconds.

The scripts keep their text, and start with lines that call toy_job.py in their stead. The library
keeps its imports, wherever they stand; else each module has a few statements that can be changed.
"""

import ast
import copy
import json
import os
import shutil
import subprocess
import sys
from modulefinder import ModuleFinder
from pathlib import Path

from conftest import ROOT, TINY, copy_checkout

HERE = Path(__file__).parent
HEADER = f"""if __name__ == "__main__":
    import sys

    sys.path.insert(0, {str(HERE)!r})
    import toy_job

    toy_job.as_script()

"""
BODY = '''
TOY = 0


def toy(value=1):
    """Stands for what the module does."""
{imports}    return value + 2  # why
'''
MADE = ("data", "results", "metrics")
TARGETS = ["all", "sweeps_tiny"]
# One job at a time, in one order; a faster scheduler than Snakemake's own, of the same jobs.
OPTIONS = [
    "--nocolor",
    "--cores",
    "1",
    "--scheduler",
    "greedy",
    "--max-jobs-per-timespan",
    "100000/1s",
]


def toy_params():
    """The tiny study with one ratio and one seed, a label table, and a sweep over training time."""
    params = copy.deepcopy(TINY)
    study = params["studies"]["tiny"]
    study["data"] |= {"dataset": "folder", "raw": "raw", "labels": "raw/labels.csv"}
    study.update(ratios=["90-10"], seeds=[0])
    study["training"]["snapshots"] = [320]
    params["sweeps"] = {"time": {"study": "tiny", "vary": "snapshots", "values": [320, 640]}}
    return params


def reached(root, path):
    """The files of library and scripts behind a Python file, as ModuleFinder finds them."""
    finder = ModuleFinder([str(root), str(root / "scripts")])
    finder.run_script(str(path))
    files = [module.__file__ for module in finder.modules.values() if module.__file__]
    return sorted({Path(file).relative_to(root).as_posix() for file in files})


def skeleton(source):
    """A module's imports from the library, inside functions or not, and statements to change."""
    inside, outside = [], []
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            line = ast.unparse(node)
            if "depthbias" in line:
                (outside if node in tree.body else inside).append(line)
    imports = "".join(f"    {line}\n" for line in inside)
    return '"""A module."""\n\n' + "\n".join(outside) + "\n" + BODY.format(imports=imports)


def make_code(folder):
    """The project with toy scripts and library, in a new folder."""
    copy_checkout(folder, toy_params())
    scripts = sorted((folder / "scripts").glob("*.py"))
    planning = [
        "config/reading",
        "config/raw_data",
        "data/registry",
        "data/raw_files",
        "system/snakemake_records",
    ]
    paths = [folder / f"depthbias/{name}.py" for name in planning]  # what workflow/ imports
    kept = {folder / name for path in paths for name in reached(folder, path)}
    for path in (folder / "depthbias").rglob("*.py"):
        source = path.read_text()
        path.write_text(source + BODY.format(imports="") if path in kept else skeleton(source))
    for path in scripts:
        path.write_text(HEADER + path.read_text() + BODY.format(imports=""))
    reach = {path.stem: reached(folder, path) for path in scripts}
    (folder / "toy-reach.json").write_text(json.dumps(reach))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".dvc").mkdir()
    shutil.copy2(ROOT / ".dvc/.gitignore", folder / ".dvc/.gitignore")
    store = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {folder.parent}/store\n"
    (folder / ".dvc/config").write_text(store)
    ignored = (ROOT / ".gitignore").read_text()
    (folder / ".gitignore").write_text(f"{ignored}toy-jobs.jsonl\n")
    (folder / "raw").mkdir()
    (folder / "raw/labels.csv").write_text("file,label\n1.png,6\n")


def git(folder, *arguments):
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "gc.auto=0"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit(folder, message):
    """Commit all that git does not ignore."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)


class Server:
    """Snakemake in forks of one process (fork_server.py)."""

    def __init__(self, folder):
        self.output, self.modules = folder / "output.txt", folder / "modules.json"
        apart = {"DVC_SITE_CACHE_DIR": str(folder / "site"), "DVC_NO_ANALYTICS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "fork_server.py")],
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"} | apart,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.known = set()

    def __call__(self, folder, *arguments, program="snakemake", **environment):
        """Snakemake or DVC in a folder: its exit status and what it says."""
        learned = "" if (program, arguments[0]) in self.known else str(self.modules)
        self.known.add((program, arguments[0]))  # the first time, the server learns what it imports
        request = {"program": program, "folder": str(folder), "arguments": arguments}
        request |= {"environment": environment, "output": str(self.output), "modules": learned}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline()), self.output.read_text()

    def dvc(self, folder, *arguments):
        code, output = self(folder, *arguments, program="dvc")
        assert code == 0, output

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)
