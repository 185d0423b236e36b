"""Scenes of Sentinel Hub: found in its Catalog, rendered by its Process API on the county's grid.

Owns what is asked of both and the words of their refusals. One request renders one scene: every
wanted band and the mask as digital numbers, with the service's own data mask beside them. The
client library sentinelhub-py is not used: it waits for as long as a 429 says, without end, keeps
sessions for the whole process, and its retries know neither our waits nor our budget.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import requests
from pyproj import CRS
from pyproj.exceptions import CRSError

from fieldline.pipeline.imagery.accounts import Account
from fieldline.pipeline.imagery.archive import SceneItem
from fieldline.pipeline.imagery.catalog import FoundItems, ItemSource
from fieldline.pipeline.imagery.grid import Bounds, Grid
from fieldline.pipeline.imagery.settings import PullSettings
from fieldline.pipeline.imagery.sources.paging import item_order, new_items, remedy
from fieldline.pipeline.imagery.sources.providers import Provider
from fieldline.pipeline.imagery.tariffs import answer_bytes
from fieldline.pipeline.imagery.tokens import BearerAuth, Tokens
from fieldline.pipeline.imagery.web import WebError, document_session, expecting
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season

COLLECTION = "sentinel-2-l2a"
BANDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12",
)  # fmt: skip
MASK = "SCL"
#: Digital numbers as asked for: `harmonizeValues` takes 1000 off the numbers of baseline 04.00 and
#: later, so that reflectance is always number x 0.0001, and cuts what is below zero to zero. A zero
#: is thus a dark pixel and not a missing one, which is what the data mask is asked for.
RADIOMETRY: Mapping[str, float] = {"scale": 1e-4, "offset": 0.0, "nodata": 65535}
_CLASSES: Mapping[str, float] = {"nodata": 0}
_CATALOG, _PROCESS = "/api/v1/catalog/1.0.0", "/api/v1/process"
_SIDE = 2500  # pixels; the most that the Process API renders
_PAGE = 100  # items; the most that its Catalog gives
_DAY = dt.timedelta(days=1)
_SECOND = dt.timedelta(seconds=1)
_BASELINE = re.compile(r"_N(\d{4})_")
_REMEDY = "check inputs.catalog and the account"
_SPENT = re.compile(r"INSUFFICIENT|QUOTA|LIMIT|processing units", re.IGNORECASE)


class SentinelHubSource:
    """Sentinel-2 L2A of one deployment (`sources.source.RenderingSource`).

    Raises:
        AccountError: The account is not there.
        UserError: A collection that this source does not know the bands of.
    """

    side = _SIDE

    def __init__(
        self, provider: Provider, known: Account, collection: str, settings: PullSettings
    ) -> None:
        if collection != COLLECTION:
            raise UserError(
                f"{provider.address} is asked for {COLLECTION} and not for {collection!r}",
                f"set scenes.collection to {COLLECTION}",
            )
        self.provider = provider
        self.auth = BearerAuth(Tokens(provider, known, settings), provider.root)
        self._session = document_session(settings, provider.retry_after_per_s)
        self._session.auth = self.auth
        self._spent: WebError | None = None

    def search(self, area: Bounds, season: Season) -> FoundItems:
        """Return the tiles over an area, in order of their time and id.

        Raises:
            UserError: The service refuses the account or the search, or does not answer.
        """
        until = min(season.end, season.as_of) + _DAY
        asked = {
            "collections": [COLLECTION],
            "bbox": list(area),
            "datetime": f"{season.start - _DAY}T00:00:00Z/{until}T23:59:59Z",
            "limit": _PAGE,
        }
        try:
            documents = list(new_items(self._pages(asked)))
        except WebError as error:
            raise UserError(
                f"{self.provider.root} does not answer as Sentinel Hub ({error.reason})",
                remedy(error.reason, _REMEDY),
            ) from error
        return FoundItems(
            [self._source(document) for document in sorted(documents, key=item_order)], []
        )

    def address_for_reading(self, href: str) -> str:
        """Return the address as it is; it tells what was rendered."""
        return href

    def render(
        self, session: requests.Session, item: SceneItem, bands: Sequence[str], part: Grid
    ) -> bytes:
        """Return bands and data mask of one tile's moment as a GeoTIFF on `part`.

        Raises:
            WebError: `credits_spent`, after which nothing more is asked for; or any other refusal.
        """
        if self._spent is not None:
            raise self._spent
        address = self.provider.root + _PROCESS
        with expecting(session, answer_bytes(part.height, part.width, len(bands))):
            answer = _posted(session, address, _rendering(item, bands, part), "image/tiff")
        if answer.ok:
            return answer.content
        fault = _refusal(address, answer)
        if fault.reason == "credits_spent":
            self._spent = WebError(address, fault.reason, 0)
        raise fault

    def _pages(self, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        address = f"{self.provider.root}{_CATALOG}/search"
        following: Any = None
        followed: set[str] = set()
        while True:
            words = asked if following is None else {**asked, "next": following}
            answer = _posted(self._session, address, words, "application/geo+json")
            if not answer.ok:
                raise _refusal(address, answer)
            page = _page(answer)
            if page is None:
                raise WebError(address, "not_a_search")
            yield page
            following = page["context"].get("next")
            if following is None or repr(following) in followed:
                return  # the same page again and again brings nothing new
            followed.add(repr(following))

    def _source(self, document: Any) -> ItemSource:
        if not isinstance(document, Mapping):
            return ItemSource("item", self.provider.root, {"item": document})
        name = str(document.get("id"))
        own = f"{self.provider.root}{_CATALOG}/collections/{COLLECTION}/items/{name}"
        return ItemSource(name, own, self._with_bands(document, name))

    def _with_bands(self, document: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return an item whose assets are the bands that can be rendered of it."""
        properties, baseline = document.get("properties"), _BASELINE.search(name)
        if isinstance(properties, Mapping) and baseline is not None:
            stated = f"{baseline[1][:2]}.{baseline[1][2:]}"
            properties = {"s2:processing_baseline": stated, **properties}
        address = f"{self.provider.root}{_PROCESS}?collection={COLLECTION}&item={name}&band="
        assets = {
            band: {
                "href": address + band,
                "eo:bands": [{"name": band}],
                "raster:bands": [dict(RADIOMETRY if band in BANDS else _CLASSES)],
            }
            for band in (*BANDS, MASK)
        }
        return {**document, "properties": properties, "assets": assets}


