"""Scenes of a STAC API, found by area and time with pystac-client.

Owns the search, its paging and the sentences for an address that is no STAC API; reads no item's
fields. The search asks for a day more on either side, because a season counts by the sun and an
API by UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import requests
from pystac.errors import STACError
from pystac_client import Client
from pystac_client.errors import ClientTypeError
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from requests.auth import AuthBase

from fieldline.pipeline.imagery.catalog import FoundItems, ItemSource
from fieldline.pipeline.imagery.grid import Bounds
from fieldline.pipeline.imagery.s3 import SCHEME, https_address
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.imagery.sources.paging import item_order, new_items, remedy
from fieldline.pipeline.imagery.sources.providers import Provider
from fieldline.pipeline.imagery.web import WebError, ask, document_session
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season

_T = TypeVar("_T")
_PAGE = 200  # items; APIs allow from 250 to 10,000
_REMEDY = "give the root of the provider's STAC API as inputs.catalog"
_DAY = dt.timedelta(days=1)
_OFFERED = 20  # names that a sentence may list
#: What pystac-client raises on an answer of the wrong shape, its own errors aside.
_NOT_STAC = (STACError, ClientTypeError, LookupError, TypeError, AttributeError, ValueError)


class StacSource:
    """One collection of a STAC API (`sources.source.SceneSource`)."""

    def __init__(
        self,
        provider: Provider,
        collection: str,
        settings: PullSettings,
        auth: AuthBase | None = None,
    ) -> None:
        self.provider, self.auth = provider, auth
        self._root, self._sign, self._collection = provider.root, provider.sign, collection
        self._session = document_session(settings, provider.retry_after_per_s)
        self._io = StacApiIO()
        self._io.session = self._session

    def search(self, area: Bounds, season: Season) -> FoundItems:
        """Return the collection's items over an area, in order of their time and id.

        Raises:
            UserError: The root is no STAC API, or the collection is unknown there.
            WebError: The API did not answer.
        """
        client = self._client()
        self._check_collection(client)
        until = min(season.end, season.as_of) + _DAY
        search = client.search(
            method=_method(client),
            collections=[self._collection],
            bbox=list(area),
            datetime=f"{season.start - _DAY}T00:00:00Z/{until}T23:59:59Z",
            limit=_PAGE,
        )
        documents = self._asked(lambda: list(new_items(search.pages_as_dicts())))
        ordered = sorted(documents, key=item_order)
        return FoundItems([self._source(document) for document in ordered], [])

    def address_for_reading(self, href: str) -> str:
        """Return an address signed for now where the provider signs, `s3://` at its endpoint.

        Raises:
            WebError: It does not answer.
        """
        if self.provider.s3 and href.startswith(SCHEME):
            return https_address(href, self.provider.s3)
        if not self._sign:
            return href
        answer = ask(self._session, self._sign, params={"href": href})
        if not answer.ok:
            raise WebError(self._sign, f"http_{answer.status_code}")
        try:
            return str(answer.json()["href"])
        except (ValueError, LookupError, TypeError) as error:
            raise WebError(self._sign, "no_signed_address") from error

    def _client(self) -> Client:
        client: Client = self._asked(lambda: Client.open(self._root, stac_io=self._io))
        if not any(link.rel == "search" for link in client.links):
            raise UserError(f"{self._root} is no STAC API: it offers no search", _REMEDY)
        return client

    def _check_collection(self, client: Client) -> None:
        """Refuse a collection that the API does not list: a search for it would find nothing."""
        names = self._asked(lambda: [found.id for found in client.get_collections()])
        if self._collection not in names:
            raise UserError(
                f"{self._root} holds no collection {self._collection!r}",
                f"set scenes.collection to one of {sorted(names)[:_OFFERED]}",
            )

    def _asked(self, question: Callable[[], _T]) -> _T:
        """Return what a call of pystac-client returns; its errors become one sentence."""
        try:
            return question()
        except (APIError, WebError, requests.RequestException, *_NOT_STAC) as error:
            word = _word(error)
            raise UserError(
                f"{self._root} does not answer as a STAC API ({word})", remedy(word, _REMEDY)
            ) from error

    def _source(self, document: Any) -> ItemSource:
        name = f"{document.get('id')}" if isinstance(document, Mapping) else "item"
        own = f"{self._root}/collections/{self._collection}/items/{name}"
        links = document.get("links") if isinstance(document, Mapping) else None
        stated = [
            str(link.get("href"))
            for link in (links if isinstance(links, list) else [])
            if isinstance(link, Mapping) and link.get("rel") == "self"
        ]
        address = next((href for href in stated if "://" in href), own)
        return ItemSource(name, address, document)


def _word(error: BaseException) -> str:
    """Return one word for an error; pystac-client wraps ours and tells its text alone."""
    if isinstance(error, WebError):
        return error.reason
    inner = error.__cause__ or error.__context__
    if isinstance(inner, WebError):
        return inner.reason
    status = getattr(error, "status_code", None)
    return f"http_{status}" if status else "not_stac"


def _method(client: Client) -> str:
    """Return how the API is searched: by POST where it says so, else by GET."""
    offered = {
        str(link.extra_fields.get("method", "GET")).upper()
        for link in client.links
        if link.rel == "search"
    }
    return "POST" if "POST" in offered else "GET"
