"""Paths of a configuration file are relative to that file, wherever the run starts.

Owns turning them into absolute ones while a document is still plain YAML, by the model's own field
types: a `Path` anywhere in the model, a store's URL, a lender's own reference table. What begins
with a placeholder such as `{results}` is filled in later and left alone.
"""

from __future__ import annotations

import os
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from fieldline.pipeline.imagery.sources.providers import is_provider
from fieldline.pipeline.records.settings import StoreUrl, TableName

_SQLITE = "sqlite:///"


def anchored(document: Mapping[str, Any], model: type[BaseModel], folder: Path) -> dict[str, Any]:
    """Return a document whose relative paths are absolute, seen from `folder`.

    Args:
        document: Plain values as read from one YAML file; unknown keys stay as they are.
        model: Section that the document belongs to.
        folder: Folder of the file, or the working directory for values of a command line.
    """
    result = dict(document)
    for name, field in model.model_fields.items():
        if name in result:
            kinds = [field.annotation, *field.metadata]
            result[name] = _anchor(result[name], kinds, folder)
    return result


def _anchor(value: Any, kinds: list[Any], folder: Path) -> Any:
    if TableName in kinds:
        return _table(value, folder)
    if StoreUrl in kinds:
        return _store(value, folder) if isinstance(value, str) else value
    for kind in _alternatives(kinds[0]):
        arguments = get_args(kind)
        if kind is Path and isinstance(value, str):
            return _path(value, folder)
        if get_origin(kind) is tuple and Path in arguments:
            items = value if isinstance(value, list | tuple) else [value]
            return [_path(item, folder) for item in items]
        if _is_section(kind) and isinstance(value, Mapping):
            return anchored(value, kind, folder)
        if get_origin(kind) is dict and _is_section(arguments[1]) and isinstance(value, Mapping):
            return {key: _child(child, arguments[1], folder) for key, child in value.items()}
    return value


def _child(value: Any, model: type[BaseModel], folder: Path) -> Any:
    return anchored(value, model, folder) if isinstance(value, Mapping) else value


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _path(value: Any, folder: Path) -> Any:
    elsewhere = is_provider(str(value)) or str(value).startswith("{")
    if not isinstance(value, str | Path) or elsewhere:
        return value
    return os.path.normpath(folder / Path(value).expanduser())


def _table(value: Any, folder: Path) -> Any:
    if isinstance(value, list | tuple):
        return [_table(item, folder) for item in value]
    return _path(value, folder) if isinstance(value, str) and os.sep in value else value


def _store(url: str, folder: Path) -> str:
    if url.startswith(_SQLITE):
        inside = url.removeprefix(_SQLITE)
        return url if inside in ("", ":memory:") else f"{_SQLITE}{_path(inside, folder)}"
    return url if "://" in url else str(_path(url, folder))
