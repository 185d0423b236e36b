"""What a job took of the machine: seconds, processor time, memory, as the kernel counts them.

Each job writes its own at its end. The engine's benchmarks would be sampled: twice a second for the
first quarter of a minute, then twice a minute, so that a longer job's peak is missed and up to half
a minute of its work; and the engine spends its own time on looking.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import psutil

from fieldline.pipeline.records.tables import write_text

HEADS = ("s", "cpu_time", "max_rss")
"""Seconds on the clock and of processors, MiB of the largest process."""
_KIB = 1024


def write_taken(file: Path) -> None:
    """Write what this process and its children have taken since it began, a row under its heads.

    Args:
        file: Table to write, values apart by tabs.
    """
    used = psutil.Process().cpu_times()
    cpu = used.user + used.system + used.children_user + used.children_system
    wall = max(0.0, time.time() - psutil.Process().create_time())
    row = (wall, cpu, peak_mib())
    lines = ("\t".join(HEADS), "\t".join(f"{figure:.2f}" for figure in row))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, "\n".join(lines) + "\n")


def peak_mib() -> float:
    """Return the most memory that this process or one of its children has held at once, MiB.

    Of the process itself it is the high-water mark of its own pages where the system tells it
    (Linux): what `getrusage` says counts that of whoever started it, too.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(_own_kib(), _in_kib(children)) / _KIB


def _own_kib() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1])
    return _in_kib(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _in_kib(told: int) -> float:
    return told / _KIB if sys.platform == "darwin" else float(told)
