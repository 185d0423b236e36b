"""What made an artifact besides its inputs and settings: the release, and the tables of `data/`.

Owns finding which reference tables a stage can read: those named in its module or in one that it
imports, and those and the model folders of the lender's own that its settings name. A changed
table, model or release thereby redoes the stages that it touches and no others, without a second
list of tables that could fall behind the code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from types import CodeType
from typing import Any

from pydantic import BaseModel

from fieldline.pipeline.records.settings import ModelFolder, TableName, WeightsFile

_PACKAGE = "fieldline"
_ROOT = Path(str(files(_PACKAGE)))
_TABLES = _ROOT / "data"
#: Files of a model folder that change with anything in it, and with who approved it.
_OF_A_MODEL = ("manifest.json", "approval.json")


def made_by(run: str) -> dict[str, Any]:
    """Return what a stage is made by, as plain values.

    Args:
        run: `module:function` of the stage.

    Returns:
        `fieldline`: the release; `tables`: content hash by name of each reference table.
    """
    tables = {name: _content_hash(name) for name in tables_of(run.partition(":")[0])}
    return {_PACKAGE: version(_PACKAGE), "tables": tables}


def own_tables(section: Any) -> dict[str, str]:
    """Return the content hash of each table, model folder and file of weights that settings name.

    Args:
        section: A section, or a plain value, which names none.

    Returns:
        Hash by path; empty text where the file is not there (the stage says so when it runs).
    """
    if not isinstance(section, BaseModel):
        return {}
    found: dict[str, str] = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if TableName in field.metadata:
            names = value if isinstance(value, tuple) else (value,)
            own = [name for name in names if isinstance(name, str) and Path(name).is_absolute()]
            found |= {name: _file_hash(Path(name)) for name in own}
        if ModelFolder in field.metadata and isinstance(value, Path):
            found |= {str(value / part): _file_hash(value / part) for part in _OF_A_MODEL}
        if WeightsFile in field.metadata and isinstance(value, Path):
            found[str(value)] = _file_hash(value)
        found |= own_tables(value)
    return found


def _file_hash(path: Path) -> str:
    return _hash_of(path.read_bytes()) if path.is_file() else ""


def tables_of(module: str) -> list[str]:
    """Return the tables of `data/` that a module or what it imports can read, by name."""
    known = {path.name for path in _TABLES.iterdir() if path.suffix in (".csv", ".json")}
    return sorted(known & {text for name in _closure(module) for text in _module(name).texts})


def _closure(module: str) -> set[str]:
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(_module(name).imports)
    return seen


class _Module:
    """Imports within the package and texts of one module, read from its compiled code.

    Python keeps that beside the source; parsing every source costs half a second, and each job of a
    cluster asks anew. What a name imports is guessed too widely rather than too narrowly.
    """

    def __init__(self, name: str, path: Path) -> None:
        whole = SourceFileLoader(name, str(path)).get_code(name)
        assert whole is not None, name
        self.texts = frozenset(_texts(whole))
        names = {word for code in _codes(whole) for word in code.co_names}
        modules = {word for word in names if word.startswith(f"{_PACKAGE}.")}
        self.imports = frozenset(
            found
            for module in modules
            for found in (module, *(f"{module}.{part}" for part in names & _within(module)))
            if _path(found)
        )


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _texts(constant: object) -> Iterator[str]:
    if isinstance(constant, str):
        yield constant
    elif isinstance(constant, (CodeType, tuple, frozenset)):
        for part in constant.co_consts if isinstance(constant, CodeType) else constant:
            yield from _texts(part)


@cache
def _within(module: str) -> frozenset[str]:
    """Return what lies in the folder of a package, by name."""
    folder = _ROOT.joinpath(*module.split(".")[1:])
    return frozenset(path.stem for path in folder.iterdir()) if folder.is_dir() else frozenset()


@cache
def _module(name: str) -> _Module:
    path = _path(name)
    assert path is not None, name
    return _Module(name, path)


@cache
def _path(name: str) -> Path | None:
    below = _ROOT.joinpath(*name.split(".")[1:])
    for path in (below.with_suffix(".py"), below / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _content_hash(table: str) -> str:
    return _hash_of((_TABLES / table).read_bytes())


def _hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
