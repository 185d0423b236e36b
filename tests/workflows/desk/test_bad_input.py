"""What is wrong with a county or a request is said, and the rest of the desk goes on."""

from __future__ import annotations

import select
import shutil
import socket
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from fastapi.testclient import TestClient

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.guards import MOST_BYTES
from fieldline.desk.app.places import Shelf
from fieldline.desk.app.server import application
from tests.workflows.conftest import ChainRun
from tests.workflows.desk.conftest import PLACE, table


def client_of(results: Path) -> TestClient:
    desk = Desk(Shelf(results), "sqlite:///nowhere.sqlite")
    return TestClient(application(desk), base_url="http://127.0.0.1")


@pytest.fixture
def without_images(tiny_run: ChainRun, tmp_path: Path) -> Path:
    place = tmp_path / PLACE
    place.mkdir(parents=True)
    for name in ("parcels", "crops", "evidence"):
        shutil.copy(tiny_run.folder / f"{name}.parquet", place)
    return tmp_path


def test_a_parcel_without_images_is_shown_with_what_is_known(without_images: Path) -> None:
    client = client_of(without_images)
    parcel = table(without_images, "evidence")["parcel_id"].iloc[0]
    page = client.get(f"/parcel/{PLACE}/{parcel}?lang=en")
    assert page.status_code == 200
    assert parcel in page.text
    series = client.get(f"/api/{PLACE}/parcels/{parcel}/series").json()
    assert series["observed"] == series["curve"] == series["weather"] == []
    chip = client.get(f"/chips/{PLACE}/{parcel}/2024-06-01.png")
    assert chip.status_code == 409
    assert "run the scenes stage first" in chip.json()["error"]


def test_a_county_with_parcels_half_a_world_apart_has_a_map(tmp_path: Path) -> None:
    """A slip of axes that intake let pass, or two branches in one county: both can be seen."""
    place = tmp_path / PLACE
    place.mkdir(parents=True)
    boxes = [shapely.box(x, y, x + 0.001, y + 0.001) for x, y in ((115.9, 33.2), (-70, -15))]
    names = {"parcel_id": ["A", "B"], "farmer_id": ["F1", "F2"], "village": None}
    areas = {"declared_crop": None, "declared_area_m2": 9e3, "metrics:area": 9e3}
    gpd.GeoDataFrame({**names, **areas}, geometry=boxes, crs=4326).to_parquet(
        place / "parcels.parquet"
    )
    client = client_of(tmp_path)
    told = client.get(f"/api/{PLACE}/map").json()
    assert told["bounds"] == pytest.approx([-70, -15, 115.901, 33.201])
    assert client.get(told["tiles"], headers={"Range": "bytes=0-6"}).content == b"PMTiles"
    assert told["coarse"][0] == 0
    hit = client.get(f"/api/{PLACE}/search", params={"q": "b"}).json()[0]
    for sql in ("b' OR '1'='1", "b%", "'; DROP TABLE offers; --"):
        assert client.get(f"/api/{PLACE}/search", params={"q": sql}).json() == []
    assert hit["bounds"] == pytest.approx([-70, -15, -69.999, -14.999])


def test_a_body_that_never_ends_is_cut_off(address: str) -> None:
    """A gigabyte without an announced length: no more of it is taken than a photograph has."""
    host = address.removeprefix("http://")
    head = (
        f"POST /reviews/x/decide HTTP/1.1\r\nHost: {host}\r\nOrigin: {address}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    start = b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
    part = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
    name, port = host.split(":")
    sent = 0
    with socket.create_connection((name, int(port)), timeout=30) as line:
        line.sendall(head.encode() + f"{len(start):x}\r\n".encode() + start + b"\r\n")
        while sent < 1024 and not select.select([line], [], [], 0)[0]:
            try:
                line.sendall(part)
            except OSError:
                break
            sent += 1
        answer = line.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413")
    # What is on its way in the buffers of both ends comes on top.
    assert MOST_BYTES // 2**20 <= sent < 100
