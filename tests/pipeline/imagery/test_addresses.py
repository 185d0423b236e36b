from __future__ import annotations

import json
from pathlib import Path

import pytest

from fieldline.pipeline.imagery.addresses import DocumentError, read_json, relative_href, resolve

WORDS = {"id": "甲村影像一期", "href": "影像/红光.tif"}


@pytest.mark.parametrize(
    ("name", "href"),
    [
        ("a b.tif", "a b.tif"),
        ("a b.tif", "a%20b.tif"),
        ("a b.tif", "./a%20b.tif"),
        ("a b.tif", " a b.tif "),
        ("a b.tif", " a%20b.tif "),
        ("a%20b.tif", "a%20b.tif"),
        ("50%.tif", "50%.tif"),
        ("影像.tif", "影像.tif"),
        ("影像.tif", "%E5%BD%B1%E5%83%8F.tif"),
        ("a#1.tif", "a#1.tif"),
        ("sub/a.tif", "sub\\a.tif"),
        ("sub/a.tif", "sub/../sub/a.tif"),
        ("absent.tif.not", "absent.tif"),
    ],
)
def test_an_address_means_the_file_that_is_there(tmp_path: Path, name: str, href: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / name).touch()
    meant = str(tmp_path / name).removesuffix(".not")
    assert resolve(href, str(tmp_path)) == meant


@pytest.mark.parametrize("start", ["", "file://", "file://localhost", "FILE:"])
def test_absolute_addresses_and_file_urls_leave_the_folder(tmp_path: Path, start: str) -> None:
    (tmp_path / "a b.tif").touch()
    meant = str(tmp_path / "a b.tif")
    assert resolve(f"{start}{meant}", "/elsewhere") == meant
    assert resolve(f"{start}{meant.replace(' ', '%20')}", "/elsewhere") == meant


def test_urls_stay_urls() -> None:
    assert resolve("https://host/a%20b.tif", "/folder") == "https://host/a%20b.tif"
    assert resolve("s3://bucket/a.tif", "/folder") == "s3://bucket/a.tif"
    assert resolve("/vsicurl/https://host/a.tif", "/folder") == "/vsicurl/https://host/a.tif"
    assert resolve("../b/a.tif", "https://host/items/a") == "https://host/items/b/a.tif"


def test_a_file_in_a_zip_is_relative_as_the_zip_is() -> None:
    assert resolve("/vsizip/../a.zip/in/a.tif", "/folder") == "/vsizip//a.zip/in/a.tif"
    assert resolve("/vsizip//a.zip/in/a.tif", "/folder") == "/vsizip//a.zip/in/a.tif"
    assert relative_href("/vsizip//x/a.zip/in/a.tif", Path("/x/y")) == "/vsizip/../a.zip/in/a.tif"


def test_addresses_are_kept_relative_to_the_artifact(tmp_path: Path) -> None:
    file = tmp_path / "archive" / "a.tif"
    assert relative_href(str(file), tmp_path / "results") == "../archive/a.tif"
    assert relative_href("https://host/a.tif", tmp_path) == "https://host/a.tif"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_document_is_read_in_the_encoding_it_was_saved_in(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "item.json"
    path.write_bytes(json.dumps(WORDS, ensure_ascii=False, indent=1).encode(encoding))
    assert read_json(str(path)) == WORDS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "absent"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b'{"id": "a", "prop', "not_json"),
        (b"<html>busy</html>", "not_json"),
        (b"\x00\xff\xfe\x80", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"n": ' + b"9" * 5000 + b"}", "not_json"),
    ],
)
def test_a_document_that_cannot_be_read_says_why(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "item.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DocumentError) as caught:
        read_json(str(path))
    assert caught.value.reason == reason


@pytest.mark.parametrize("address", ["nothing://host/a.json", "x\x00y", "http://127.0.0.1:9/a"])
def test_an_address_that_leads_nowhere_is_unreadable(address: str) -> None:
    with pytest.raises(DocumentError, match="unreadable"):
        read_json(address)


def test_a_folder_is_no_document(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="unreadable"):
        read_json(str(tmp_path))
