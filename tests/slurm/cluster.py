"""A SLURM cluster on this machine's loopback: one controller, two nodes, accounting, own ports.

Debian's programs with their own configuration below one folder, in the foreground as children of
the process that starts them, so that each is ended by its own process id and nothing else is.
`python -m tests.slurm.cluster FOLDER COMMAND...` runs a command on it. No part of Fieldline: what a
site has, small.
"""

from __future__ import annotations

import datetime as dt
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmdbd", "mariadbd", "mariadb-install-db", "sbatch")
NODES = ("node1", "node2")
ACCOUNT, PARTITION = "fieldline", "standard"
_NODE_OF = "SLURMD_NODENAME"
_START_SECONDS = 60.0

_SLURM_CONF = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser=root
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MailProg=/bin/true
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounting}
AccountingStoragePass={folder}/munge.socket
AccountingStorageEnforce=associations
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
SlurmdTimeout=10
MessageTimeout=10
ReturnToService=2
SlurmdParameters=config_overrides
{nodes}
PartitionName={partition} Nodes={all} Default=YES MaxTime=INFINITE State=UP
"""
_NODE_CONF = (
    "NodeName={name} NodeAddr=127.0.0.1 NodeHostname={host} Port={port} CPUs=4 "
    "RealMemory=24000 Gres=gpu:1"
)
_ACCOUNTING_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={accounting}
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass=slurm
"""
_DATABASE_START = """
CREATE USER IF NOT EXISTS 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurm';
CREATE USER IF NOT EXISTS 'slurm'@'localhost' IDENTIFIED BY 'slurm';
GRANT ALL ON *.* TO 'slurm'@'127.0.0.1';
GRANT ALL ON *.* TO 'slurm'@'localhost';
"""
_SRUN = '#!/bin/sh\nSLURM_CONF="{folder}/slurm.conf" exec {srun} "$@"\n'


class ClusterError(RuntimeError):
    """A daemon did not come up or a command failed; the text is what it said."""


def missing_programs() -> list[str]:
    """Return what of SLURM is not installed here."""
    return [name for name in PROGRAMS if _program(name) is None]


@dataclass
class Cluster:
    """A running cluster; `environment` is what a command needs to reach it."""

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that submits jobs."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def ask(self, *command: str) -> str:
        """Return what a SLURM command says.

        Raises:
            ClusterError: It failed.
        """
        answer = subprocess.run(
            command, env=self.environment, check=False, capture_output=True, text=True
        )
        if answer.returncode != 0:
            raise ClusterError(f"{' '.join(command)}: {answer.stdout}{answer.stderr}")
        return answer.stdout

    def jobs(self) -> list[dict[str, str]]:
        """Return the accounting's record of every job so far, oldest first."""
        columns = ("JobID", "State", "Account", "Partition", "AllocCPUS", "ReqMem", "ReqTRES",
                   "TimelimitRaw", "NodeList", "Comment", "ElapsedRaw")  # fmt: skip
        said = self.ask("sacct", "-X", "--parsable2", "--noheader", "-o", ",".join(columns))
        return [dict(zip(columns, line.split("|"), strict=True)) for line in said.splitlines()]

    def start_controller(self) -> None:
        """Start the controller, or start it again where it left off."""
        self._start("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
        self._wait("slurmctld", lambda: "UP" in self._said("scontrol", "ping"))

    def kill_controller(self) -> None:
        """Kill the controller as a power cut would."""
        self._kill("slurmctld")

    def start_node(self, name: str) -> None:
        """Start one node daemon."""
        self._start(f"slurmd-{name}", "-D", "-N", name, "-f", str(self.folder / "slurm.conf"),
                    more={_NODE_OF: name})  # fmt: skip

    def kill_node(self, name: str) -> int:
        """Kill a node's daemon and all that runs on it; return how many processes that were."""
        self._kill(f"slurmd-{name}")
        running = self._processes_of(name)
        for process in running:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return len(running)

    def busy(self, name: str) -> int:
        """Return how many jobs run on a node."""
        return len(self._said("squeue", "-h", "-t", "R", "-w", name).splitlines())

    def has_saved(self) -> bool:
        """Whether the controller's state on the disk knows every job in the queue, each submitted a
        second ago or more: killed before, it would give their numbers to other jobs."""
        state = self.folder / "state" / "job_state"
        queued = self._said("squeue", "-h", "-o", "%V").split()
        last = max((dt.datetime.fromisoformat(day).timestamp() for day in queued), default=None)
        return last is not None and state.exists() and state.stat().st_mtime > last + 1

    def down(self) -> list[str]:
        """Return the nodes that the controller holds for lost."""
        return self._said("sinfo", "-h", "-N", "-t", "down", "-o", "%N").split()

    def wait_for_nodes(self) -> None:
        """Wait until every node takes jobs."""

        def ready() -> bool:
            said = self._said("sinfo", "-h", "-N", "-o", "%T").split()
            return len(said) == len(NODES) and all(state in ("idle", "mixed") for state in said)

        self._wait("slurmctld", ready)

    def stop(self) -> None:
        """End every process that this cluster started."""
        for name in NODES:
            for process in self._processes_of(name):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        for name in list(reversed(self.processes)):
            self._kill(name, signal.SIGTERM)

    def _processes_of(self, node: str) -> list[int]:
        """Return the processes of a node of this cluster: its step daemons and their jobs."""
        marks = {f"SLURM_CONF={self.folder / 'slurm.conf'}", f"{_NODE_OF}={node}"}
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if marks <= set(
                    (entry / "environ").read_bytes().decode(errors="replace").split("\0")
                ):
                    found.append(int(entry.name))
        return found

    def _start(self, name: str, *arguments: str, more: Mapping[str, str] | None = None) -> None:
        program = _program(name.partition("-")[0])
        assert program is not None
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [program, *arguments], env={**self.environment, **(more or {})}, stdout=log,
                stderr=log, start_new_session=True, cwd=self.folder,
            )  # fmt: skip

    def _kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        process = self.processes.pop(name, None)
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _said(self, *command: str) -> str:
        try:
            return self.ask(*command)
        except ClusterError:
            return ""

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + _START_SECONDS
        while not ready():
            log = self.folder / f"{name}.log"
            if self.processes[name].poll() is not None or time.monotonic() > end:
                lines = log.read_text(errors="replace").splitlines()
                raise ClusterError(f"{name} did not come up: " + "\n".join(lines[-10:]))
            time.sleep(0.2)


