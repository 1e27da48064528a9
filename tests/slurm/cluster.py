#!/usr/bin/env python3
"""A Slurm of one's own on this machine: a controller and two nodes of four CPUs, 4 GB and two false GPUs each.

  tests/slurm/cluster.py up DIR       start it, everything it needs being in the new folder DIR
  export SLURM_CONF=$PWD/DIR/slurm.conf    and sbatch, squeue, scancel, ... speak to it
  tests/slurm/cluster.py down DIR     stop it

Needs slurmctld, slurmd, slurm-client and munge (Debian's packages), but no root, systemd, cgroups or database."""

from __future__ import annotations

import argparse
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # where Debian puts daemons, and a user's PATH does not look
NODES = ("n1", "n2")

SLURM_CONF = """\
ClusterName=selftest
SlurmctldHost=localhost
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
# A job that was requeued starts once its first credential has run out.
AuthInfo=socket={root}/run/munge.socket,cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/slurmd.%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=512
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=2,batch_sched_delay=0
SlurmdParameters=config_overrides
EnforcePartLimits=ALL
ReturnToService=2
KillWait=2
CompleteWait=0
MinJobAge=3600
SlurmdTimeout=60
MaxArraySize={max_array_size}
GresTypes=gpu
NodeName=n[1-2] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs=4 RealMemory=4096 \
Gres=gpu:fake:2 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Cluster:
    """Its daemons, by name: munged, slurmctld, n1, n2."""

    def __init__(self, root: Path) -> None:
        self.root, self.conf = root, root / "slurm.conf"
        self.environment = os.environ | {"SLURM_CONF": str(self.conf), "PATH": PATH}

    def configure(self, max_array_size: int = 1001) -> None:
        for name in ("run", "state", "log", "spool/n1", "spool/n2"):
            (self.root / name).mkdir(parents=True, mode=0o755)
        key = self.root / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        gpus = [self.root / "run" / f"gpu{number}" for number in range(2)]
        try:
            for gpu in gpus:
                os.mknod(gpu, 0o20600, os.makedev(1, 3))
            files = f"{self.root}/run/gpu[0-1]"
        except PermissionError:
            files = "/dev/null,/dev/zero"
        user = pwd.getpwuid(os.getuid()).pw_name
        self.conf.write_text(
            SLURM_CONF.format(root=self.root, user=user, ports=free_ports(), max_array_size=max_array_size)
        )
        (self.root / "gres.conf").write_text(f"NodeName=n[1-2] Name=gpu Type=fake File={files}\n")
        (self.root / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")

    def start(self, name: str) -> None:
        """Start one daemon; it goes into the background by itself once it is ready to listen."""
        run = self.root / "run"
        command = {
            "munged": [
                "munged",
                "--force",
                f"--key-file={self.root}/munge.key",
                f"--socket={run}/munge.socket",
                f"--pid-file={run}/munged.pid",
                f"--log-file={self.root}/log/munged.log",
                f"--seed-file={run}/munged.seed",
            ],
            "slurmctld": ["slurmctld", "-i", "-f", str(self.conf)],
        }.get(name, ["slurmd", "-f", str(self.conf), "-N", name])
        done = self.call(*command)
        if done.returncode:
            sys.exit(f"cluster.py: {name}: {done.stderr.strip() or f'ended with code {done.returncode}'}")

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """Send the daemon a signal and wait until it is gone."""
        pid = self.root / "run" / {"munged": "munged.pid", "slurmctld": "slurmctld.pid"}.get(name, f"slurmd.{name}.pid")
        if not pid.exists():
            return
        process = int(pid.read_text())
        try:
            os.kill(process, number)
            for _ in range(1000):
                os.kill(process, 0)
                time.sleep(0.01)
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pid.unlink(missing_ok=True)

    def up(self) -> None:
        self.start("munged")
        self.start("slurmctld")
        for node in NODES:
            self.start(node)
        deadline = time.monotonic() + 60
        while self.call("sinfo", "-h", "-N", "-o", "%T").stdout.split() != ["idle"] * len(NODES):
            if time.monotonic() > deadline:
                sys.exit(f"cluster.py: the nodes are not idle after a minute; logs are in {self.root}/log")
            time.sleep(0.1)

    def down(self) -> None:
        self.call("scancel", "--user", str(os.getuid()))
        deadline = time.monotonic() + 10
        while self.call("squeue", "-h").stdout.strip() and time.monotonic() < deadline:
            time.sleep(0.1)
        for name in (*NODES, "slurmctld", "munged"):
            self.stop(name)

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        # The daemons keep what they inherit: files and no pipe, or nobody who reads it would see its end.
        out, err = self.root / "log" / "out", self.root / "log" / "err"
        with open(out, "w") as stdout, open(err, "w") as stderr:
            done = subprocess.run(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, timeout=60
            )
        return subprocess.CompletedProcess(command, done.returncode, out.read_text(), err.read_text())


def free_ports() -> list[int]:
    """One port, and two that follow each other."""
    while True:
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            one.bind(("", 0))
            two.bind(("", 0))
            ports = [one.getsockname()[1], two.getsockname()[1], two.getsockname()[1] + 1]
            try:
                three.bind(("", ports[2]))
                return ports
            except OSError:
                continue


def missing() -> list[str]:
    """What of Slurm is not installed."""
    return [program for program in PROGRAMS if not shutil.which(program, path=PATH)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["up", "down"])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    cluster = Cluster(options.folder.absolute())
    if missing():
        sys.exit(f"cluster.py: not installed: {' '.join(missing())}")
    if options.verb == "up":
        cluster.configure()
        cluster.up()
        print(f"export SLURM_CONF={cluster.conf}")
    else:
        cluster.down()


if __name__ == "__main__":
    main()
