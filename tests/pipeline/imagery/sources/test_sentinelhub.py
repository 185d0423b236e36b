from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from fieldline.pipeline.imagery import scenes as stage
from fieldline.pipeline.imagery import web
from fieldline.pipeline.imagery.county_plan import CountyPlan
from fieldline.pipeline.imagery.scenes import plan_scenes
from fieldline.pipeline.imagery.settings import BudgetSettings
from fieldline.pipeline.imagery.sources.sentinelhub import SentinelHubSource, evalscript
from fieldline.pipeline.imagery.tariffs import processing_units
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.having_accounts import (
    HUB_SCENES,
    SECRETS,
    Copernicus,
    copernicus,
    point_to,
    sign_in,
)
from tests.pipeline.imagery.pulling import (
    QUICK,
    SIZE,
    choose,
    county,
    files_of,
    files_up_to,
    observe,
    scenes_of,
    told,
)
from tests.pipeline.imagery.tiny_archive import (
    GRID,
    RADIOMETRY,
    SEASON,
    TinyScene,
    pixel_box,
    write_archive,
    write_parcels,
)
from tests.services.loopback import Fault, Request, Response, as_json
from tests.services.sentinel_hub import PROCESS, SPENT

ADDRESS = "sentinelhub:cdse"


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Copernicus]:
    write_archive(tmp_path / "archive", scenes_of())
    with copernicus(tmp_path / "archive") as running:
        point_to(running, monkeypatch, tmp_path)
        sign_in(monkeypatch)
        yield running


def pull(folder: Path, **changes: Any) -> Path:
    return choose(folder, ADDRESS, **{"scenes": HUB_SCENES, **changes})


def observed(folder: Path) -> Any:
    return read_table(observe(folder) / "observations.parquet")


def test_an_archive_and_sentinel_hub_before_it_give_equal_observations(
    tmp_path: Path, services: Copernicus
) -> None:
    choose(tmp_path / "disk", None, tmp_path / "archive" / "catalog.json")
    pull(tmp_path / "hub")
    first, second = observed(tmp_path / "disk"), observed(tmp_path / "hub")
    assert len(first) == 6
    assert first.equals(second)


def test_one_request_renders_one_scene_on_the_countys_grid(
    tmp_path: Path, services: Copernicus
) -> None:
    results = pull(tmp_path)
    assert services.hub.asked(PROCESS) == 3
    asked = services.hub.bodies[0]
    assert asked["input"]["bounds"]["properties"]["crs"].endswith("/EPSG/0/32632")
    west, south, east, north = asked["input"]["bounds"]["bbox"]
    assert (east - west, north - south) == (
        10 * asked["output"]["width"],
        10 * asked["output"]["height"],
    )
    assert asked["input"]["data"][0]["processing"]["harmonizeValues"] is True
    with (
        rasterio.open(results / "scenes/S2_1/B04.tif") as copy,
        rasterio.open(tmp_path / "archive/files/S2_1_B04.tif") as whole,
    ):
        # the parcels span pixels 0.3 to 31.7 and 0.6 to 33.3 of the archive
        assert (copy.width, copy.height, copy.nodata) == (32, 34, 65535)
        assert copy.transform == whole.transform
        assert np.array_equal(copy.read(1), whole.read(1)[:34, :32])
    assert not (results / "scenes/S2_1/windows").exists()


