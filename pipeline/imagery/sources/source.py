"""Where scenes come from: the one Protocol, and the table that says which source an address means.

Adding a source is one file beside this one and one row of `_SOURCES`. A source finds documents of
STAC items and reads no pixel; what the documents say is judged by `scenes`, what they point to is
fetched by `pull`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import requests
from requests.auth import AuthBase

from fieldline.pipeline.imagery.accounts import Account, account, with_own_addresses
from fieldline.pipeline.imagery.archive import SceneItem
from fieldline.pipeline.imagery.catalog import FoundItems
from fieldline.pipeline.imagery.grid import Bounds, Grid
from fieldline.pipeline.imagery.s3 import S3Auth
from fieldline.pipeline.imagery.settings import PullSettings, SceneSettings
from fieldline.pipeline.imagery.sources.providers import Provider, provider_of
from fieldline.pipeline.imagery.sources.sentinelhub import SentinelHubSource
from fieldline.pipeline.imagery.sources.stac import StacSource
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season


class SceneSource(Protocol):
    """A place that scenes come from."""

    def search(self, area: Bounds, season: Season) -> FoundItems:
        """Return the items that may show an area in a season; more than that does no harm.

        Args:
            area: West, south, east, north of the parcels, degrees.
            season: Its dates and its as-of date.

        Raises:
            UserError: The source cannot be asked as configured.
        """
        ...

    def address_for_reading(self, href: str) -> str:
        """Return the address that a file is read from now (signed, where the provider signs).

        Raises:
            ProviderError: The provider does not give one for now.
        """
        ...


class RemoteSource(SceneSource, Protocol):
    """A source whose pixels are pulled before they are read."""

    @property
    def provider(self) -> Provider:
        """Who is asked: its limits hold for the pull."""
        ...

    @property
    def auth(self) -> AuthBase | None:
        """What signs each request for pixels; None where nothing does."""
        ...


@runtime_checkable
class RenderingSource(RemoteSource, Protocol):
    """A source that gives no files: its service renders windows on the county's own grid."""

    @property
    def side(self) -> int:
        """Most pixels of a window's edge."""
        ...

    def render(
        self, session: requests.Session, item: SceneItem, bands: Sequence[str], part: Grid
    ) -> bytes:
        """Return a GeoTIFF of unsigned 16-bit numbers on `part`: one band each, then the data mask.

        Args:
            session: Signed by `auth`.
            item: The scene.
            bands: Keys of its assets.
            part: The window, as a grid.

        Raises:
            WebError: The service does not give it for now.
        """
        ...


_Opener = Callable[[Provider, Account, SceneSettings, PullSettings], RemoteSource]
#: Sources by the kind that `data/scene_providers.csv` states.
_SOURCES: Mapping[str, _Opener] = {
    "stac": lambda provider, known, scenes, pull: StacSource(
        provider, scenes.collection, pull, _keys(provider, known)
    ),
    "sentinelhub": lambda provider, known, scenes, pull: SentinelHubSource(
        provider, known, scenes.collection, pull
    ),
}


def _keys(provider: Provider, known: Account) -> AuthBase | None:
    return S3Auth(provider, known) if provider.s3 else None


def remote_source(address: str, scenes: SceneSettings, pull: PullSettings) -> RemoteSource:
    """Return the source that an address means.

    Raises:
        UserError: There is none, or the account that it needs is not there.
    """
    try:
        provider = provider_of(address)
    except ValueError as error:
        raise UserError(f"catalog {address}: {error}", "correct inputs.catalog") from error
    known = account(provider.account) if provider.account else Account("")
    own = with_own_addresses(provider, known)
    return _SOURCES[own.kind](own, known, scenes, pull)
