"""The doubles spoken to by sentinelhub-py, a client that knows nothing of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from sentinelhub import (
    CRS,
    BBox,
    DataCollection,
    MimeType,
    SentinelHubCatalog,
    SentinelHubRequest,
    SHConfig,
)

from fieldline.pipeline.imagery.sources.sentinelhub import evalscript
from tests.pipeline.imagery.pulling import scenes_of
from tests.pipeline.imagery.tiny_archive import X, Y, write_archive
from tests.services import oauth
from tests.services.loopback import serving
from tests.services.oauth import TokenService
from tests.services.sentinel_hub import SentinelHub

BOX = BBox((X, Y - 1000, X + 800, Y), CRS("32632"))
MOMENT = ("2021-05-20T09:59:59Z", "2021-05-20T10:00:02Z")
TWO = """//VERSION=3
function setup() {
  return {input: [{bands: ["B02", "SCL"], units: "DN"}],
    output: [{id: "bands", bands: 1, sampleType: "UINT16"},
      {id: "masks", bands: 1, sampleType: "UINT8"}]};
}
function evaluatePixel(sample) { return {bands: [sample.B02], masks: [sample.SCL]}; }
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SentinelHub]:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # loopback speaks no TLS
    write_archive(tmp_path / "archive", scenes_of())
    with (
        serving(TokenService()) as tokens,
        serving(SentinelHub(tmp_path / "archive", tokens)) as on,
    ):
        yield on


def config(hub: SentinelHub) -> SHConfig:
    found = SHConfig(use_defaults=True)
    found.sh_client_id, found.sh_client_secret = oauth.CLIENT, oauth.SECRET
    found.sh_base_url, found.sh_token_url = hub.host, hub.tokens.address
    return found


def asked(hub: SentinelHub, script: str, *names: str) -> SentinelHubRequest:
    collection = DataCollection.SENTINEL2_L2A.define_from(f"at {hub.port}", service_url=hub.host)
    return SentinelHubRequest(
        evalscript=script,
        input_data=[SentinelHubRequest.input_data(collection, time_interval=MOMENT)],
        responses=[SentinelHubRequest.output_response(name, MimeType.TIFF) for name in names],
        bbox=BOX,
        size=(80, 100),
        config=config(hub),
    )


def pixels(hub: SentinelHub, band: str) -> np.ndarray:
    with rasterio.open(hub.archive / f"files/S2_1_{band}.tif") as file:
        return np.asarray(file.read(1)[:100, :80])


def test_its_catalog_finds_every_page(hub: SentinelHub) -> None:
    found = SentinelHubCatalog(config=config(hub)).search(
        "sentinel-2-l2a", bbox=BOX, time=("2021-03-01", "2021-09-30")
    )
    assert [item["id"] for item in found] == ["S2_0", "S2_1", "S2_2"]
    assert hub.asked("/search$") == 2  # two items a page


def test_our_evalscript_gives_it_the_archives_own_pixels(hub: SentinelHub) -> None:
    (image,) = asked(hub, evalscript(["B02", "SCL"]), "default").get_data()
    assert image.dtype == np.uint16
    assert np.array_equal(image[..., 0], pixels(hub, "B02"))
    assert np.array_equal(image[..., 1], pixels(hub, "SCL"))
    assert (image[..., 2] == 1).all()


def test_two_outputs_come_as_a_tar(hub: SentinelHub) -> None:
    (images,) = asked(hub, TWO, "bands", "masks").get_data()
    assert np.array_equal(images["bands.tif"], pixels(hub, "B02"))
    assert np.array_equal(images["masks.tif"], pixels(hub, "SCL"))
    assert images["masks.tif"].dtype == np.uint8
