"""What a county takes, reckoned by hand from seasons that the engine measured."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fieldline.workflows.stages import STAGES
from fieldline.workflows.work_plan import StageWork, county_work, work_document

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def finished(
    results: Path, county: str, parcels: int, scenes: int, jobs: dict[str, tuple[str, str]]
) -> None:
    """Leave what a finished season leaves: tables, the last outcomes, processor time and memory."""
    folder = results / "2023" / county
    (folder / "outcomes").mkdir(parents=True)
    pd.DataFrame({"parcel_id": range(parcels)}).to_parquet(folder / "parcels.parquet")
    pd.DataFrame({"scene": range(scenes)}).to_parquet(folder / "scenes.parquet")
    (folder / STAGES[-1].outcomes).touch()
    for name, (cpu, peak) in jobs.items():
        file = results / "benchmarks" / "2023" / county / f"{name}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{HEAD}60\t0:01:00\t{peak}\t1\t1\t1\t0\t0\t9\t{cpu}\n")


def stages_of(results: Path, parcels: int, scenes: int, blocks: int = 1) -> dict[str, StageWork]:
    work = county_work(parcels, scenes, blocks, results)
    return {stage.stage: stage for stage in work.stages}


def test_of_a_folder_in_which_nothing_has_finished_nothing_is_told(tmp_path: Path) -> None:
    work = county_work(1000, 20, 1, tmp_path)
    assert work.sentence().startswith("machine time, memory and disk are not known: no season has")
    told = work_document(work)
    assert (told["core_hours"], told["peak_mb"], told["bytes"]) == (None, None, None)


def test_time_beyond_the_start_is_in_proportion_to_one_county(tmp_path: Path) -> None:
    finished(tmp_path, "C1", 1000, 10, {"grow": ("9", "300"), "decide": ("NA", "-")})
    found = stages_of(tmp_path, 4000, 10)
    assert found["grow"].cpu_s == 1 + 4 * 8  # 1 s to start, 8 s of work
    assert (found["decide"].cpu_s, found["decide"].peak_mb) == (1, 0)
    assert county_work(4000, 10, 1, tmp_path).core_hours == pytest.approx(34 / 3600)


def test_one_county_does_not_tell_how_memory_grows(tmp_path: Path) -> None:
    finished(tmp_path, "C1", 1000, 10, {"grow": ("9", "300")})
    claim = next(stage.memory_mb(4000) for stage in STAGES if stage.name == "grow")
    assert claim == 2024  # 2,000 MB and 6 for each of 4 thousand
    near, far = (stages_of(tmp_path, parcels, 10)["grow"] for parcels in (1400, 4000))
    assert (near.peak_mb, near.claimed) == (300, False)
    assert (far.peak_mb, far.claimed) == (claim, True)
    sentence = county_work(4000, 10, 1, tmp_path).sentence()
    assert f"{claim:,} MB of memory (grow, as claimed)" in sentence


def test_counties_of_two_sizes_give_a_line(tmp_path: Path) -> None:
    finished(tmp_path, "C1", 1000, 10, {"grow": ("11", "300")})
    finished(tmp_path, "C2", 3000, 10, {"grow": ("51", "400")})
    grow = stages_of(tmp_path, 5000, 10)["grow"]
    # 10 and 50 s of work: 20 s for each 1,000 more. 100 MB for 2,000 more.
    assert (grow.cpu_s, grow.peak_mb) == (1 + 90, 500)


def test_reading_pixels_takes_longer_with_more_scenes_and_deciding_does_not(tmp_path: Path) -> None:
    finished(tmp_path, "C1", 1000, 10, {"observe": ("11", "300"), "decide": ("3", "200")})
    found = stages_of(tmp_path, 1000, 30)
    assert (found["observe"].cpu_s, found["decide"].cpu_s) == (31, 3)


def test_a_county_in_blocks_starts_more_jobs_and_each_holds_less(tmp_path: Path) -> None:
    finished(tmp_path, "C1", 1000, 10, {"observe": ("11", "300"), "decide": ("3", "200")})
    found = stages_of(tmp_path, 8000, 10, blocks=4)
    assert found["observe"].cpu_s == 5 + 80  # four blocks and their joining start
    # A block of 1,000 parcels is what was measured.
    assert stages_of(tmp_path, 4000, 10, blocks=4)["observe"].peak_mb == 300


def test_a_season_that_was_worked_in_blocks_is_added_up(tmp_path: Path) -> None:
    finished(tmp_path, "C1", 2000, 10, {"observe": ("1", "100")})
    for number, cpu in (("1", "31"), ("2", "51")):
        part = tmp_path / "benchmarks" / "2023" / "C1" / "blocks" / number / "observe.tsv"
        part.parent.mkdir(parents=True)
        part.write_text(f"{HEAD}60\t0:01:00\t300\t1\t1\t1\t0\t0\t9\t{cpu}\n")
    observe = stages_of(tmp_path, 2000, 10, blocks=2)["observe"]
    assert (observe.cpu_s, observe.peak_mb) == (83, 300)
    assert stages_of(tmp_path, 2000, 10)["observe"].cpu_s == 1 + 80  # one job starts instead


def test_bytes_are_those_of_the_files_that_a_stage_made(tmp_path: Path) -> None:
    finished(tmp_path, "C1", 100, 10, {"grow": ("2", "200")})
    (tmp_path / "2023" / "C1" / "growth.parquet").write_bytes(bytes(5000))
    (tmp_path / "2023" / "C1" / "outcomes" / "grow.parquet").write_bytes(bytes(1000))
    work = county_work(300, 10, 1, tmp_path)
    assert work.bytes == work_document(work)["bytes"] == 18_000