def evalscript(bands: Sequence[str]) -> str:
    """Return the script that gives bands and data mask as they are.

    Source: Sentinel Hub, Evalscript V3; units `DN`, sample type `UINT16`.
    """
    names = ", ".join(f'"{band}"' for band in (*bands, "dataMask"))
    values = ", ".join(f"sample.{band}" for band in (*bands, "dataMask"))
    return (
        "//VERSION=3\n"
        "function setup() {\n"
        f'  return {{input: [{{bands: [{names}], units: "DN"}}],\n'
        f'    output: {{id: "default", bands: {len(bands) + 1}, sampleType: "UINT16"}}}};\n'
        "}\n"
        f"function evaluatePixel(sample) {{\n  return [{values}];\n}}\n"
    )


def _rendering(item: SceneItem, bands: Sequence[str], part: Grid) -> dict[str, Any]:
    """Return the request for one tile: its very second, so that no other pass is mixed in."""
    moment = item.datetime.replace(microsecond=0)
    span = {"from": moment - _SECOND, "to": moment + 2 * _SECOND}
    times = {name: f"{time:%Y-%m-%dT%H:%M:%SZ}" for name, time in span.items()}
    return {
        "input": {
            "bounds": {"bbox": list(part.bounds), "properties": {"crs": _crs_address(part.crs)}},
            "data": [
                {
                    "type": COLLECTION,
                    "dataFilter": {"timeRange": times},
                    "processing": {
                        "harmonizeValues": True, "upsampling": "NEAREST", "downsampling": "NEAREST",
                    },
                }
            ],
        },
        "output": {
            "width": part.width,
            "height": part.height,
            "responses": [{"identifier": "default", "format": {"type": "image/tiff"}}],
        },
        "evalscript": evalscript(bands),
    }  # fmt: skip


def _crs_address(crs: str) -> str:
    try:
        code = CRS.from_user_input(crs).to_epsg()
    except CRSError:
        code = None
    if code is None:
        raise UserError(
            f"grid.crs {crs!r} has no EPSG code", "give one: Sentinel Hub takes no other"
        )
    return f"http://www.opengis.net/def/crs/EPSG/0/{code}"


def _posted(
    session: requests.Session, address: str, document: Mapping[str, Any], kind: str
) -> requests.Response:
    try:
        return session.post(address, json=document, headers={"Accept": kind})
    except requests.RequestException as error:
        raise WebError(address, type(error).__name__) from error


def _page(answer: requests.Response) -> Mapping[str, Any] | None:
    try:
        page = answer.json()
    except ValueError:
        return None
    usable = isinstance(page, Mapping) and isinstance(page.get("context", {}), Mapping)
    return {"context": {}, **page} if usable and isinstance(page.get("features"), list) else None


def _refusal(address: str, answer: requests.Response) -> WebError:
    """Return a refusal by name: credits that are spent, or its status."""
    spent = answer.status_code == requests.codes.forbidden and _SPENT.search(answer.text)
    return WebError(address, "credits_spent" if spent else f"http_{answer.status_code}")
