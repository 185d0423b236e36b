from __future__ import annotations

import datetime as dt
import time
from email.utils import format_datetime
from pathlib import Path

import pytest
import requests

from fieldline.pipeline.imagery.range_store import RangeStore
from fieldline.pipeline.imagery.remote_file import RemoteFile
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.imagery.web import WebError, bare, patient_session, retry_after
from tests.pipeline.imagery.tiny_archive import TinyScene, write_archive
from tests.services.stac_api import Fault, StacApi, serving


def test_the_wait_that_a_server_asks_for_is_seconds_or_a_date() -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    assert retry_after({"Retry-After": "7"}) == 7.0
    assert retry_after({"Retry-After": format_datetime(later, usegmt=True)}) == pytest.approx(
        90, abs=2
    )
    past = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert retry_after(past) == 0.0
    assert retry_after({}) is None
    assert retry_after({"Retry-After": "soon"}) is None


def test_a_date_to_wait_for_is_told_by_the_clock_of_who_tells_it() -> None:
    # the service's clock is years behind: what it asks for is two minutes all the same
    now = dt.datetime(2021, 6, 1, 15, 0, tzinfo=dt.UTC)
    later = now + dt.timedelta(minutes=2)
    headers = {"Date": format_datetime(now, usegmt=True)}
    headers["Retry-After"] = format_datetime(later, usegmt=True)
    assert retry_after(headers) == 120.0


def test_an_address_is_told_without_what_is_secret() -> None:
    assert bare("https://me:pw@host.org/a/b.tif?sig=secret#x") == "https://host.org/a/b.tif"


def remote(session: requests.Session, address: str, folder: Path) -> RemoteFile:
    return RemoteFile(session, lambda: address, RangeStore(folder / f"{Path(address).name}.parts"))


def archive(folder: Path) -> StacApi:
    write_archive(folder, [TinyScene("a", {"B04": [[5, 6], [7, 8]]})])
    return StacApi(folder)


def test_waits_double_and_what_the_server_asks_for_goes_first(tmp_path: Path) -> None:
    settings = PullSettings(attempts=4, first_wait_s=0.1, longest_wait_s=5)
    with serving(archive(tmp_path)) as api, patient_session(settings) as session:
        address = f"http://127.0.0.1:{api.port}/files/a_B04.tif"
        for how, least, most in (({}, 0.35, 0.9), ({"retry_after": "1"}, 3.0, 3.6)):
            api.faults = [Fault("429", times=3, **how)]  # type: ignore[arg-type]
            start = time.monotonic()
            assert session.get(address).status_code == 200
            assert least <= time.monotonic() - start <= most


def test_a_range_that_runs_over_blocks_and_ends_is_the_files_own(tmp_path: Path) -> None:
    service = archive(tmp_path)
    data = b"II*\0" + bytes(range(256)) * 1000
    (tmp_path / "files" / "long.tif").write_bytes(data)
    with serving(service) as api, patient_session(PullSettings()) as session:
        file = remote(session, f"http://127.0.0.1:{api.port}/files/long.tif", tmp_path)
        assert file.size == len(data)
        for start, count in ((0, 4), (65_530, 20), (131_000, 100_000), (255_990, 500), (10**6, 5)):
            assert file.read(start, count) == data[start : start + count]
        assert file.read(0, len(data)) == data
        assert api.sent == len(data)  # each byte once
        asked = api.asked("long")
        file.read(0, len(data))
        assert api.asked("long") == asked  # all of it is held already


def test_a_file_that_changes_between_two_ranges_is_a_fault(tmp_path: Path) -> None:
    service = archive(tmp_path)
    path = tmp_path / "files" / "long.tif"
    path.write_bytes(b"II*\0" + b"a" * 200_000)
    with serving(service) as api, patient_session(PullSettings()) as session:
        file = remote(session, f"http://127.0.0.1:{api.port}/files/long.tif", tmp_path)
        path.write_bytes(b"II*\0" + b"b" * 200_010)
        with pytest.raises(WebError, match="changed_while_read"):
            file.read(150_000, 10)


def test_what_is_no_image_is_not_opened(tmp_path: Path) -> None:
    service = archive(tmp_path)
    (tmp_path / "files" / "page.tif").write_text('{"error": "quota"}')
    with serving(service) as api, patient_session(PullSettings()) as session:
        with pytest.raises(WebError, match="not_an_image"):
            remote(session, f"http://127.0.0.1:{api.port}/files/page.tif", tmp_path)
        real = remote(session, f"http://127.0.0.1:{api.port}/files/a_B04.tif", tmp_path)
        assert real.read(0, 4) == b"II*\0"


def test_an_address_whose_signature_ran_out_is_signed_again(tmp_path: Path) -> None:
    """As under a clock that goes wrong: what was signed for an hour is refused after a minute."""
    service = archive(tmp_path)
    (tmp_path / "files" / "long.tif").write_bytes(b"II*\0" + b"a" * 200_000)
    with serving(service) as api, patient_session(PullSettings()) as session:
        address = f"http://127.0.0.1:{api.port}/files/long.tif"
        signed = iter([f"{address}?sig=valid", f"{address}?sig=valid&new"])
        file = RemoteFile(session, lambda: next(signed), RangeStore(tmp_path / "long.parts"))
        api.faults = [Fault("403", path="long", times=1)]
        assert file.read(100_000, 5) == b"aaaaa"
        asked = [path for _, path in api.requests]
        assert [path.rpartition("?")[2] for path in asked] == [
            "sig=valid", "sig=valid", "sig=valid&new",
        ]  # fmt: skip
        api.faults = [Fault("403", path="long", times=1)]
        signed = iter([f"{address}?sig=valid&new"])
        assert file.read(10, 5) == b"aaaaa"  # what is there needs no signature
