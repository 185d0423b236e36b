"""Where a pull cannot write or is not answered as it should: one sentence, nothing half-written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy

from fieldline.pipeline.imagery.range_store import RangeStore
from fieldline.pipeline.records.errors import UserError
from tests.pipeline.imagery.pulling import (
    QUICK,
    SIZE,
    choose,
    county,
    files_of,
    files_up_to,
    scenes_of,
)
from tests.pipeline.imagery.tiny_archive import (
    TinyScene,
    outlines,
    pixel_box,
    scene_settings,
    write_archive,
    write_parcels,
)
from tests.services.stac_api import Fault, StacApi, serving


@pytest.fixture
def api(tmp_path: Path) -> Iterator[StacApi]:
    write_archive(tmp_path / "archive", scenes_of())
    with serving(StacApi(tmp_path / "archive")) as service:
        yield service


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 96 KiB."""
    folder = tmp_path / "small"
    (folder / "results").mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(folder / "results")]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root alone")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder / "results")], check=True)


def test_a_full_disk_is_one_sentence_and_no_copy_is_half_there(
    small_disk: Path, tmp_path: Path, api: StacApi
) -> None:
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\): free or"):
        choose(small_disk, api.root)
    left = files_of(small_disk / "results")
    copies = {name for name in left if name.endswith(".tif")}
    undisturbed = files_of(choose(tmp_path / "calm", api.root))
    assert all(left[name] == undisturbed[name] for name in copies)
    assert not [name for name in left if name.endswith((".tmp", "scenes.parquet"))]
    subprocess.run(["mount", "-o", "remount,size=9m", str(small_disk / "results")], check=True)
    assert files_of(choose(small_disk, api.root)) == undisturbed


def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path: Path, api: StacApi) -> None:
    folder = tmp_path / "results" / "scenes" / "S2_1"
    folder.parent.mkdir(parents=True)
    folder.symlink_to("/proc/nowhere")  # nobody may write there, not even root
    with pytest.raises(UserError, match=r"S2_1/\w+\.tif cannot be written .*free or mount"):
        choose(tmp_path, api.root)
    assert not (tmp_path / "results" / "scenes.parquet").exists()


def test_a_proxy_that_answers_html_is_named_and_nothing_is_written(
    tmp_path: Path, api: StacApi
) -> None:
    api.faults = [Fault("html", path="/api")]
    with pytest.raises(UserError, match=r"does not answer as a STAC API \(html_answer\)"):
        choose(tmp_path, api.root, pull=QUICK.model_copy(update={"attempts": 2}))
    assert files_of(tmp_path / "results") == {}


def test_a_county_without_a_parcel_asks_nobody(tmp_path: Path, api: StacApi) -> None:
    empty = tmp_path / "empty.parquet"
    outlines({"a": pixel_box(1, 1, 2, 2)}).iloc[:0].to_parquet(empty)
    with pytest.raises(UserError, match="no accepted parcel: correct the refused outlines"):
        choose(tmp_path, api.root, parcels=empty)
    assert api.requests == []
    assert files_of(tmp_path / "results") == {}


def test_a_file_of_which_only_the_identity_was_kept_is_fetched_by_the_next_run(
    tmp_path: Path, api: StacApi
) -> None:
    parcels, one = county(tmp_path), QUICK.model_copy(update={"connections": 1})
    with files_up_to(200), pytest.raises(UserError, match=r"cannot be written .*free or mount"):
        choose(tmp_path, api.root, parcels=parcels, pull=one)
    kept = sorted((tmp_path / "results" / "scenes").rglob("*.parts"))
    assert kept
    for path in kept:
        with RangeStore(path) as store:
            assert (store.size or 0) > 0
            assert store.bytes_held == 0
    mended = choose(tmp_path, api.root)
    assert files_of(mended) == files_of(choose(tmp_path / "calm", api.root))


def test_a_disk_that_fills_up_while_jpeg_2000_is_read_is_no_broken_scene(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    numbers = np.random.default_rng(5).integers(1, 4000, (SIZE, SIZE), dtype="uint16")
    write_archive(tmp_path / "archive", [TinyScene("S2_0", {"B04": numbers})])
    path = tmp_path / "archive" / "files" / "S2_0_B04.tif"
    whole = path.rename(path.with_suffix(".whole"))
    tiles = {"BLOCKXSIZE": "128", "BLOCKYSIZE": "128"}
    copy(whole, path, driver="JP2OpenJPEG", CODEC="JP2", QUALITY="100", REVERSIBLE="YES", **tiles)
    whole.unlink()
    shape = {"a": pixel_box(0.5, 0.5, SIZE - 0.5, SIZE - 0.5)}
    parcels = write_parcels(tmp_path / "parcels.parquet", shape)
    given = {"parcels": parcels, "scenes": scene_settings("B04")}
    with serving(StacApi(tmp_path / "archive")) as api:
        with files_up_to(400_000), pytest.raises(UserError, match=r"B04\.tif cannot be written"):
            choose(tmp_path, api.root, **given)
        assert "Traceback" not in capfd.readouterr().err
        (kept,) = (tmp_path / "results" / "scenes").rglob("*.parts")
        with RangeStore(kept) as store:
            held = store.bytes_held
        assert held > 0  # and is not asked for again
        api.reset()
        results = choose(tmp_path, api.root, **given)
        assert api.sent == path.stat().st_size - held
    with rasterio.open(results / "scenes/S2_0/B04.tif") as made:
        assert np.array_equal(made.read(1), numbers)
