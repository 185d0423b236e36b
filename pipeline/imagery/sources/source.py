"""Where scenes come from: the one Protocol, and the table that says which source an address means.

Adding a source is one file beside this one and one row of `_SOURCES`. A source finds documents of
STAC items and reads no pixel; what the documents say is judged by `scenes`, what they point to is
fetched by `pull`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from fieldline.pipeline.imagery.catalog import FoundItems
from fieldline.pipeline.imagery.grid import Bounds
from fieldline.pipeline.imagery.settings import PullSettings, SceneSettings
from fieldline.pipeline.imagery.sources.providers import Provider, provider_of
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


_Opener = Callable[[Provider, SceneSettings, PullSettings], SceneSource]
#: Sources by the kind that `data/scene_providers.csv` states.
_SOURCES: Mapping[str, _Opener] = {
    "stac": lambda provider, scenes, pull: StacSource(
        provider.root, provider.sign, scenes.collection, pull
    ),
}


def remote_source(address: str, scenes: SceneSettings, pull: PullSettings) -> SceneSource:
    """Return the source that an address means.

    Raises:
        UserError: There is none.
    """
    try:
        provider = provider_of(address)
    except ValueError as error:
        raise UserError(f"catalog {address}: {error}", "correct inputs.catalog") from error
    return _SOURCES[provider.kind](provider, scenes, pull)
