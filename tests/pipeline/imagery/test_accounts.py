from __future__ import annotations

from pathlib import Path

import pytest

from fieldline.pipeline.imagery.accounts import (
    FILE_VARIABLE,
    AccountError,
    account,
    accounts_file,
    variable,
    with_own_addresses,
)
from fieldline.pipeline.imagery.sources.providers import provider_of


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "accounts.toml"
    path.write_text('[cdse]\nclient_id = "me"\nclient_secret = "hush"\n')
    path.chmod(0o600)
    monkeypatch.setenv(FILE_VARIABLE, str(path))
    return path


def test_the_environment_goes_before_the_file_key_by_key(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDLINE_CDSE_CLIENT_SECRET", "newer")
    assert account("cdse").client_id == "me"
    assert account("cdse").client_secret == "newer"
    assert account("planet").client_id == ""


def test_the_name_of_a_variable_is_that_of_account_and_key() -> None:
    assert variable("cdse", "s3_access_key") == "FIELDLINE_CDSE_S3_ACCESS_KEY"
    assert variable("my-own.store", "password") == "FIELDLINE_MY_OWN_STORE_PASSWORD"


def test_the_file_lies_in_the_configuration_folder_unless_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/ming/conf")
    assert accounts_file() == Path("/home/ming/conf/fieldline/accounts.toml")
    monkeypatch.setenv(FILE_VARIABLE, "/etc/fieldline/keys.toml")
    assert accounts_file() == Path("/etc/fieldline/keys.toml")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_file_that_others_may_open_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(AccountError) as caught:
        account("cdse")
    assert str(caught.value) == (
        f"{file} holds secrets and is open to others (mode {mode:04o}): "
        f"close it with chmod 600 {file}."
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[cdse\nclient_secret = hush", "is no TOML (line 1): write sections"),
        ("[cdse]\nclient_secret = hush", "is no TOML (line 2): write sections"),
        ("cdse = 3", "cdse is no section: write it as [cdse]"),
        (
            '[cdse]\nclientsecret = "hush"',
            "account [cdse] has no key 'clientsecret': use client_id",
        ),
        ("[cdse]\nclient_secret = 77", "client_secret of [cdse] is no text: put it in quotes"),
        ('[cdse]\ntoken_url = "http://idp.example.org/"', "http://idp.example.org/ is no https://"),
        ('[cdse]\ns3_endpoint = "eodata.org"', "s3_endpoint eodata.org is no https:// address"),
    ],
)
def test_a_wrong_file_is_one_sentence_without_its_secrets(
    file: Path, text: str, words: str
) -> None:
    file.write_text(text)
    with pytest.raises(AccountError) as caught:
        account("cdse")
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "77" not in str(caught.value)


def test_an_account_shows_nothing_but_its_name_and_addresses(file: Path) -> None:
    shown = repr(account("cdse"))
    assert "cdse" in shown
    assert "hush" not in shown
    assert "me'" not in shown


def test_an_account_may_state_another_deployment(file: Path) -> None:
    file.write_text('[cdse]\nsentinelhub_root = "https://sh.mirror.org/"\n')
    known = account("cdse")
    hub = with_own_addresses(provider_of("sentinelhub:cdse"), known)
    assert hub.root == "https://sh.mirror.org"
    assert hub.token == provider_of("sentinelhub:cdse").token
    stac = with_own_addresses(provider_of("stac:cdse"), known)
    assert stac == provider_of("stac:cdse")
