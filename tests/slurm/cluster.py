"""A real SLURM of one node on this machine, with three stand-in GPUs, for tests.

    python tests/slurm/cluster.py start FOLDER     # exit status 1 with the reason where it cannot
    python tests/slurm/cluster.py stop FOLDER

Needs root and the Debian packages slurmctld, slurmd, slurm-client and munge; no systemd, cgroups,
accounting or name service. Everything is in FOLDER (state, logs, keys, sockets, devices) except two
files in /etc/slurm: a job step's srun looks nowhere else. They are written only where SLURM is not
configured, and stop() removes them.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo")
CONFIGURED = [Path("/etc/slurm/slurm.conf"), Path("/etc/slurm/gres.conf")]
MARK = "# depthbias: test cluster in "
DAEMONS = ("slurmd", "slurmctld", "munged")  # in the order in which they are stopped
GPUS = 3
CPUS = 3  # as many as GPUs, however few cores there are
TIMEOUT = 60

SLURM_CONF = """\
{mark}{folder}
ClusterName=depthbias
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={d_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1
KillWait=10
MinJobAge=600
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=100000 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} MaxTime=7-0 State=UP Default=YES
PartitionName=gpu Nodes={host} MaxTime=7-0 State=UP
"""
GRES_CONF = "{mark}{folder}\nNodeName={host} Name=gpu File={folder}/gpu[0-{last}]\n"


def obstacle() -> str:
    """Why no cluster can be started here, or nothing."""
    if os.getuid() != 0:
        return "a SLURM of one's own needs root"
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    if absent:
        return f"not installed: {', '.join(absent)} (apt-get install slurmctld slurmd munge)"
    if "SLURM_CONF" in os.environ:
        return "SLURM_CONF is set: SLURM is in use here"
    for path in CONFIGURED:
        if path.exists() and not path.read_text().startswith(MARK):
            return f"{path} exists: SLURM is in use here"
    return ""


def running() -> str:
    """A SLURM daemon that runs on this machine, or nothing."""
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            name = path.read_text().strip()
        except OSError:  # it has ended
            continue
        if name in ("slurmctld", "slurmd"):
            return f"{name} runs (process {path.parent.name}): SLURM is in use here"
    return ""


def start(folder: Path) -> str:
    """Start the cluster; returns why it could not be started, or nothing."""
    reason = obstacle()
    if reason:
        return reason
    clear_leftovers()
    reason = running()
    if reason:
        return reason
    try:
        configure(folder)
        named = {
            "key": "munged.key",
            "pid": "munged.pid",
            "log": "munged.log",
            "seed": "munged.seed",
        }
        munge = [f"--{name}-file={folder}/{file}" for name, file in named.items()]
        munge += ["--force", f"--socket={folder}/munge.socket"]
        conf = ["-f", str(CONFIGURED[0])]
        for command in (["munged", *munge], ["slurmctld", *conf], ["slurmd", *conf]):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT)
        wait_until_idle()
    except (OSError, subprocess.SubprocessError, TimeoutError) as error:
        output = getattr(error, "stderr", "") or ""
        stop(folder)
        return f"SLURM does not start: {error} {output}".strip()
    return ""


def configure(folder: Path) -> None:
    """The folders, the key, the stand-in devices and the two files in /etc/slurm."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    (folder / "munged.key").write_bytes(os.urandom(128))
    (folder / "munged.key").chmod(0o400)
    for number in range(GPUS):  # SLURM sets CUDA_VISIBLE_DEVICES only for character devices
        os.mknod(folder / f"gpu{number}", 0o20666, os.makedev(1, 3))
    ports = free_ports(2)
    values = {
        "mark": MARK,
        "folder": folder,
        "host": socket.gethostname().split(".")[0],
        "ctld_port": ports[0],
        "d_port": ports[1],
        "cpus": CPUS,
        "gpus": GPUS,
        "last": GPUS - 1,
    }
    for path, text in zip(CONFIGURED, (SLURM_CONF, GRES_CONF), strict=True):
        path.parent.mkdir(exist_ok=True)
        with path.open("x") as file:
            file.write(text.format(**values))


def free_ports(number: int) -> list[int]:
    """Ports nobody listens on now."""
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_until_idle() -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        state = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, timeout=TIMEOUT
        ).stdout.split()
        if state and set(state) == {"idle"}:
            return
        time.sleep(0.2)
    raise TimeoutError(f"the node is {' '.join(state) or 'unknown'} after {TIMEOUT} s")


def clear_leftovers() -> None:
    """Stop a cluster that an earlier test, killed half-way, left behind."""
    for path in CONFIGURED:
        if path.exists():
            stop(Path(path.read_text().splitlines()[0].removeprefix(MARK)))


def stop(folder: Path) -> None:
    """Cancel all jobs, stop the daemons and remove what was written outside the folder."""
    mine = [p for p in CONFIGURED if p.exists() and p.read_text().startswith(f"{MARK}{folder}\n")]
    if mine and (folder / "slurmctld.pid").exists():
        subprocess.run(["scancel", "--user=root"], capture_output=True, timeout=TIMEOUT)
        deadline = time.monotonic() + TIMEOUT
        while (
            time.monotonic() < deadline
            and subprocess.run(
                ["squeue", "--noheader"], capture_output=True, text=True, timeout=TIMEOUT
            ).stdout.strip()
        ):
            time.sleep(0.2)
    for name in DAEMONS:
        end_daemon(folder / f"{name}.pid", name)
    for path in mine:
        path.unlink(missing_ok=True)
    for number in range(GPUS):
        (folder / f"gpu{number}").unlink(missing_ok=True)


def end_daemon(pid_file: Path, name: str) -> None:
    """End the process of a pid file, if it is still that daemon."""
    try:
        number = int(pid_file.read_text())
        if Path(f"/proc/{number}/comm").read_text().strip() != name:
            return
        os.kill(number, signal.SIGTERM)
        deadline = time.monotonic() + TIMEOUT
        while Path(f"/proc/{number}").exists():
            if time.monotonic() > deadline:
                os.kill(number, signal.SIGKILL)
            time.sleep(0.1)
    except (OSError, ValueError):  # no such file or process: it has ended
        pass


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("start", "stop"):
        sys.exit(__doc__)
    place = Path(sys.argv[2]).resolve()
    sys.exit(start(place) or None if sys.argv[1] == "start" else stop(place))
