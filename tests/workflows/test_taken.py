"""What a job says that it took, against what it is made to take."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from fieldline.workflows.job import job

_MIB = 300
_WORK = """
import sys, time
from pathlib import Path
from fieldline.workflows.taken import write_taken
held = bytearray({mib} * 2**20)
del held
until = time.process_time() + {seconds}
while time.process_time() < until:
    pass
time.sleep({idle})
write_taken(Path(sys.argv[1]))
"""


def taken(file: Path, mib: int = 0, seconds: float = 0, idle: float = 0) -> dict[str, float]:
    program = _WORK.format(mib=mib, seconds=seconds, idle=idle)
    subprocess.run([sys.executable, "-c", program, str(file)], check=True)
    with file.open(encoding="utf-8") as handle:
        row = next(csv.DictReader(handle, delimiter="\t"))
    return {name: float(text) for name, text in row.items()}


def test_memory_that_was_held_for_a_moment_and_let_go_is_told(tmp_path: Path) -> None:
    nothing, much = (taken(tmp_path / "t.tsv", mib=mib) for mib in (0, _MIB))
    assert much["max_rss"] - nothing["max_rss"] == pytest.approx(_MIB, rel=0.05)


def test_memory_of_whoever_starts_a_job_is_not_the_jobs(tmp_path: Path) -> None:
    held = bytearray(_MIB * 2**20)
    assert taken(tmp_path / "t.tsv")["max_rss"] < len(held) / 2**20


def test_work_counts_as_processor_time_and_waiting_only_on_the_clock(tmp_path: Path) -> None:
    nothing, much = (taken(tmp_path / "t.tsv", seconds=s, idle=s) for s in (0, 0.6))
    assert much["cpu_time"] - nothing["cpu_time"] == pytest.approx(0.6, abs=0.25)
    assert much["s"] > much["cpu_time"] + 0.3


def test_a_job_that_fails_leaves_no_figures_and_takes_away_those_of_the_last(
    tmp_path: Path,
) -> None:
    figures = tmp_path / "benchmarks" / "t.tsv"
    with job(str(tmp_path / "t.log"), str(figures)):
        assert not figures.exists()
    assert figures.exists()
    with pytest.raises(ZeroDivisionError), job(str(tmp_path / "t.log"), str(figures)):
        raise ZeroDivisionError
    assert not figures.exists()
