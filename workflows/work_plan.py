"""What a county's season takes of a machine: core-hours, memory, bytes, before any of it runs.

Owns the line from finished seasons to one that is not: every job writes what it took, so a results
folder that holds finished counties tells what this machine needs for land and settings like these.
Nothing is assumed of a machine on which nothing has run. What imagery costs to fetch is
`workflows.imagery_plan`'s.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fieldline.workflows.stage import Stage
from fieldline.workflows.stages import STAGES

_MB = 1e6
_START_S = 1.0
"""Processor seconds of a job before its stage begins: the interpreter and its libraries."""
_APART = 1.5
"""How much larger one county must be than another for a line through both."""


@dataclass(frozen=True)
class StageWork:
    """What one stage takes."""

    stage: str
    cpu_s: float
    """Processor seconds of all its jobs."""
    peak_mb: float
    """Memory of its largest job."""
    bytes: int
    claimed: bool = False
    """Whether the memory is what the stage claims of a scheduler, since none was measured that
    would tell."""


@dataclass(frozen=True)
class Work:
    """What a county and season takes."""

    parcels: int
    stages: tuple[StageWork, ...]
    measured: int
    """Finished seasons that it is reckoned from; without any, no stage is known."""

    @property
    def core_hours(self) -> float:
        """Processor time of all stages."""
        return sum(stage.cpu_s for stage in self.stages) / 3600

    @property
    def bytes(self) -> int:
        """Bytes of the artifacts that stay."""
        return sum(stage.bytes for stage in self.stages)

    def sentence(self) -> str:
        """Return what a person reads."""
        if not self.measured:
            return (
                "machine time, memory and disk are not known: no season has finished in this "
                "results folder yet; run a county and plan again"
            )
        most = max(self.stages, key=lambda stage: stage.peak_mb)
        return (
            f"work on {self.parcels:,} parcels: {self.core_hours:,.3f} core-hours in "
            f"{len(self.stages)} stages, {most.peak_mb:,.0f} MB of memory ({most.stage}"
            f"{', as claimed' if most.claimed else ''}), {self.bytes / _MB:,.1f} MB of results, by "
            f"{self.measured} finished here before"
        )


def county_work(parcels: int, scenes: int, blocks: int, results: Path) -> Work:
    """Return what a season of a county takes, in proportion to the finished ones of a folder.

    Time beyond a job's start grows with parcels, of stages that read pixels with scenes too; memory
    is that of one block.

    Args:
        parcels: Accepted parcels.
        scenes: Scenes of the season.
        blocks: In how many blocks the county is worked.
        results: Results folder.
    """
    seen = list(_finished(results))
    found = (_stage_work(stage, parcels, scenes, blocks, seen) for stage in STAGES)
    return Work(parcels, tuple(work for work in found if work is not None), len(seen))


def work_document(work: Work) -> dict[str, Any]:
    """Return it as JSON holds it."""
    return {
        "parcels": work.parcels, "finished_seasons": work.measured,
        "core_hours": round(work.core_hours, 4) if work.measured else None,
        "peak_mb": round(max((stage.peak_mb for stage in work.stages), default=0)) or None,
        "bytes": work.bytes if work.measured else None,
        "stages": [asdict(stage) for stage in work.stages],
    }  # fmt: skip


@dataclass(frozen=True)
class _Job:
    """What a stage took in a finished season."""

    jobs: int
    cpu_s: float
    peak_mb: float
    bytes: int


@dataclass(frozen=True)
class _Season:
    """A finished season: its size, and its stages."""

    parcels: int
    scenes: int
    stages: Mapping[str, _Job]


def _stage_work(
    stage: Stage, parcels: int, scenes: int, blocks: int, seen: Sequence[_Season]
) -> StageWork | None:
    jobs = [(season, season.stages[stage.name]) for season in seen if stage.name in season.stages]
    if not jobs:
        return None
    cut = blocks if stage.in_blocks else 1
    rows = sum(season.parcels for season, _ in jobs)
    times = [
        (_size(stage, season.parcels, season.scenes), max(0.0, job.cpu_s - job.jobs * _START_S))
        for season, job in jobs
    ]
    held = [(s.parcels / max(1, job.jobs - 1), job.peak_mb) for s, job in jobs if job.peak_mb]
    peak, claimed = _memory(stage, held, parcels / cut)
    return StageWork(
        stage.name,
        (cut + (cut > 1)) * _START_S + _on_line(times, _size(stage, parcels, scenes)),
        peak,
        round(sum(job.bytes for _, job in jobs) / rows * parcels),
        claimed,
    )


def _size(stage: Stage, parcels: int, scenes: int) -> float:
    return float(parcels * scenes if stage.in_blocks else parcels)


def _on_line(points: Sequence[tuple[float, float]], size: float) -> float:
    """Return what is taken at a size: on the line through the smallest and the largest that were
    measured, in proportion where they are of one size, which for a larger county is too much."""
    small, large = min(points), max(points)
    if large[0] < _APART * small[0]:
        return large[1] / large[0] * size
    slope = max(0.0, (large[1] - small[1]) / (large[0] - small[0]))
    return max(0.0, small[1] + slope * (size - small[0]))


def _memory(
    stage: Stage, held: Sequence[tuple[float, float]], parcels: float
) -> tuple[float, bool]:
    """Return the memory of a job, and whether it is only what the stage claims of a scheduler: one
    small county does not tell how memory grows."""
    if not held:
        return 0.0, False
    small, large = min(held), max(held)
    if parcels <= _APART * large[0]:
        return max(peak for _, peak in held), False
    if large[0] < _APART * small[0]:
        return float(max(stage.memory_mb(parcels), large[1])), True
    return _on_line(held, parcels), False


def _finished(results: Path) -> Iterator[_Season]:
    """Yield the seasons whose last stage is done and was measured."""
    import pyarrow.parquet as pq

    for last in sorted(results.glob(f"*/*/{STAGES[-1].outcomes}")):
        folder = last.parent.parent
        figures = results / "benchmarks" / folder.parent.name / folder.name
        tables = [folder / name for name in ("parcels.parquet", "scenes.parquet")]
        if not figures.is_dir() or not all(table.exists() for table in tables):
            continue
        parcels, scenes = (pq.read_metadata(table).num_rows for table in tables)
        named = {stage.name: stage for stage in STAGES}
        stages = {
            file.stem: _job(named[file.stem], figures, folder)
            for file in figures.glob("*.tsv")
            if file.stem in named
        }
        if parcels and scenes:
            yield _Season(parcels, scenes, stages)


def _job(stage: Stage, figures: Path, folder: Path) -> _Job:
    """Return what a stage took: its own job, and those of its blocks where it had any."""
    files = (figures / f"{stage.name}.tsv", *sorted(figures.glob(f"blocks/*/{stage.name}.tsv")))
    cpus, peaks = zip(*map(_figures, files), strict=True)
    made = (folder / name for name in (*stage.makes.values(), stage.outcomes))
    return _Job(
        len(files), sum(cpus), max(peaks), sum(f.stat().st_size for f in made if f.is_file())
    )


def _figures(file: Path) -> tuple[float, float]:
    with file.open(encoding="utf-8") as handle:
        row = next(csv.DictReader(handle, delimiter="\t"), {})
    return _number(row, "cpu_time"), _number(row, "max_rss")


def _number(row: Mapping[str, str], name: str) -> float:
    """Return a figure; 0 where an older version could not tell it of a short job."""
    try:
        return float(row.get(name, ""))
    except ValueError:
        return 0.0
