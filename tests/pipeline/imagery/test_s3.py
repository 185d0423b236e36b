from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import requests
from rasterio.shutil import copy as copy_raster

from fieldline.pipeline.imagery.accounts import Account, AccountError
from fieldline.pipeline.imagery.layout import read_layout
from fieldline.pipeline.imagery.range_store import RangeStore
from fieldline.pipeline.imagery.remote_file import RemoteFile
from fieldline.pipeline.imagery.s3 import S3Auth, https_address, sign
from fieldline.pipeline.imagery.sources.providers import Provider
from fieldline.pipeline.imagery.web import WebError, patient_session
from tests.pipeline.imagery.pulling import QUICK
from tests.services.loopback import Fault, serving
from tests.services.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Store

KEYS = Account("cdse", s3_access_key=ACCESS_KEY, s3_secret_key=SECRET_KEY)


def test_the_signature_is_that_of_the_specifications_example() -> None:
    # "Example: GET Object" in AWS' "Authenticating Requests" (Signature Version 4)
    keys = Account(
        "aws",
        s3_access_key="AKIAIOSFODNN7EXAMPLE",
        s3_secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    address = "https://examplebucket.s3.amazonaws.com/test.txt"
    request = requests.Request("GET", address, headers={"Range": "bytes=0-9"}).prepare()
    sign(request, keys, dt.datetime(2013, 5, 24, tzinfo=dt.UTC), "us-east-1")
    assert request.headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_an_s3_address_is_a_path_at_the_endpoint() -> None:
    assert (
        https_address("s3://eodata/Sentinel-2/MSI/L2A/a b+c.jp2", "https://eodata.org/")
        == "https://eodata.org/eodata/Sentinel-2/MSI/L2A/a%20b%2Bc.jp2"
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[S3Store]:
    numbers = np.random.default_rng(5).integers(1, 9000, (1, 2300, 2100), dtype="uint16")
    profile = {
        "driver": "GTiff", "height": 2300, "width": 2100, "count": 1, "dtype": "uint16",
        "crs": "EPSG:32632", "transform": rasterio.Affine(10, 0, 600000, 0, -10, 5340000),
    }  # fmt: skip
    with rasterio.open(tmp_path / "plain.tif", "w", **profile) as file:
        file.write(numbers)
    tiled = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    copy_raster(tmp_path / "plain.tif", tmp_path / "B04 10m.tif", driver="GTiff", **tiled)
    lossless = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": "256", "BLOCKYSIZE": "256"}
    copy_raster(tmp_path / "plain.tif", tmp_path / "B04 10m.jp2", driver="JP2OpenJPEG", **lossless)
    with serving(S3Store(tmp_path)) as service:
        yield service


def opened(store: S3Store, name: str, account: Account = KEYS) -> RemoteFile:
    provider = Provider("cdse", "stac", "", account="cdse", s3=store.host)
    session = patient_session(QUICK)
    session.auth = S3Auth(provider, account)
    address = https_address(f"s3://{BUCKET}/{name}", store.host)
    return RemoteFile(session, lambda: address, RangeStore(store.folder / f"{name}.parts"))


@pytest.mark.parametrize("kind", ["tif", "jp2"])
def test_tiles_of_cogs_and_of_jpeg_2000_are_read_with_signed_requests(
    store: S3Store, kind: str
) -> None:
    remote = opened(store, f"B04 10m.{kind}")
    layout = read_layout(remote)
    tiles = np.zeros((9, 9), dtype=bool)
    tiles[7, 1] = True
    window = rasterio.windows.Window(300, 1800, 90, 70)  # of 256-pixel tiles: row 7, column 1
    with (
        layout.reading(remote, tiles) as file,
        rasterio.open(store.folder / "plain.tif") as whole,
    ):
        assert np.array_equal(file.read(1, window=window), whole.read(1, window=window))
    # Of JPEG 2000 every tile's head is read too, 64 KiB of the 110 that a tile has here.
    share = {"tif": 0.05, "jp2": 0.7}[kind]
    assert store.sent < (store.folder / f"B04 10m.{kind}").stat().st_size * share


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"s3_access_key": "AKNOBODY"}, "InvalidAccessKeyId"),
        ({"s3_secret_key": "wrong-hush"}, "SignatureDoesNotMatch"),
    ],
)
def test_wrong_keys_are_one_sentence(store: S3Store, changes: dict[str, str], code: str) -> None:
    wrong = Account("cdse", **{"s3_access_key": ACCESS_KEY, "s3_secret_key": SECRET_KEY, **changes})
    with pytest.raises(AccountError) as caught:
        opened(store, "B04 10m.tif", wrong)
    assert str(caught.value) == (
        f"the S3 keys of account 'cdse' are refused by 127.0.0.1:{store.port} ({code}): check "
        "them: they may be mistyped, expired or of another provider."
    )
    assert store.asked("") == 1


def test_a_clock_that_is_wrong_is_said(store: S3Store) -> None:
    store.ahead = dt.timedelta(hours=1)
    with pytest.raises(AccountError, match=r"refuses this machine's clock .*: set the clock\."):
        opened(store, "B04 10m.tif")


def test_a_file_that_is_not_there_is_a_fault_of_that_file(store: S3Store) -> None:
    with pytest.raises(WebError, match="http_404"):
        opened(store, "B05.tif")


def test_keys_that_are_taken_back_while_a_file_is_read_are_said(store: S3Store) -> None:
    remote = opened(store, "plain.tif")
    body = b"<Error><Code>InvalidAccessKeyId</Code></Error>"
    store.faults = [Fault("403", path="", body=body)]
    with pytest.raises(AccountError, match="are refused by"):
        remote.read(500_000, 10)


def test_missing_keys_name_where_to_put_them(store: S3Store) -> None:
    with pytest.raises(AccountError, match="s3_access_key and s3_secret_key of 'cdse' are not set"):
        opened(store, "B04 10m.tif", Account("cdse", s3_access_key="half"))
