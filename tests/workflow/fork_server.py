"""Snakemake and DVC, imported once and forked for each call: a start costs seconds.

Reads requests (JSON, one a line) and answers each with an exit status. Where a shell would start
`python scripts/<name>.py`, the job runs in the fork itself (toy_job.py).
"""

import importlib
import json
import os
import shlex
import subprocess
import sys
import traceback
from pathlib import Path

import dvc.cli
import snakemake.cli
import snakemake.shell
import toy_job

from depthbias.config import raw_data

OF_THE_STUDY = {"code_digest", "records", "__main__", "__mp_main__"}  # a toy study brings its own


class Job:
    """Stands for the process of a shell command."""

    stdout = None

    def __init__(self, command, **_):
        words = shlex.split(command[: command.index("&>")])
        at = next(i for i, word in enumerate(words) if word.endswith(".py"))
        script = Path(os.path.expandvars(words[at]))
        self.pid = os.getpid()
        log = Path(shlex.split(command[command.index("&>") + 2 :])[0])
        self.returncode = toy_job.run(script.stem, words[at + 1 :], script.parents[1])
        log.write_text(f"{self.returncode}\n")

    def wait(self):
        return self.returncode

    def communicate(self):
        return None, None


class Processes:
    """The module subprocess, but for jobs."""

    Popen = Job

    def __getattr__(self, name):
        return getattr(subprocess, name)


def call(request):
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    out = os.open(request["output"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = [request["program"], *request["arguments"]]
    sys.modules["snakemake.shell"].sp = Processes()  # the name snakemake.shell is the class
    raw_data.first_problem = lambda params, names: ""  # the raw images of toys are only named
    code = 1
    try:
        if request["program"] == "dvc":
            code = dvc.cli.main(sys.argv[1:])
        else:
            snakemake.cli.main(sys.argv[1:])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if isinstance(end.code, str):
            print(end.code)
    except BaseException:
        traceback.print_exc()
    finally:
        if learned := request["modules"]:
            Path(learned).write_text(json.dumps(sorted(set(sys.modules) - OF_THE_STUDY)))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def learn(path):
    """Import what a call needed, so that later ones find it."""
    for name in json.loads(Path(path).read_text()):
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception:
                continue


def serve():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            call(request)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if request["modules"]:
            learn(request["modules"])
        print(code, file=answers, flush=True)


if __name__ == "__main__":
    serve()
