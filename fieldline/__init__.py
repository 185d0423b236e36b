"""Fieldline: from a field outline to a credit line.

In a notebook, `fieldline.open("results")` reads what a run has made: see docs/notebooks.md. The
public names are loaded when they are first used, so that `import fieldline` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fieldline.county import County as County
    from fieldline.cube import open_cube as open_cube
    from fieldline.decisions import StoredDecision as StoredDecision
    from fieldline.decisions import Trace as Trace
    from fieldline.decisions import replay as replay
    from fieldline.parcel import Parcel as Parcel
    from fieldline.pipeline.records.errors import UserError as UserError
    from fieldline.results import Results as Results
    from fieldline.results import open as open
    from fieldline.results import open_county as open_county

    __version__: str

_PUBLIC = {
    "County": "fieldline.county",
    "Parcel": "fieldline.parcel",
    "Results": "fieldline.results",
    "StoredDecision": "fieldline.decisions",
    "Trace": "fieldline.decisions",
    "UserError": "fieldline.pipeline.records.errors",
    "open": "fieldline.results",
    "open_county": "fieldline.results",
    "open_cube": "fieldline.cube",
    "replay": "fieldline.decisions",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("fieldline")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'fieldline' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PUBLIC[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, "__version__"})
