from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import pytest

from fieldline.pipeline.imagery import web
from fieldline.pipeline.imagery.range_store import RangeStore
from fieldline.pipeline.imagery.remote_file import RemoteFile
from fieldline.pipeline.imagery.sources.providers import Provider
from fieldline.pipeline.imagery.sources.stac import StacSource
from fieldline.pipeline.imagery.web import WebError, patient_session
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season
from tests.pipeline.imagery.pulling import QUICK, SCENES, choose, scenes_of, told
from tests.pipeline.imagery.tiny_archive import SEASON, TinyScene, write_archive
from tests.services.stac_api import Fault, StacApi, serving

BOX = (9.0, 47.0, 12.0, 49.0)
RED = {"B02": [[1, 2]], "B04": [[1, 2]], "SCL": [[4, 4]]}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[StacApi]:
    write_archive(tmp_path / "archive", [TinyScene(f"S2_{n}", RED, hour=n) for n in range(7)])
    with serving(StacApi(tmp_path / "archive")) as service:
        yield service


def found(
    api: StacApi, box: tuple[float, float, float, float] = BOX, **season: object
) -> list[str]:
    source = StacSource(Provider("api", "stac", api.root), "tiny", QUICK)
    asked = Season(**{**SEASON.model_dump(), **season})  # type: ignore[arg-type]
    return [item.name for item in source.search(box, asked).sources]


@pytest.mark.parametrize("post", [True, False])
def test_every_page_is_read_whichever_way_the_api_is_searched(api: StacApi, post: bool) -> None:
    api.post = post
    assert found(api) == [f"S2_{number}" for number in range(7)]
    searches = [method for method, path in api.requests if "/search" in path]
    assert searches == ["POST" if post else "GET"] * 4  # seven items, two a page


def test_area_and_dates_are_asked_for(api: StacApi) -> None:
    assert found(api, (20.0, 47.0, 21.0, 49.0)) == []
    assert found(api, start="2021-06-01") == []
    assert found(api, as_of="2021-05-01") == []
    assert len(found(api, as_of="2021-05-09")) == 7  # a day more: the season counts by the sun


def test_a_page_in_the_middle_that_fails_for_now_is_asked_again(api: StacApi) -> None:
    api.faults = [Fault("503", path="/search$", times=2)]
    assert len(found(api)) == 7
    assert api.asked("/search") == 4 + 2


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("fault", "word"),
    [("html", "html_answer"), ("500", "http_500"), ("404", "http_404"), ("429", "http_429")],
)
@pytest.mark.parametrize("path", ["/api$", "/collections$", "/search$"])
def test_an_api_that_does_not_answer_is_one_sentence(
    tmp_path: Path, api: StacApi, fault: str, word: str, path: str
) -> None:
    api.faults = [Fault(fault, path=path)]
    with pytest.raises(UserError) as caught:
        choose(tmp_path, api.root)
    assert str(caught.value) == (
        f"{api.root} does not answer as a STAC API ({word}): "
        "give the root of the provider's STAC API as inputs.catalog."
    )
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("path", ["/api$", "/collections$", "/search$"])
def test_an_answer_that_drips_ends_with_the_runs_time(
    tmp_path: Path, api: StacApi, path: str
) -> None:
    """Each drop comes before silence counts; the whole answer would take most of a minute."""
    api.faults = [Fault("drip", path=path, piece=5, pause=0.4)]
    start = time.monotonic()
    with pytest.raises(UserError) as caught:
        choose(tmp_path, api.root, pull=QUICK.model_copy(update={"run_deadline_s": 1.5}))
    assert time.monotonic() - start < 10
    assert str(caught.value) == (
        f"{api.root} does not answer as a STAC API (run_deadline): "
        "raise pull.run_deadline_s, or run again when the service is faster."
    )