def test_a_county_beyond_the_services_size_is_rendered_in_equal_windows(
    tmp_path: Path, services: Copernicus, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pull(tmp_path / "whole")
    services.hub.reset()
    monkeypatch.setattr(SentinelHubSource, "side", 20)
    parts = pull(tmp_path / "parts")
    sizes = {(b["output"]["width"], b["output"]["height"]) for b in services.hub.bodies[3:]}
    assert sizes == {(16, 17)}  # 32 x 34 pixels in 2 x 2 windows
    assert services.hub.asked(PROCESS) == 12
    for name in ("B02", "B04", "SCL"):
        with (
            rasterio.open(whole / f"scenes/S2_2/{name}.tif") as one,
            rasterio.open(parts / f"scenes/S2_2/{name}.tif") as other,
        ):
            assert np.array_equal(one.read(1), other.read(1))


def test_a_window_that_came_is_not_asked_for_again_when_its_scene_did_not(
    tmp_path: Path, services: Copernicus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SentinelHubSource, "side", 20)
    services.hub.faults = [Fault("500", path=PROCESS, after=3)]
    first = pull(tmp_path, pull=QUICK.model_copy(update={"connections": 1}))
    assert {code for code, _ in told(first / "chosen.parquet").values()} == {"scene_provider_error"}
    services.hub.reset()
    mended = pull(tmp_path)
    assert services.hub.asked(PROCESS) == 12 - 3
    assert files_of(mended) == files_of(pull(tmp_path / "undisturbed"))


@pytest.mark.parametrize("size", [400_000, 800_000])
def test_a_band_that_the_disk_cuts_short_is_one_sentence_and_no_file(
    tmp_path: Path, services: Copernicus, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A window takes 0.2 MB and the band of 16 of them 0.9 MB, of which GDAL loses the end."""
    monkeypatch.setattr(SentinelHubSource, "side", 200)
    shape = {"a": pixel_box(0.5, 0.5, SIZE - 0.5, SIZE - 0.5)}
    whole = write_parcels(tmp_path / "whole.parquet", shape)
    with (
        files_up_to(size),
        pytest.raises(
            UserError, match=r"windows cannot be written \(Input/output error\): free or"
        ),
    ):
        pull(tmp_path, parcels=whole)
    asked = services.hub.asked(PROCESS)
    left = files_of(tmp_path / "results")
    assert not [name for name in left if re.search(r"(B0\d|SCL)\.|\.tmp$|scenes\.parquet", name)]
    results = pull(tmp_path, parcels=whole)
    assert services.hub.asked(PROCESS) == 3 * 16  # no window that came is asked for again
    assert asked >= 16
    for name in ("B02", "B04"):
        with (
            rasterio.open(results / f"scenes/S2_1/{name}.tif") as copy,
            rasterio.open(tmp_path / f"archive/files/S2_1_{name}.tif") as original,
        ):
            assert np.array_equal(copy.read(1), original.read(1))


def test_files_of_other_parcels_are_not_read_where_a_scene_does_not_come(
    tmp_path: Path, services: Copernicus
) -> None:
    shape = {"a": pixel_box(0.3, 0.6, 11.5, 9.2)}
    alone = write_parcels(tmp_path / "alone.parquet", shape)
    pull(tmp_path, parcels=alone)
    services.hub.faults = [Fault("503", path=PROCESS)]
    results = pull(tmp_path)
    assert {code for code, _ in told(results / "chosen.parquet").values()} == {
        "scene_provider_error"
    }
    observe(tmp_path)
    # a date that was lost is not one that does not cover the parcel
    observed = told(results / "observed.parquet")
    assert observed["a"] == observed["b"] == ("no_readable_scene", "lost_dates=3")


def test_a_rerun_asks_for_no_pixel(tmp_path: Path, services: Copernicus) -> None:
    before = files_of(pull(tmp_path))
    services.hub.reset()
    assert files_of(pull(tmp_path)) == before
    assert (services.hub.asked(PROCESS), services.hub.sent) == (0, 0)


def planned(folder: Path, parcels: Path | None = None) -> CountyPlan:
    return plan_scenes(
        catalog=None, outlines=gpd.read_parquet(parcels or county(folder)), season=SEASON,
        scenes=HUB_SCENES, grid=GRID, pull=QUICK, folder=folder / "results", remote=ADDRESS,
    )  # fmt: skip


def test_the_plan_tells_windows_and_units_and_nothing_once_all_is_there(
    tmp_path: Path, services: Copernicus
) -> None:
    plan = planned(tmp_path)
    assert services.hub.asked(PROCESS) == 0
    # 3 scenes of 32 x 34 pixels, 3 bands and the data mask, of 2 bytes
    assert plan.to_come.requests == 3
    assert plan.to_come.bytes == 3 * 32 * 34 * 4 * 2
    assert plan.units == pytest.approx(3 * processing_units(34, 32, 3))
    pull(tmp_path)
    assert services.hub.asked(PROCESS) == plan.to_come.requests
    assert services.hub.units == pytest.approx(plan.units)
    told_apart = {(scene.rendered_files, scene.bound_files, scene.faults) for scene in plan.scenes}
    assert told_apart == {(3, 0, ())}
    after = planned(tmp_path)
    assert (after.to_come.requests, after.to_come.bytes, after.units) == (0, 0, 0)
    assert sum(scene.files_there for scene in after.scenes) == 9
    assert {scene.rendered_files for scene in after.scenes} == {0}


def test_units_are_planned_as_spent_where_a_window_is_no_least_one(
    tmp_path: Path, services: Copernicus
) -> None:
    """Windows of 300 x 200 pixels: 0.2289 of 512 x 512, three bands, and no mask counted."""
    wide = write_parcels(tmp_path / "wide.parquet", {"a": pixel_box(0.3, 0.3, 299.7, 199.7)})
    plan = planned(tmp_path, wide)
    pull(tmp_path, parcels=wide)
    assert plan.units == pytest.approx(3 * 300 * 200 / 512**2)
    assert services.hub.units == pytest.approx(plan.units)


def test_no_window_is_asked_for_whose_bytes_would_exceed_the_budget(
    tmp_path: Path, services: Copernicus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan let everything pass: a window of 32 x 34 pixels, four bands of 2 bytes."""
    monkeypatch.setattr(stage, "check_plan", lambda *_: None)
    for allowed, asked in ((8703, 0), (8704, 1)):
        limits = {"budget": BudgetSettings(bytes=allowed), "connections": 1}
        with pytest.raises(
            UserError, match=rf"`pull\.budget\.bytes` of {allowed} would be exceeded"
        ):
            pull(tmp_path / str(allowed), pull=QUICK.model_copy(update=limits))
        assert services.hub.asked(PROCESS) == asked


def test_a_budget_of_units_stops_the_run_before_a_window_is_asked_for(
    tmp_path: Path, services: Copernicus
) -> None:
    least = QUICK.model_copy(update={"budget": BudgetSettings(processing_units=0.001)})
    with pytest.raises(UserError, match=r"budget `pull\.budget\.processing_units` of 0\.001"):
        pull(tmp_path, pull=least)
    assert services.hub.asked(PROCESS) == 0


def test_another_band_is_asked_for_alone(tmp_path: Path, services: Copernicus) -> None:
    fewer = HUB_SCENES.model_copy(update={"bands": ("B02",)})
    pull(tmp_path, scenes=fewer)
    pull(tmp_path)
    assert services.hub.bodies[-1]["evalscript"] == evalscript(["B04"])


def test_zero_is_a_dark_pixel_and_a_missing_one_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # reflectance -0.05, 0.0, missing and 0.5 as baseline 05.10 stores them
    numbers = np.full((40, 40), 6000)
    numbers[0, :3] = (500, 1000, 0)
    bands = {"B02": numbers, "B04": numbers, "SCL": np.full((40, 40), 4)}
    name = "S2A_MSIL2A_20210510T102021_N0510_R065_T32UQU_20210510T140000"
    shifted = {**RADIOMETRY, "offset": -0.1}
    write_archive(tmp_path / "archive", [TinyScene(name, bands, radiometry=shifted)])
    with copernicus(tmp_path / "archive") as running:
        point_to(running, monkeypatch, tmp_path)
        sign_in(monkeypatch)
        results = pull(tmp_path)
    with rasterio.open(results / f"scenes/{name}/B04.tif") as file:
        assert file.read(1)[0, :4].tolist() == [0, 0, 65535, 5000]
    kept = read_table(results / "scenes.parquet")
    assert kept["s2:processing_baseline"].tolist() == ["05.10"]
    said = kept["assets"][0]["B04"]["raster:bands"][0]
    assert (said["scale"], said["offset"], said["nodata"]) == (1e-4, 0.0, 65535)


def test_a_token_that_ends_in_mid_run_costs_one_request(
    tmp_path: Path, services: Copernicus
) -> None:
    services.hub.faults = [Fault("token_ends", path=PROCESS, after=1, times=1)]
    results = pull(tmp_path, pull=QUICK.model_copy(update={"connections": 1}))
    assert {code for code, _ in told(results / "chosen.parquet").values()} == {"ok"}
    assert services.hub.asked(PROCESS) == 3 + 1
    assert len(services.tokens.given) == 2


def test_credits_that_are_spent_end_the_asking_and_no_parcel_is_lost(
    tmp_path: Path, services: Copernicus
) -> None:
    services.hub.faults = [Fault("403", path=PROCESS, after=1, body=SPENT)]
    results = pull(tmp_path, pull=QUICK.model_copy(update={"connections": 1}))
    said = told(results / "chosen.parquet")
    assert said["S2_0"][0] == "ok"
    assert said["S2_1"] == (
        "scene_provider_error",
        "asset=window reason=credits_spent attempts=1",
    )
    assert said["S2_2"][1] == "asset=window reason=credits_spent attempts=0"
    assert services.hub.asked(PROCESS) == 2
    assert len(observed(tmp_path)) == 2
    lost = told(tmp_path / "results/observed.parquet")
    assert [lost[name][0] for name in ("a", "b")] == ["ok", "ok"]
    assert "lost_dates=2" in lost["a"][1]


def test_a_wait_is_stated_in_milliseconds(tmp_path: Path, services: Copernicus) -> None:
    services.hub.faults = [Fault("429", path=PROCESS, times=2, retry_after="1500")]
    results = pull(tmp_path)  # 1500 s would be longer than any wait allowed
    assert {code for code, _ in told(results / "chosen.parquet").values()} == {"ok"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"client_secret": "wrong-hush"}, "account 'cdse' is refused by 127.0.0.1:"),
        ({"client_id": " "}, "sentinelhub:cdse needs an account: client_id and client_secret"),
    ],
)
def test_a_wrong_account_stops_the_run_before_anything_is_written(
    tmp_path: Path,
    services: Copernicus,
    monkeypatch: pytest.MonkeyPatch,
    keys: dict[str, str],
    words: str,
) -> None:
    sign_in(monkeypatch, **keys)
    with pytest.raises(UserError, match=words):
        pull(tmp_path)
    assert not (tmp_path / "results").exists()
    assert services.hub.requests == []