@contextmanager
def loopback_cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster below a folder.

    Raises:
        ClusterError: A daemon did not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(folder.resolve())
    ports = _write_configuration(cluster.folder)
    try:
        _start_accounting(cluster, ports)
        cluster.start_controller()
        for name in NODES:
            cluster.start_node(name)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.stop()


def _write_configuration(folder: Path) -> dict[str, int]:
    names = ("controller", "accounting", "database", *NODES)
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    host = socket.gethostname().partition(".")[0]
    nodes = [_NODE_CONF.format(name=name, host=host, port=ports[name]) for name in NODES]
    given = {**ports, "folder": folder, "user": getpass.getuser(), "host": host}
    given |= {"partition": PARTITION, "all": ",".join(NODES)}
    texts = {
        "slurm.conf": _SLURM_CONF.format(**given, nodes="\n".join(nodes)),
        "slurmdbd.conf": _ACCOUNTING_CONF.format(**given),
        "gres.conf": "AutoDetect=off\nName=gpu File=/dev/null\n",
        "database.sql": _DATABASE_START,
    }
    for name, text in texts.items():
        (folder / name).write_text(text.lstrip(), encoding="utf-8")
        (folder / name).chmod(0o600)
    for name in ("state", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir(exist_ok=True)
    # Snakemake clears SLURM's variables before it calls srun, which then looks for the site's file.
    srun = folder / "bin" / "srun"
    srun.parent.mkdir(exist_ok=True)
    srun.write_text(_SRUN.format(folder=folder, srun=shutil.which("srun")), encoding="utf-8")
    srun.chmod(0o755)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    return ports


def _start_accounting(cluster: Cluster, ports: Mapping[str, int]) -> None:
    folder = cluster.folder
    own = [f"--{kind}-file={folder}/munge.{kind}" for kind in ("key", "pid", "log", "seed")]
    cluster._start("munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *own)
    cluster._wait("munged", (folder / "munge.socket").exists)
    user = f"--user={getpass.getuser()}"
    data = f"--datadir={folder}/database"
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", data, user, "--skip-test-db"],
        check=True, capture_output=True,
    )  # fmt: skip
    cluster._start(
        "mariadbd", "--no-defaults", data, user, f"--socket={folder}/database.socket",
        f"--port={ports['database']}", "--bind-address=127.0.0.1",
        f"--init-file={folder}/database.sql", f"--pid-file={folder}/mariadbd.pid",
        "--innodb-buffer-pool-size=64M",
    )  # fmt: skip
    cluster._wait("mariadbd", lambda: _answers(ports["database"]))
    cluster._start("slurmdbd", "-D")
    cluster._wait("slurmdbd", lambda: _answers(ports["accounting"]))
    add = ("sacctmgr", "-i", "add")
    cluster.ask(*add, "cluster", "loopback")
    cluster.ask(*add, "account", ACCOUNT, "cluster=loopback")
    cluster.ask(*add, "user", getpass.getuser(), f"account={ACCOUNT}", "cluster=loopback")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


if __name__ == "__main__":
    with loopback_cluster(Path(sys.argv[1])) as running:
        ended = subprocess.run(sys.argv[2:], env=running.environment, check=False)
    sys.exit(ended.returncode)
