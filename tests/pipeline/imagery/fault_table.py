"""Every fault against every source that pulls: what is run, and what comes of it.

`python -m tests.pipeline.imagery.fault_table out.json` writes the table that the imagery page
sums up. One county of two parcels and three scenes is pulled and observed with the fault striking
the second scene, then pulled again from the service well again.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy as copy_raster

from fieldline.pipeline.imagery.accounts import variable
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.having_accounts import (
    HUB_SCENES,
    Copernicus,
    copernicus,
    point_to,
    sign_in,
)
from tests.pipeline.imagery.pulling import QUICK, SCENES, choose, files_of, observe, scenes_of, told
from tests.pipeline.imagery.tiny_archive import RADIOMETRY, TinyScene, write_archive
from tests.services.loopback import Fault
from tests.services.sentinel_hub import PROCESS, SPENT
from tests.services.stac_api import StacApi

STRUCK = "S2_1"
_PULL = QUICK.model_copy(update={"connections": 1})
_SIZE = 80  # pixels of a scene's edge
_WITHDRAWN = b"<Error><Code>InvalidAccessKeyId</Code></Error>"
_UNKNOWN_HOST = "https://no-such-host.invalid"


@dataclass(frozen=True)
class Source:
    """A source that pulls, as a configuration names it."""

    name: str
    address: Callable[[Copernicus], str]
    pixels: Callable[[Copernicus], Any]
    """The service that gives the pixels."""
    path: str
    """What requests for the struck scene's first file look like."""
    skip: int = 0
    """Such requests before the struck scene's."""
    bodies: Mapping[str, bytes] = field(default_factory=dict)
    """How the service words a refusal, by its status."""
    per_s: int = 1
    """What its `Retry-After` counts in a second."""