def test_another_collection_is_refused_by_name(tmp_path: Path, services: Copernicus) -> None:
    other = HUB_SCENES.model_copy(update={"collection": "sentinel-2-l1c"})
    with pytest.raises(UserError) as caught:
        pull(tmp_path, scenes=other)
    assert str(caught.value) == (
        "sentinelhub:cdse is asked for sentinel-2-l2a and not for 'sentinel-2-l1c': "
        "set scenes.collection to sentinel-2-l2a."
    )
    services.hub.offered = ("sentinel-1-grd",)
    with pytest.raises(UserError, match=r"does not answer as Sentinel Hub \(http_404\)"):
        pull(tmp_path)


@pytest.mark.parametrize(
    ("fault", "word"),
    [("html", "html_answer"), ("500", "http_500"), ("403", "http_403"), ("429", "http_429")],
)
def test_a_catalog_that_does_not_answer_is_one_sentence(
    tmp_path: Path, services: Copernicus, fault: str, word: str
) -> None:
    services.hub.faults = [Fault(fault, path="/search$")]
    with pytest.raises(UserError) as caught:
        pull(tmp_path)
    assert str(caught.value) == (
        f"{services.hub.host} does not answer as Sentinel Hub ({word}): "
        "check inputs.catalog and the account."
    )


