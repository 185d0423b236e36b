from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.pulling import SCENES, choose, files_of, observe, scenes_of, told
from tests.pipeline.imagery.tiny_archive import pixel_box, write_archive, write_parcels
from tests.services.stac_api import Fault, StacApi, serving

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[StacApi]:
    write_archive(tmp_path / "archive", scenes_of())
    with serving(StacApi(tmp_path / "archive")) as service:
        yield service


def test_an_archive_and_an_api_before_it_give_equal_observations(
    tmp_path: Path, api: StacApi
) -> None:
    choose(tmp_path / "disk", None, tmp_path / "archive" / "catalog.json")
    choose(tmp_path / "api", api.root)
    first = read_table(observe(tmp_path / "disk") / "observations.parquet")
    second = read_table(observe(tmp_path / "api") / "observations.parquet")
    assert len(first) == 6
    assert first.equals(second)
    assert told(tmp_path / "disk/results/chosen.parquet") == told(
        tmp_path / "api/results/chosen.parquet"
    )


def test_the_pulled_window_holds_the_county_and_no_pixel_is_changed(
    tmp_path: Path, api: StacApi
) -> None:
    results = choose(tmp_path, api.root)
    with (
        rasterio.open(results / "scenes/S2_1/B04.tif") as copy,
        rasterio.open(tmp_path / "archive/files/S2_1_B04.tif") as whole,
    ):
        assert (copy.crs, copy.nodata, copy.dtypes) == (whole.crs, whole.nodata, whole.dtypes)
        assert copy.transform == whole.transform  # the county lies in the upper left corner
        assert 34 <= copy.height < 60
        assert np.array_equal(copy.read(1), whole.read(1)[: copy.height, : copy.width])


def test_a_rerun_fetches_no_byte_that_is_verified(tmp_path: Path, api: StacApi) -> None:
    results = choose(tmp_path, api.root)
    before = files_of(results)
    assert api.sent > 0
    api.reset()
    choose(tmp_path, api.root)
    assert (api.sent, api.asked(r"\.tif")) == (0, 0)
    assert files_of(results) == before


def test_only_tiles_over_the_county_are_fetched(tmp_path: Path, api: StacApi) -> None:
    files = tmp_path / "archive" / "files"
    for path in files.glob("*.tif"):
        whole = path.with_suffix(".whole")
        path.rename(whole)
        copy(whole, path, driver="GTiff", tiled=True, blockxsize=64, blockysize=64)
        whole.unlink()
    size = sum(path.stat().st_size for path in files.glob("*.tif"))
    shapes = {"far": pixel_box(300.5, 400.5, 340.5, 430.5)}
    results = choose(tmp_path, api.root, parcels=write_parcels(tmp_path / "far.parquet", shapes))
    with (
        rasterio.open(results / "scenes/S2_1/B04.tif") as part,
        rasterio.open(files / "S2_1_B04.tif") as whole,
    ):
        # columns 298..343 and rows 398..433 with two around lie in tiles 4 and 5, 6
        assert part.transform.c == whole.transform.c + 10 * 256
        assert part.transform.f == whole.transform.f - 10 * 384
        assert (part.width, part.height, part.block_shapes) == (128, 64, [(64, 64)])
        assert np.array_equal(part.read(1), whole.read(1)[384:448, 256:384])
    assert api.sent < size / 4


