from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery import observe as stage
from fieldline.pipeline.imagery.mosaic import Look
from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import (
    ClearSettings,
    ObserveSettings,
    SceneSettings,
)
from fieldline.pipeline.records.tables import iter_batches, read_table
from tests.pipeline.imagery.tiny_archive import (
    AS_DRAWN,
    EAGER,
    GRID,
    SEASON,
    TinyScene,
    X,
    Y,
    pixel_box,
    scene_settings,
    write_archive,
    write_parcels,
)

SCL = AS_DRAWN
FIELD = {"p": pixel_box(0, 0, 2, 2)}


def observe(
    folder: Path,
    scenes: list[TinyScene],
    shapes: Mapping[str, BaseGeometry],
    chosen: SceneSettings,
    settings: ObserveSettings = EAGER,
) -> pd.DataFrame:
    """Run scenes and observe over a tiny archive; return the observations."""
    catalog = write_archive(folder / "archive", scenes)
    parcels = write_parcels(folder / "parcels.parquet", shapes)
    run_scenes(
        catalog=catalog, parcels=parcels, season=SEASON, scenes=chosen,
        out=folder / "scenes.parquet", outcomes=folder / "scene_outcomes.parquet",
    )  # fmt: skip
    return observe_again(folder, chosen, settings)


def observe_again(
    folder: Path, chosen: SceneSettings, settings: ObserveSettings = EAGER, threads: int = 1
) -> pd.DataFrame:
    run_observe(
        scenes=folder / "scenes.parquet", parcels=folder / "parcels.parquet", grid=GRID,
        scene_settings=chosen, threads=threads,
        settings=settings, out=folder / "observations.parquet", outcomes=folder / "out.parquet",
    )  # fmt: skip
    return read_table(folder / "observations.parquet")


def outcomes(folder: Path) -> dict[str, tuple[str, str]]:
    frame = read_table(folder / "out.parquet")
    pairs = zip(frame["outcome"], frame["detail"], strict=True)
    return dict(zip(frame["parcel_id"], pairs, strict=True))


def series(days: int, **bands: object) -> list[TinyScene]:
    return [
        TinyScene(f"s{n:02d}", dict(bands), day=dt.date(2021, 4, 1) + dt.timedelta(days=5 * n))
        for n in range(days)
    ]


def test_one_parcel_one_date_by_hand(tmp_path: Path) -> None:
    """Four pixels of 100..400, one cloudy: mean and deviation of the other three."""
    scene = TinyScene(
        "a",
        {"B04": [[100, 200], [300, 400]], "B08": [[10, 20], [30, 40]], "SCL": [[4, 4, ], [4, 9]]},
        properties={"s2:processing_baseline": "04.00"},
        radiometry={"nodata": 0, "scale": 1e-4, "offset": 0.05},
    )  # fmt: skip
    row = observe(tmp_path, [scene], FIELD, scene_settings("B04", "B08", mask=SCL)).iloc[0]
    assert (row["parcel_id"], row["scene_id"], row["baseline"]) == ("p", "a", "04.00")
    assert row["datetime"] == pd.Timestamp("2021-05-10T10:00Z")
    assert row["valid_fraction"] == pytest.approx(0.75, abs=1e-5)
    assert row["effective_pixels"] == pytest.approx(3.0, abs=1e-4)
    assert row["offset"] == pytest.approx(0.05)
    assert row["B04_mean"] == pytest.approx(0.07, abs=1e-6)
    assert row["B04_std"] == pytest.approx(1e-2 * np.sqrt(2 / 3), abs=1e-6)
    assert row["B08_mean"] == pytest.approx(0.052, abs=1e-6)
    assert outcomes(tmp_path) == {"p": ("ok", "dates=1 clear=1")}


def test_three_mu_and_less_than_a_pixel_are_rows_like_any_other(tmp_path: Path) -> None:
    """A sliver of 0.6 pixel over two pixels, 1:2: its mean is theirs, weighted."""
    shapes = {"sliver": pixel_box(0.8, 0.0, 1.4, 1.0)}
    rows = observe(tmp_path, series(2, B04=[[100, 400]]), shapes, scene_settings("B04"))
    assert rows["effective_pixels"].to_numpy() == pytest.approx([0.6, 0.6], abs=1e-4)
    assert rows["B04_mean"].to_numpy() == pytest.approx([0.03, 0.03], abs=1e-5)
    assert outcomes(tmp_path)["sliver"] == ("small_parcel", "pixels=0.6 dates=2 clear=2")