def test_a_search_that_drips_ends_with_the_runs_time(tmp_path: Path, services: Copernicus) -> None:
    """Each drop comes before silence counts; the whole page would take minutes."""
    services.hub.faults = [Fault("drip", path="/search$", piece=20, pause=0.4)]
    start = time.monotonic()
    with pytest.raises(UserError) as caught:
        pull(tmp_path, pull=QUICK.model_copy(update={"run_deadline_s": 1.5}))
    assert time.monotonic() - start < 10
    assert str(caught.value) == (
        f"{services.hub.host} does not answer as Sentinel Hub (run_deadline): "
        "raise pull.run_deadline_s, or run again when the service is faster."
    )
    assert services.hub.asked("/search") == 1


def test_a_page_without_end_is_not_read(
    tmp_path: Path, services: Copernicus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_LARGEST_DOCUMENT", 400)  # two items take more, a token less
    with pytest.raises(UserError, match=r"does not answer as Sentinel Hub \(answer_too_large\)"):
        pull(tmp_path)
    assert services.hub.asked("/search") == 1  # it would be no smaller the second time


def test_a_catalog_that_names_the_same_next_page_for_ever_is_left(
    tmp_path: Path, services: Copernicus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty pages bring no item twice, so that only their `next` tells."""
    respond = services.hub.respond

    def circling(asked: Request) -> Response:
        if asked.path.endswith("/search"):
            asked_for = asked.document().get("next")
            assert services.hub.asked("/search") < 9, "it would go on for ever"
            following = {None: "b", "b": "c", "c": "b"}[asked_for]
            return as_json({"features": [], "context": {"next": following}})
        return respond(asked)

    monkeypatch.setattr(services.hub, "respond", circling)
    pull(tmp_path, pull=QUICK.model_copy(update={"run_deadline_s": 20}))
    assert services.hub.asked("/search") == 3  # the first, b and c


def test_items_listed_twice_are_one_scene(tmp_path: Path, services: Copernicus) -> None:
    services.hub.twice = True
    services.hub.page = 3
    results = pull(tmp_path)
    assert {name: code for name, (code, _) in told(results / "chosen.parquet").items()} == {
        "S2_0": "ok", "S2_1": "ok", "S2_2": "ok",
    }  # fmt: skip


def test_no_secret_is_in_any_file_log_or_document(
    tmp_path: Path, services: Copernicus, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("fieldline", "urllib3", "rasterio"):
        caplog.set_level(logging.DEBUG, name)
    services.hub.faults = [Fault("500", path=PROCESS, times=1), Fault("429", path=PROCESS, after=2)]
    results = pull(tmp_path)
    observe(tmp_path)
    services.hub.reset()
    pull(tmp_path)
    everything = b"".join(files_of(results).values()) + caplog.text.encode()
    assert "attempt 1 of 4" in caplog.text
    for secret in (*SECRETS, *services.tokens.given):
        assert secret.encode() not in everything
    assert b"S2_1" in b"".join(files_of(results).values())


def test_the_evalscript_gives_samples_as_they_are() -> None:
    assert evalscript(["B04", "SCL"]) == (
        "//VERSION=3\n"
        "function setup() {\n"
        '  return {input: [{bands: ["B04", "SCL", "dataMask"], units: "DN"}],\n'
        '    output: {id: "default", bands: 3, sampleType: "UINT16"}};\n'
        "}\n"
        "function evaluatePixel(sample) {\n"
        "  return [sample.B04, sample.SCL, sample.dataMask];\n"
        "}\n"
    )
