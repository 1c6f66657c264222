"""What stands in for the scripts of the toy study, in milliseconds.

An output is a pure function of the options, the contents of the inputs, and the code that the
script rests on. That code is found in `toy-reach.json`, not by the workflow's digest, which is on
trial.
"""

import hashlib
import json
import os
import signal
import sys
from functools import cache
from pathlib import Path

JOBS = Path("toy-jobs.jsonl")  # what ran, in order
PLACES = ("data/", "results/", "metrics/", "raw/")
NO_MATTER = {"--threads", "--workers"}  # they change how fast, not what


class Damaged(Exception):
    """An input that is not whole; the readers of the real scripts refuse such files as well."""


def sha(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


@cache
def statements(path):
    """The lines of a module of the toy study that do something."""
    lines = [line.split("#")[0].rstrip() for line in Path(path).read_text().splitlines()]
    return [line for line in lines if line and not line.lstrip().startswith('"""')]


@cache
def reach(root):
    return json.loads((root / "toy-reach.json").read_text())


@cache
def code(root, script):
    return sha(script, [(name, statements(root / name)) for name in reach(root)[script]])


def parse(words, is_output):
    """The options {flag: values}, and the inputs and outputs [(flag, path)], of a command."""
    options, inputs, outputs, flag = {}, [], [], ""
    for word in words:
        if word.startswith("--"):
            flag = word
            if flag not in NO_MATTER:
                options.setdefault(flag, [])  # a script of several has some flags twice
        elif word.startswith(PLACES):
            (outputs if is_output(word) else inputs).append((flag, word))
        elif flag not in NO_MATTER:
            options.setdefault(flag, []).append(word)
    return options, inputs, outputs


def products(script, words, root, is_output, read):
    """{output: content} of a job."""
    options, inputs, outputs = parse(words, is_output)
    given = [(flag, read(path)) for flag, path in inputs]
    key = sha(script, sorted(options.items()), given, code(root, script))
    return {path: text(sha(key, flag, i)) for i, (flag, path) in enumerate(outputs)}


def text(digest):
    return f"{digest} {sha(digest)}\n"


def is_whole(content):
    digest = content.partition(" ")[0]
    return content == text(digest)


def read(path):
    content = Path(path).read_text()
    if not path.startswith("raw/") and not is_whole(content):
        raise Damaged(path)
    return content


def fault(count):
    """The fault that this job meets: TOY_FAULT is number of the job, moment, and who is killed."""
    number, moment, who = os.environ.get("TOY_FAULT", "0 never nobody").split()
    return (moment, who) if int(number) == count else ("never", "nobody")


def run(script, words, root):
    """Do a job. 0, or 1 if an input is damaged, or 137 if it was killed and Snakemake lives on."""
    outputs = {word for word in words if word.startswith(PLACES) and not Path(word).exists()}
    inputs = [path for _, path in parse(words, outputs.__contains__)[1]]
    with JOBS.open("a") as file:
        job = {"script": script, "in": inputs, "out": sorted(outputs)}
        file.write(json.dumps(job) + "\n")
    moment, who = fault(len(JOBS.read_text().splitlines()))
    try:
        made = products(script, words, root, outputs.__contains__, read)
    except Damaged as error:
        print(f"error: {error}: damaged: delete it and run again", flush=True)
        return 1
    for index, (path, content) in enumerate(made.items()):
        if moment == "before" or (moment == "between" and index > 0):
            return die(who)
        Path(path).write_text(content[:30] if moment == "half" else content)
        if moment == "half":
            return die(who)
    return die(who) if moment != "never" else 0


def die(who):
    if who == "job":
        return 137
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")


def as_script():
    """Called by the first lines of a script of the toy study, in whose stead it runs."""
    path = Path(sys.argv[0])
    code = run(path.stem, sys.argv[1:], path.resolve().parents[1])
    if code == 137:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(code)