def test_every_parcel_has_one_outcome(tmp_path: Path) -> None:
    shapes = {
        "clear": pixel_box(0, 0, 1, 1),
        "hidden": pixel_box(1, 0, 2, 1),
        "beside": pixel_box(50, 50, 52, 52),
    }
    scenes = series(3, B04=[[500, 500]], SCL=[[4, 9]])
    chosen = scene_settings("B04", mask=SCL)
    rows = observe(
        tmp_path, scenes, shapes, chosen, ObserveSettings(clear=ClearSettings(min_dates=2))
    )
    hidden = rows[rows["parcel_id"] == "hidden"]
    assert hidden["valid_fraction"].max() < 1e-4
    assert outcomes(tmp_path) == {
        "beside": ("outside_coverage", "dates=0"),
        "clear": ("ok", "dates=3 clear=3"),
        "hidden": ("too_cloudy", "dates=3 clear=0 minimum=2"),
    }
    assert set(rows["parcel_id"]) == {"clear", "hidden"}


def test_nothing_clear_is_null_not_zero(tmp_path: Path) -> None:
    observe(tmp_path, series(1, B04=[[0, 0], [0, 0]]), FIELD, scene_settings("B04"))
    table = pq.read_table(tmp_path / "observations.parquet")
    assert table["valid_fraction"].to_pylist() == [0.0]
    assert table["B04_mean"].to_pylist() == [None]
    assert table["B04_std"].to_pylist() == [None]


def test_an_unreadable_scene_is_an_outcome_and_its_dates_are_absent(tmp_path: Path) -> None:
    chosen = scene_settings("B04")
    observe(tmp_path, series(3, B04=[[500, 600], [700, 800]]), FIELD, chosen)
    (tmp_path / "archive" / "files" / "s01_B04.tif").write_bytes(b"II*\0broken")
    rows = observe_again(tmp_path, chosen)
    assert rows["scene_id"].tolist() == ["s00", "s02"]
    assert outcomes(tmp_path) == {
        "p": ("ok", "dates=2 clear=2 lost_dates=1"),
        "s01": ("scene_unreadable", "date=2021-04-06 asset=B04 reason=RasterioIOError"),
    }


def test_only_unreadable_scenes_is_not_called_outside_coverage(tmp_path: Path) -> None:
    chosen = scene_settings("B04")
    observe(tmp_path, series(1, B04=[[500, 600], [700, 800]]), FIELD, chosen)
    (tmp_path / "archive" / "files" / "s00_B04.tif").unlink()
    assert observe_again(tmp_path, chosen).empty
    assert outcomes(tmp_path)["p"] == ("no_readable_scene", "lost_dates=1")


def test_the_other_scene_of_the_day_stands_in_for_a_broken_one(tmp_path: Path) -> None:
    values = [[500, 600], [700, 800]]
    scenes = [TinyScene("a", {"B04": values}), TinyScene("b", {"B04": values}, hour=11)]
    chosen = scene_settings("B04")
    assert observe(tmp_path, scenes, FIELD, chosen)["scene_id"].tolist() == ["a+b"]
    (tmp_path / "archive" / "files" / "a_B04.tif").unlink()
    assert observe_again(tmp_path, chosen)["scene_id"].tolist() == ["b"]
    assert outcomes(tmp_path)["p"] == ("ok", "dates=1 clear=1")


def test_scene_ids_name_only_the_items_over_the_parcel(tmp_path: Path) -> None:
    """Per-parcel chips of one day: each row names its own chip."""
    scenes = [
        TinyScene("chip_a", {"B04": [[100, 100]]}, properties={"s2:processing_baseline": "04.00"}),
        TinyScene(
            "chip_b",
            {"B04": [[300, 300]]},
            corner=(X + 40, Y),
            properties={"s2:processing_baseline": "05.10"},
        ),
    ]
    shapes = {
        "a": pixel_box(0.1, 0.1, 1.9, 0.9),
        "b": pixel_box(4.1, 0.1, 5.9, 0.9),
        "both": pixel_box(1.1, 0.1, 4.9, 0.9),
    }
    rows = observe(tmp_path, scenes, shapes, scene_settings("B04")).set_index("parcel_id")
    assert rows["scene_id"].to_dict() == {"a": "chip_a", "b": "chip_b", "both": "chip_b+chip_a"}
    assert rows["baseline"].to_dict() == {"a": "04.00", "b": "05.10", "both": "05.10+04.00"}
    assert rows["valid_fraction"].to_numpy() == pytest.approx([1.0, 1.0, 1.8 / 3.8], abs=1e-4)
    assert rows["B04_mean"].to_numpy() == pytest.approx([0.01, 0.03, 0.02], abs=1e-5)