@pytest.mark.parametrize("moment", [0.1, 0.4, 0.8])
def test_a_pull_that_is_killed_and_run_again_ends_in_the_same_bytes(
    tmp_path: Path, api: StacApi, moment: float
) -> None:
    undisturbed = files_of(choose(tmp_path / "undisturbed", api.root))
    whole = api.sent
    api.reset()
    api.pause = 0.02
    script = (
        "import sys, pathlib; from tests.pipeline.imagery.pulling import choose;"
        "choose(pathlib.Path(sys.argv[1]), sys.argv[2])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "killed"), api.root]
    with subprocess.Popen(command, cwd=ROOT) as process:
        while api.sent < moment * whole and process.poll() is None:
            time.sleep(0.002)
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()
    assert not (tmp_path / "killed/results/scenes.parquet").exists()
    api.pause = 0.0
    assert files_of(choose(tmp_path / "killed", api.root)) == undisturbed


LAYOUTS = {
    "earth-search": {"B02": "blue", "B04": "red", "SCL": "scl"},
    "planetary-computer": {"B02": "B02", "B04": "B04", "SCL": "SCL"},
    "copernicus": {"B02": "B02_10m", "B04": "B04_10m", "SCL": "SCL_20m"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_assets_named_as_a_provider_names_them_are_found(
    tmp_path: Path, api: StacApi, layout: str
) -> None:
    for path in (tmp_path / "archive" / "tiny").glob("*/*.json"):
        item = json.loads(path.read_text())
        item["assets"] = {LAYOUTS[layout][key]: item["assets"][key] for key in LAYOUTS[layout]}
        for asset in item["assets"].values():
            del asset["eo:bands"]
        path.write_text(json.dumps(item))
    results = choose(tmp_path, api.root)
    assert {code for code, _ in told(results / "chosen.parquet").values()} == {"ok"}
    with rasterio.open(tmp_path / "archive/files/S2_0_B02.tif") as file:
        # parcel a: columns 0.3..11.5, rows 0.6..9.2; three rows of cloud above, then whole pixels
        numbers = file.read(1)[3:10, :12].astype(float) * 1e-4
    weights = np.outer([1, 1, 1, 1, 1, 1, 0.2], [0.7, *[1] * 10, 0.5])
    rows = read_table(observe(tmp_path) / "observations.parquet").set_index(
        ["parcel_id", "scene_id"]
    )
    expected = (numbers * weights).sum() / weights.sum()
    assert rows.loc[("a", "S2_0"), "B02_mean"] == pytest.approx(expected, rel=1e-5)


def test_a_file_that_is_touched_afterwards_is_fetched_again(tmp_path: Path, api: StacApi) -> None:
    results = choose(tmp_path, api.root)
    path = results / "scenes/S2_1/B04.tif"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    api.reset()
    choose(tmp_path, api.root)
    assert path.read_bytes() == whole
    assert api.asked(r"\.tif") == api.asked(r"S2_1_B04\.tif") > 0


def test_a_stale_window_is_never_read_for_another_county(tmp_path: Path, api: StacApi) -> None:
    results = choose(tmp_path, api.root)
    api.faults = [Fault("503", path=r"S2_1_B04\.tif$")]
    moved = write_parcels(tmp_path / "moved.parquet", {"m": pixel_box(50.5, 50.5, 60.5, 60.5)})
    choose(tmp_path, api.root, parcels=moved)
    assert told(results / "chosen.parquet")["S2_1"][0] == LOST
    assert not (results / "scenes/S2_1/B04.tif").exists()


def test_scenes_that_their_words_refuse_are_not_fetched(tmp_path: Path, api: StacApi) -> None:
    path = tmp_path / "archive/tiny/S2_1/S2_1.json"
    item = json.loads(path.read_text())
    item["properties"]["eo:cloud_cover"] = 99.0
    path.write_text(json.dumps(item))
    settings = SCENES.model_copy(update={"max_cloud_percent": 80.0})
    results = choose(tmp_path, api.root, scenes=settings)
    assert told(results / "chosen.parquet")["S2_1"][0] == "scene_too_cloudy"
    assert api.asked(r"S2_1_.*\.tif") == 0 < api.asked(r"S2_0_.*\.tif")


def test_an_address_that_cannot_be_asked_costs_its_scene(tmp_path: Path, api: StacApi) -> None:
    path = tmp_path / "archive/tiny/S2_1/S2_1.json"
    path.write_text(
        path.read_text().replace("../../files/S2_1_B04.tif", "s3://eodata/S2_1_B04.tif")
    )
    said = told(choose(tmp_path, api.root) / "chosen.parquet")
    assert said["S2_1"] == (LOST, "asset=B04 reason=InvalidSchema attempts=1")
    assert {said["S2_0"][0], said["S2_2"][0]} == {"ok"}


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, api: StacApi) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "scenes").write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"S2_\d/\w+\.tif cannot be written .*: free or mount"):
        choose(tmp_path, api.root)
    assert not (tmp_path / "results" / "scenes.parquet").exists()


LOST = "scene_provider_error"
FAULTS = [
    ("429", {"times": 2, "each": True}, "ok", ""),
    ("429", {"times": 1, "retry_after": "1"}, "ok", ""),
    ("429", {}, LOST, "asset=B02 reason=http_429 attempts=4"),
    ("429", {"retry_after": "3600"}, LOST, "asset=B02 reason=http_429 attempts=1"),
    ("500", {"times": 3, "each": True}, "ok", ""),
    ("500", {}, LOST, "asset=B02 reason=http_500 attempts=4"),
    ("502", {"times": 2, "each": True}, "ok", ""),
    ("503", {"times": 3, "each": True}, "ok", ""),
    ("404", {}, LOST, "asset=B02 reason=http_404 attempts=1"),
    ("403", {}, LOST, "asset=B02 reason=http_403 attempts=1"),
    ("truncated", {"times": 2, "each": True}, "ok", ""),
    ("truncated", {}, LOST, "asset=B02 reason=truncated_answer attempts=4"),
    ("html", {"times": 1, "each": True}, "ok", ""),
    ("html", {}, LOST, "asset=B02 reason=html_answer attempts=4"),
    ("dropped", {"times": 2, "each": True}, "ok", ""),
    ("dropped", {}, LOST, "asset=B02 reason=connection_lost attempts=4"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "how", "code", "words"), FAULTS)
def test_a_fault_costs_attempts_and_at_worst_its_own_scene(
    tmp_path: Path, api: StacApi, kind: str, how: dict[str, object], code: str, words: str
) -> None:
    api.faults = [Fault(kind, path=r"S2_1_B02\.tif$", **how)]  # type: ignore[arg-type]
    results = choose(tmp_path, api.root)
    said = told(results / "chosen.parquet")
    assert {said["S2_0"][0], said["S2_2"][0]} == {"ok"}
    assert said["S2_1"][0] == code
    if code != "ok":
        assert said["S2_1"][1] == words
        assert api.asked(r"S2_1_B02\.tif") == int(words[-1])
    observe(tmp_path)
    rows = read_table(results / "observations.parquet")
    seen = {"S2_0", "S2_2"} | ({"S2_1"} if code == "ok" else set())
    assert set(rows["scene_id"]) == seen
    assert rows["B02_mean"].notna().all()
    lost = told(results / "observed.parquet")
    assert lost["a"][0] == "ok"
    assert ("lost_dates=1" in lost["a"][1]) == (code != "ok")
    # and a well service mends it, without a byte of what is there
    api.reset()
    choose(tmp_path, api.root)
    assert told(results / "chosen.parquet")["S2_1"][0] == "ok"
    assert api.asked(r"S2_[02]_.*\.tif") == 0
    undisturbed = choose(tmp_path / "other", api.root)
    assert files_of(undisturbed) == {
        name: data for name, data in files_of(results).items() if not name.startswith("observ")
    }
