"""Loopback services of a provider with accounts, and the environment that points to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fieldline.pipeline.imagery.accounts import FILE_VARIABLE, variable
from tests.pipeline.imagery.pulling import SCENES
from tests.services import oauth, s3
from tests.services.loopback import serving
from tests.services.oauth import TokenService
from tests.services.s3 import BUCKET, S3Store
from tests.services.sentinel_hub import COLLECTION, SentinelHub
from tests.services.stac_api import StacApi

SECRETS = (oauth.SECRET, oauth.PASSWORD, s3.SECRET_KEY, oauth.CLIENT, oauth.USER, s3.ACCESS_KEY)
"""What no artifact, log or sentence may hold."""
HUB_SCENES = SCENES.model_copy(update={"collection": COLLECTION})


@dataclass
class Copernicus:
    """The services that one account of Copernicus Data Space opens."""

    tokens: TokenService
    hub: SentinelHub
    store: S3Store
    stac: StacApi


@contextmanager
def copernicus(archive: Path) -> Iterator[Copernicus]:
    """Serve an archive as Copernicus Data Space does."""
    with ExitStack() as stack:
        tokens = stack.enter_context(serving(TokenService()))
        hub = stack.enter_context(serving(SentinelHub(archive, tokens)))
        store = stack.enter_context(serving(S3Store(archive / "files")))
        stac = stack.enter_context(serving(StacApi(archive, files=f"s3://{BUCKET}")))
        yield Copernicus(tokens, hub, store, stac)


def point_to(services: Copernicus, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Set the addresses of the services, and no account yet."""
    monkeypatch.setenv(FILE_VARIABLE, str(folder / "accounts.toml"))
    own = {
        "token_url": services.tokens.address,
        "sentinelhub_root": services.hub.host,
        "s3_endpoint": services.store.host,
        "stac_root": services.stac.root,
    }
    for key, value in own.items():
        monkeypatch.setenv(variable("cdse", key), value)


def sign_in(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Put the account's keys into the environment."""
    keys = {
        "client_id": oauth.CLIENT, "client_secret": oauth.SECRET,
        "s3_access_key": s3.ACCESS_KEY, "s3_secret_key": s3.SECRET_KEY, **changes,
    }  # fmt: skip
    for key, value in keys.items():
        monkeypatch.setenv(variable("cdse", key), value)