def test_row_groups_hold_whole_parcels_in_ascending_order(tmp_path: Path) -> None:
    shapes = {f"p{n:03d}": pixel_box(n % 20, n // 20, n % 20 + 1, n // 20 + 1) for n in range(300)}
    values = np.full((15, 20), 700)
    settings = ObserveSettings(clear=EAGER.clear, batch_rows=1_000)
    observe(tmp_path, series(7, B04=values), shapes, scene_settings("B04"), settings)
    groups = list(iter_batches(tmp_path / "observations.parquet"))
    assert [len(group) for group in groups] == [994, 994, 112]
    names = [set(group["parcel_id"]) for group in groups]
    assert all(max(one) < min(two) for one, two in itertools.pairwise(names))


def test_same_bytes_whatever_the_threads_blocks_or_row_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    scenes = series(6, B04=rng.integers(0, 3000, (90, 90)), B08=rng.integers(1, 9000, (90, 90)))
    corners = rng.uniform(0, 85, (40, 2))
    shapes = {f"p{n:02d}": pixel_box(x, y, x + 4.3, y + 3.1) for n, (x, y) in enumerate(corners)}
    chosen = scene_settings("B04", "B08")
    observe(tmp_path, scenes, shapes, chosen, ObserveSettings(clear=EAGER.clear))
    first = (tmp_path / "observations.parquet").read_bytes()
    shuffled = dict(sorted(shapes.items(), key=lambda pair: hash(pair[1].wkb)))
    write_parcels(tmp_path / "parcels.parquet", shuffled)
    observe_again(tmp_path, chosen, ObserveSettings(clear=EAGER.clear), threads=4)
    assert (tmp_path / "observations.parquet").read_bytes() == first
    blocks = ObserveSettings(clear=EAGER.clear, block_pixels=64)
    whole, cut = (
        read_table(tmp_path / "observations.parquet"),
        observe_again(tmp_path, chosen, blocks),
    )
    pd.testing.assert_frame_equal(whole, cut, rtol=1e-6, atol=1e-9)


def test_one_block_per_thread_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dates and blocks are streamed: a block is summed before the next one is read."""
    alive: list[int] = []

    class Watched(stage.DayReader):
        def look(self, window: object, cells: object = None) -> Look:
            alive.append(1)
            return super().look(window, cells)

    def watched_sums(weights: object, block: np.ndarray) -> np.ndarray:
        assert sum(alive) == 1
        alive.pop()
        return original(weights, block)

    original = stage.block_sums
    monkeypatch.setattr(stage, "DayReader", Watched)
    monkeypatch.setattr(stage, "block_sums", watched_sums)
    shapes = {f"p{n}": pixel_box(n * 30, n * 30, n * 30 + 5, n * 30 + 5) for n in range(6)}
    settings = ObserveSettings(clear=EAGER.clear, block_pixels=64)
    scenes = series(5, B04=np.full((200, 200), 900))
    rows = observe(tmp_path, scenes, shapes, scene_settings("B04"), settings)
    assert len(rows) == 30
    assert alive == []


def test_leftovers_of_a_killed_run_are_cleared(tmp_path: Path) -> None:
    leftover = tmp_path / ".observations.parquet.dates"
    leftover.mkdir()
    (leftover / "00000.raw").write_bytes(b"half a date")
    observe(tmp_path, series(2, B04=[[500, 600], [700, 800]]), FIELD, scene_settings("B04"))
    assert not leftover.exists()


def test_no_parcels_and_no_scenes_are_empty_tables(tmp_path: Path) -> None:
    chosen = scene_settings("B04")
    late = [TinyScene("late", {"B04": [[1, 2], [3, 4]]}, day=dt.date(2021, 12, 1))]
    assert observe(tmp_path, late, FIELD, chosen).empty
    assert outcomes(tmp_path)["p"] == ("outside_coverage", "dates=0")
    write_parcels(tmp_path / "parcels.parquet", {})
    assert observe_again(tmp_path, chosen).empty
    assert outcomes(tmp_path) == {}


def test_corner_constants_are_those_of_the_fixture() -> None:
    """Guards the hand-computed coordinates above against a moved fixture."""
    assert pixel_box(0, 0, 1, 1).bounds == (X, Y - 10, X + 10, Y)


def test_dates_of_snow_are_counted_apart_and_are_not_clear(tmp_path: Path) -> None:
    """Three quarters of the parcel under snow on one date, a quarter on the other."""
    bands = {"B04": [[100, 200], [300, 400]]}
    scenes = [
        TinyScene("deep", bands | {"SCL": [[11, 11], [11, 4]]}, day=dt.date(2021, 3, 2)),
        TinyScene("rest", bands | {"SCL": [[4, 4], [4, 11]]}, day=dt.date(2021, 3, 9)),
    ]
    rows = observe(tmp_path, scenes, FIELD, scene_settings("B04", mask=SCL))
    assert rows["snow_fraction"].to_numpy() == pytest.approx([0.75, 0.25], abs=1e-5)
    assert rows["valid_fraction"].to_numpy() == pytest.approx([0.25, 0.75], abs=1e-5)
    assert outcomes(tmp_path) == {"p": ("ok", "dates=2 clear=1 snow_dates=1")}


def test_a_mask_that_knows_no_snow_says_nothing_of_it(tmp_path: Path) -> None:
    rows = observe(tmp_path, series(1, B04=[[100, 200], [300, 400]]), FIELD, scene_settings("B04"))
    assert rows["snow_fraction"].isna().all()