def test_an_answer_larger_than_any_page_is_not_read(
    tmp_path: Path, api: StacApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_LARGEST_DOCUMENT", 100)
    with pytest.raises(UserError, match=r"does not answer as a STAC API \(answer_too_large\)"):
        choose(tmp_path, api.root)
    assert len(api.requests) == 1


def test_a_signature_that_drips_ends_with_the_runs_time(api: StacApi) -> None:
    api.faults = [Fault("drip", path="/sign$", piece=1, pause=0.4)]
    brief = QUICK.model_copy(update={"run_deadline_s": 1.0})
    source = StacSource(Provider("api", "stac", api.root, f"{api.root}/sign"), "tiny", brief)
    start = time.monotonic()
    with pytest.raises(WebError, match="run_deadline"):
        source.address_for_reading(f"{api.host}/files/S2_0_B04.tif")
    assert time.monotonic() - start < 8


def test_a_wrong_root_is_one_sentence(tmp_path: Path, api: StacApi) -> None:
    host = f"http://127.0.0.1:{api.port}"
    wrong = {
        f"{host}/nothing": "(http_404)",
        f"{host}/api/collections": "(not_stac)",
        f"{host}/api/collections/tiny": "(not_stac)",
        f"http://127.0.0.1:{unused_port()}": "(connection_refused)",
        "http://no-such-host.invalid": "(name_not_resolved)",
    }
    for root, word in wrong.items():
        with pytest.raises(UserError) as caught:
            choose(tmp_path, root)
        assert str(caught.value).startswith(f"{root} does not answer as a STAC API {word}: ")


def test_an_unknown_collection_is_named_with_those_there_are(tmp_path: Path, api: StacApi) -> None:
    settings = SCENES.model_copy(update={"collection": "sentinel-2-l3"})
    with pytest.raises(UserError) as caught:
        choose(tmp_path, api.root, scenes=settings)
    assert str(caught.value) == (
        f"{api.root} holds no collection 'sentinel-2-l3': set scenes.collection to one of ['tiny']."
    )


def test_a_county_without_parcels_asks_nothing_of_the_provider(
    tmp_path: Path, api: StacApi
) -> None:
    choose(tmp_path / "full", api.root)
    empty = gpd.read_parquet(tmp_path / "full" / "parcels.parquet").iloc[:0]
    empty.to_parquet(tmp_path / "empty.parquet")
    api.reset()
    with pytest.raises(UserError, match="the county has no accepted parcel"):
        choose(tmp_path, api.root, parcels=tmp_path / "empty.parquet")
    assert api.requests == []


def test_one_odd_item_costs_one_scene(tmp_path: Path) -> None:
    write_archive(tmp_path / "archive", scenes_of(2))
    path = tmp_path / "archive/tiny/S2_1/S2_1.json"
    path.write_text(path.read_text().replace('"scale": 0.0001', '"scale": "many"'))
    with serving(StacApi(tmp_path / "archive")) as api:
        results = choose(tmp_path, api.root)
    said = told(results / "chosen.parquet")
    assert said["S2_0"][0] == "ok"
    assert said["S2_1"][0] == "scene_invalid_item"
    assert "field=assets.B02.raster:bands.0.scale value=many" in said["S2_1"][1]


def test_addresses_are_signed_when_they_are_read(api: StacApi, tmp_path: Path) -> None:
    api.signed = True
    href = f"http://127.0.0.1:{api.port}/files/S2_0_B04.tif"
    source = StacSource(Provider("api", "stac", api.root, f"{api.root}/sign"), "tiny", QUICK)
    with patient_session(QUICK) as session:
        with pytest.raises(WebError, match="http_403"):
            RemoteFile(session, lambda: href, RangeStore(tmp_path / "a.parts"))
        signed = lambda: source.address_for_reading(href)  # noqa: E731
        file = RemoteFile(session, signed, RangeStore(tmp_path / "b.parts"))
    assert file.read(0, 4) == b"II*\0"
    assert file.size == (api.archive / "files" / "S2_0_B04.tif").stat().st_size
