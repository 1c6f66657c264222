"""Python programs as forks of a process that has imported their libraries: a start takes seconds.

`run` does what subprocess.run does with `python WORDS`. With its folder `bin` on PATH the jobs of a
workflow are forks as well. The project's own modules are forgotten before the fork: a copy of the
checkout brings its own.
"""

import atexit
import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

LIBRARIES = [
    "depthbias",  # which lets torchvision be imported
    *["snakemake.cli", "snakemake.api", "pydantic", "pulp", "yaml", "PIL.Image", "safetensors"],
    *["numpy", "pandas", "scipy.special", "scipy.stats", "matplotlib.pyplot", "sklearn.datasets"],
    *["torch", "diffusers.models.unets.unet_2d", "statsmodels.stats.proportion"],
]
ROOT = Path(__file__).parent.parent
BIN = Path(sys.argv[1]).with_name("bin") if __name__ == "__main__" else None
HERE = [str(ROOT), str(ROOT / "tests"), ""]  # on the server's path, but not on that of its forks


def serve(path):
    """Answer requests until stdin ends: the caller is gone."""
    os.environ |= {"MPLBACKEND": "agg"}
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "depthbias"]:
        del sys.modules[name]
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for programs
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print("ready", flush=True)
    while True:
        caller, _ = listening.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            answer(caller)
        caller.close()


def answer(caller):
    """Run the program of a request in a fork, tell its exit status, and end."""
    message, files, _, _ = socket.recv_fds(caller, 8, 3)
    rest = int.from_bytes(message, "big")
    request = b""
    while len(request) < rest:
        request += caller.recv(1 << 20)
    pid = os.fork()
    if pid == 0:
        caller.close()
        os.setsid()
        os._exit(become(files, **json.loads(request)))
    ended = os.pidfd_open(pid)
    if ended not in select.select([caller, ended], [], [])[0]:  # the caller is gone
        os.killpg(pid, signal.SIGTERM)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(OSError):  # the caller is gone
        caller.sendall(str(code).encode())
    os._exit(0)


def become(files, words, folder, environment):
    """Run `python WORDS` in this process; returns its exit status."""
    atexit._clear()
    for number, given in enumerate(files):
        os.dup2(given, number)
        os.close(given)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    module = words[0] == "-m"
    first = folder if module else str(Path(words[0]).parent)
    given = [part for part in environment.get("PYTHONPATH", "").split(":") if part]
    sys.path[:] = [first, *given, *(part for part in sys.path if part not in HERE)]
    sys.argv = words[module:]
    if environment["PATH"].startswith(f"{BIN}:"):  # the workflow starts its own interpreter
        sys.executable = f"{BIN}/python"
    try:
        if module:
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(words[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def request(path, words, folder, environment, files, timeout=None):
    """The exit status of `python WORDS` as a fork of the server at this path."""
    text = json.dumps({"words": words, "folder": str(folder), "environment": environment}).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(timeout)
        server.connect(path)
        socket.send_fds(server, [len(text).to_bytes(8, "big")], files)
        server.sendall(text)
        return int(server.recv(16))


class Forks:
    """A server of this process, from its first call on.

    bin: a folder with a program `python` that asks it, for PATH.
    """

    def __init__(self):
        from depthbias.system.threads import one_thread_each  # `python` above finds no package

        self.folder = tempfile.TemporaryDirectory(prefix="forks-")
        self.path, self.bin = f"{self.folder.name}/socket", Path(self.folder.name, "bin")
        self.bin.mkdir()
        (self.bin / "python").write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -IS "{__file__}" "{self.path}" "$@"\n'
        )
        (self.bin / "python").chmod(0o755)
        with one_thread_each():
            self.process = subprocess.Popen(
                [sys.executable, __file__, self.path],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        assert self.process.stdout.readline() == b"ready\n"
        atexit.register(self.close)

    def run(self, words, folder, environment, timeout):
        """As subprocess.run with `python WORDS`, stdout and stderr together."""
        with tempfile.TemporaryFile() as output, Path(os.devnull).open() as nothing:
            files = [nothing.fileno(), output.fileno(), output.fileno()]
            code = request(self.path, words, folder, environment, files, timeout)
            output.seek(0)
            text = output.read().decode()
        return subprocess.CompletedProcess(words, code, text)

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.folder.cleanup()


if __name__ == "__main__":
    if sys.argv[2:]:
        words = sys.argv[2:]
        if words[0] != "-m" and not words[0].endswith(".py"):
            os.execv(sys.executable, [sys.executable, *words])
        sys.exit(request(sys.argv[1], words, str(Path.cwd()), dict(os.environ), [0, 1, 2]))
    serve(sys.argv[1])