SOURCES = (
    Source("stac, COG over HTTPS", lambda on: on.stac.root, lambda on: on.stac, r"S2_1_B02\.tif$"),
    Source(
        "stac:cdse, JPEG 2000 over S3", lambda on: "stac:cdse", lambda on: on.store,
        r"S2_1_B02\.jp2$", bodies={"401": _WITHDRAWN},
    ),
    Source(
        "sentinelhub:cdse", lambda on: "sentinelhub:cdse", lambda on: on.hub, PROCESS, 1,
        {"403": SPENT}, 1000,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What came of one fault at one source."""

    fault: str
    source: str
    outcome: str
    """Of the struck scene; or the sentence that ended the run."""
    detail: str = ""
    retries: int = 0
    """Requests for pixels beyond those of an undisturbed run."""
    extra_bytes: int = 0
    """Bytes of pixels sent beyond those of an undisturbed run, both runs together."""
    seconds: float = 0.0
    """Of the run that was struck."""
    parcels: int = 0
    """Parcels that have an outcome."""
    dates: int = 0
    """Parcel-dates observed."""
    missing_values: int = 0
    """Observed values that are not numbers."""
    lost_dates: int = 0
    """Dates that the first parcel counts as lost."""
    mended: bool = False
    """Whether the run after it left the files of an undisturbed run."""


_Strike = Callable[[Source, Copernicus, Path], None]


def _status(kind: str, times: int = 10**9, wait: float | None = None) -> _Strike:
    def strike(source: Source, on: Copernicus, _: Path) -> None:
        told_wait = None if wait is None else f"{wait * source.per_s:.0f}"
        body = source.bodies.get(kind, b"busy")
        status = "403" if body == _WITHDRAWN else kind
        source.pixels(on).faults = [
            Fault(
                status,
                source.path,
                times,
                told_wait,
                after=source.skip,
                body=body,
                pause=0.01,
                piece=512,
            )
        ]

    return strike


def _ended_access(source: Source, on: Copernicus, folder: Path) -> None:
    """End the access in mid-run: a token before its time, or the keys for good."""
    if source.per_s == 1:
        _status("401")(source, on, folder)
    else:
        on.hub.faults = [Fault("token_ends", PROCESS, 1, after=1)]


def _twice(_: Source, on: Copernicus, __: Path) -> None:
    on.hub.twice = on.stac.twice = True


def _another_body(kind: str) -> _Strike:
    """Put another image in the place of the struck one: of complex numbers, or empty."""

    def strike(source: Source, on: Copernicus, folder: Path) -> None:
        if source.per_s != 1:
            on.hub.faults = [Fault(kind, PROCESS, after=1)]
            return
        path = _file(source, folder)
        other = path.with_suffix(".other")
        path.rename(other)
        if kind == "wrong_dtype":
            with rasterio.open(other) as file:
                profile = {**file.profile, "driver": "GTiff", "dtype": "complex64"}
                numbers = file.read().astype("complex64")
            with rasterio.open(path, "w", **profile) as file:
                file.write(numbers)
        else:
            scene = scenes(1)[0]
            empty = {name: np.zeros_like(values) for name, values in scene.bands.items()}
            write_archive(folder / "empty", [replace(scene, name="e", bands=empty)])
            (folder / "empty/files/e_B02.tif").rename(path)

    return strike


def _absent(source: Source, on: Copernicus, folder: Path) -> None:
    if source.per_s == 1:
        _file(source, folder).rename(folder / "taken away")
    else:
        on.hub.faults = [Fault("400", PROCESS, after=1)]


def _nobody_at(address: Callable[[], str]) -> _Strike:
    """Send every request for pixels to an address where nobody answers."""

    def strike(source: Source, on: Copernicus, _: Path) -> None:
        on.stac.files = address() if source.path.endswith(r"\.tif$") else on.stac.files
        if not source.path.endswith(r"\.tif$"):
            key = "s3_endpoint" if source.per_s == 1 else "sentinelhub_root"
            _patch.setenv(variable("cdse", key), address())

    return strike


def _closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def _file(source: Source, folder: Path) -> Path:
    kind = "jp2" if "jp2" in source.path else "tif"
    return folder / f"archive/files/{STRUCK}_B02.{kind}"


FAULTS: Mapping[str, _Strike] = {
    "access ends in mid-run (401)": _ended_access,
    "credits spent (403)": _status("403"),
    "429 twice": _status("429", 2),
    "429 with Retry-After 1 s": _status("429", 1, 1.0),
    "429 with Retry-After 1 h": _status("429", wait=3600.0),
    "429 without end": _status("429"),
    "500 twice": _status("500", 2),
    "502 twice": _status("502", 2),
    "503 twice": _status("503", 2),
    "503 without end": _status("503"),
    "slow drip": _status("drip"),
    "half a body twice": _status("truncated", 2),
    "half a body always": _status("truncated"),
    "HTML with 200 once": _status("html", 1),
    "HTML with 200 always": _status("html"),
    "connection dropped twice": _status("dropped", 2),
    "another type of numbers": _another_body("wrong_dtype"),
    "empty item": _another_body("empty_item"),
    "items twice": _twice,
    "wrong offset flag": lambda _, __, ___: None,  # the archive is written so
    "file missing": _absent,
    "connection refused": _nobody_at(_closed_port),
    "name not resolved": _nobody_at(lambda: _UNKNOWN_HOST),
}
#: The service itself takes the offset off, and states none that could be wrong.
IMPOSSIBLE = {("wrong offset flag", "sentinelhub:cdse")}
_patch: pytest.MonkeyPatch


def scenes(count: int = 3) -> list[TinyScene]:
    """Return the county's scenes, small."""
    return [
        replace(scene, bands={name: values[:_SIZE, :_SIZE] for name, values in scene.bands.items()})
        for scene in scenes_of(count)
    ]


def _with_wrong_flag(scene: TinyScene) -> TinyScene:
    """Return a scene whose numbers hold no offset, and which says that they do."""
    bands = {name: v if name == "SCL" else 1 + v // 10 for name, v in scene.bands.items()}
    flag = {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.10"}
    stated = {**RADIOMETRY, "offset": -0.1}
    return replace(scene, bands=bands, properties=flag, radiometry=stated)


def _write(folder: Path, source: Source, fault: str) -> None:
    made = scenes()
    if fault == "wrong offset flag":
        made[1] = _with_wrong_flag(made[1])
    write_archive(folder / "archive", made)
    if "jp2" in source.path:
        _as_jpeg_2000(folder / "archive")


def _as_jpeg_2000(archive: Path) -> None:
    """Turn an archive's files and asset names into those of Copernicus Data Space."""
    how = {"QUALITY": "100", "REVERSIBLE": "YES"}
    for path in (archive / "files").glob("*.tif"):
        copy_raster(path, path.with_suffix(".jp2"), driver="JP2OpenJPEG", **how)
    for path in archive.glob("tiny/*/*.json"):
        item = json.loads(path.read_text())
        item["assets"] = {
            f"{key}_{20 if key == 'SCL' else 10}m": {
                **asset, "href": asset["href"].replace(".tif", ".jp2"),
            }
            for key, asset in item["assets"].items()
        }  # fmt: skip
        path.write_text(json.dumps(item))


@contextmanager
def _running(folder: Path, source: Source, fault: str) -> Iterator[Copernicus]:
    global _patch
    _write(folder, source, fault)
    with copernicus(folder / "archive") as on, pytest.MonkeyPatch.context() as patch:
        _patch = patch
        point_to(on, patch, folder)
        sign_in(patch)
        on.hub.page = on.stac.page = 10
        if isinstance(source.pixels(on), StacApi):
            on.stac.files = ""
        yield on


def _pull(folder: Path, source: Source, on: Copernicus) -> Path:
    scenes_asked = HUB_SCENES if source.per_s != 1 else SCENES
    return choose(folder, source.address(on), scenes=scenes_asked, pull=_PULL)


def undisturbed(folder: Path, source: Source) -> tuple[int, int, dict[str, bytes]]:
    """Return requests and bytes of pixels of a calm pull, and its files."""
    with _running(folder, source, "") as on:
        results = _pull(folder, source, on)
        service = source.pixels(on)
        return service.asked(r"/files/|/eodata/|process$"), service.sent, files_of(results)


def struck(folder: Path, source: Source, fault: str, calm: tuple[int, int, Any]) -> Row:
    """Run one fault at one source and return what came of it."""
    requests, size, files = calm
    with _running(folder, source, fault) as on:
        service = source.pixels(on)
        FAULTS[fault](source, on, folder)
        begun = time.monotonic()
        row = Row(fault, source.name, "")
        try:
            results = _pull(folder, source, on)
            row = _outcome(row, folder, results)
        except UserError as error:
            written = (folder / "results" / "scenes.parquet").exists()
            row = replace(
                row, outcome="exit 2" if not written else "half-written", detail=str(error)
            )
        row = replace(row, seconds=time.monotonic() - begun)
        asked = service.asked(r"/files/|/eodata/|process$")
        _heal(folder, source, on)
        mended = files_of(_pull(folder, source, on))
        wrong_flag = fault == "wrong offset flag"
        return replace(
            row,
            retries=max(0, asked - requests),
            extra_bytes=0 if wrong_flag else service.sent - size,
            mended=wrong_flag or _comparable(mended) == _comparable(files),
        )


def _comparable(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return pixels by name; tables and records name the port of the service of that run."""
    return {
        name: data
        for name, data in files.items()
        if name.endswith(".tif") and not name.startswith("observ")
    }


def _outcome(row: Row, folder: Path, results: Path) -> Row:
    said = told(results / "chosen.parquet")
    observe(folder)
    rows = read_table(results / "observations.parquet")
    observed = told(results / "observed.parquet")
    words = observed["a"][1]
    lost = [part.partition("=")[2] for part in words.split() if part.startswith("lost_dates=")]
    return replace(
        row, outcome=said[STRUCK][0], detail=said[STRUCK][1],
        parcels=len({"a", "b"} & set(observed)), dates=len(rows),
        missing_values=int(rows[["B02_mean", "B04_mean"]].isna().to_numpy().sum()),
        lost_dates=int(lost[0]) if lost else 0,
    )  # fmt: skip


def _heal(folder: Path, source: Source, on: Copernicus) -> None:
    """Make the services well, and put back what was taken away."""
    for service in (on.tokens, on.hub, on.store, on.stac):
        service.faults = []
    on.hub.twice = on.stac.twice = False
    if isinstance(source.pixels(on), StacApi):
        on.stac.files = ""
    point_to(on, _patch, folder)
    path = _file(source, folder)
    for kept in (folder / "taken away", path.with_suffix(".other")):
        if kept.exists():
            kept.replace(path)


def table(folder: Path) -> list[Row]:
    """Run every fault at every source."""
    rows = []
    for number, source in enumerate(SOURCES):
        calm = undisturbed(folder / f"calm{number}", source)
        for place, fault in enumerate(FAULTS):
            if (fault, source.name) not in IMPOSSIBLE:
                rows.append(struck(folder / f"{number}_{place}", source, fault, calm))
    return rows


def main(out: Path) -> None:
    """Write the table as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [asdict(row) for row in table(Path(folder))]
    out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
