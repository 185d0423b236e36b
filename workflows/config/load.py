"""Reads, merges and checks configuration documents; every refusal is one sentence with a remedy.

Documents merge key by key onto the generated default, so a county file states what differs and
nothing else. A misspelt key is refused with the nearest valid one.
"""

from __future__ import annotations

import difflib
import os
import re
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.config.anchors import anchored
from fieldline.workflows.config.model import Config

DEFAULT = Path(__file__).with_name("default.yaml")
COPIES = Path(".fieldline", "config")
"""Folder, below the results, of copies of files that hold a batch's counties alone; each batch has
its own below it (`workflows.config.narrow`)."""
RELATIVE_TO = "relative_to"
"""Key by which such a copy says where its relative paths begin; in any other file it is unknown."""
_ENVIRONMENT = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def load_config(
    files: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
    *,
    selected: bool = False,
) -> Config:
    """Read the default, merge `files` and `overrides` onto it and validate.

    Relative paths of a file are seen from that file's folder; those of the default and of
    `overrides` from the working directory.

    Args:
        files: YAML files, each laid over those before it.
        overrides: Values laid over all of them.
        selected: Keep the definitions of the selected counties alone: a job of one county must not
            check three thousand.

    Raises:
        UserError: Unreadable file, unknown key or value out of range.
    """
    here = Path.cwd()
    document = anchored(read_yaml(DEFAULT), Config, here)
    for file in files:
        own = read_yaml(file)
        folder = Path(own.pop(RELATIVE_TO)) if _is_copy(file) else file.absolute().parent
        document = merge(document, anchored(_expand(own), Config, folder))
    document = merge(document, anchored(dict(overrides or {}), Config, here))
    return validate(_selected(document) if selected else document)


def _is_copy(file: Path) -> bool:
    return file.absolute().parent.parent.parts[-2:] == COPIES.parts


def _selected(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without the counties that are not run; whole where it cannot be told."""
    chosen, known = document.get("counties"), document.get("county")
    names = chosen.split(",") if isinstance(chosen, str) else chosen
    if not isinstance(names, list | tuple) or not isinstance(known, dict):
        return document
    kept = {str(name).strip() for name in names}
    if not kept <= known.keys():
        return document
    return {**document, "county": {name: known[name] for name in known if name in kept}}


_Base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader in C where PyYAML was built with it: a province is a hundred thousand lines."""


class _Loader(_Base):  # type: ignore[misc, valid-type]
    """YAML that says where a value is wrong and refuses a key that stands twice."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            text = f"{getattr(node, 'value', '')!r}: {error}"
            raise yaml.constructor.ConstructorError(None, None, text, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            name = getattr(key, "value", None)
            if name in seen and name != "<<":
                message = f"the key {name!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
            seen.add(name)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping.

    Raises:
        UserError: The file is absent, is not YAML or is not a mapping; with line and column.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", "give the path of a YAML file") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})", "give a YAML file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text", "save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise UserError(_place(path, error), "correct that place") from error
    if not isinstance(document, dict):
        raise UserError(f"{path} holds no settings", "write `key: value` lines")
    return document


def variables_of(files: Sequence[Path]) -> set[str]:
    """Return the variables of the environment that files take values from (`${NAME}`)."""
    texts = (file.read_text(encoding="utf-8") for file in files)
    return {name for text in texts for name, _ in _ENVIRONMENT.findall(text)}


def _place(path: Path, error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    said = problem or str(error).splitlines()[0]
    where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{path}{where}: {said}"


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return `below` with the values of `above` laid over it, mapping by mapping.

    Amounts of a policy are not inherited by one in another currency: 500 yuan are no 500 dinars.
    """
    return _laid(_without_foreign_amounts(below, above), above)


def _laid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _laid(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _without_foreign_amounts(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return `below` without its policy's amounts where `above` states another currency."""
    old, new = _policy(below), _policy(above)
    if "currency" not in new or new["currency"] == old.get("currency"):
        return below
    kept = {name: value for name, value in old.items() if name not in PolicySettings.AMOUNTS}
    return {**below, "lending": {**below.get("lending", {}), "policy": kept}}


def _policy(document: dict[str, Any]) -> dict[str, Any]:
    section = document.get("lending")
    policy = section.get("policy") if isinstance(section, dict) else None
    return policy if isinstance(policy, dict) else {}


def validate(document: Mapping[str, Any]) -> Config:
    """Validate a merged document; `${NAME:-default}` in a text takes the environment's value.

    Raises:
        UserError: With the first problem, its place and what to write instead.
    """
    try:
        return Config.model_validate(_expand(document))
    except ValidationError as error:
        raise _explain(error) from error


def _expand(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _expand(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_expand(child) for child in value]
    if isinstance(value, str):
        return _ENVIRONMENT.sub(_environment_value, value)
    return value


def _environment_value(match: re.Match[str]) -> str:
    name, fallback = match.groups()
    found = os.environ.get(name, fallback)
    if found is None:
        raise UserError(f"the configuration needs the environment variable {name}", "set it")
    return found


def _explain(error: ValidationError) -> UserError:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        valid = _keys_at(place[:-1])
        near = difflib.get_close_matches(place[-1], valid, n=1, cutoff=0.5)
        remedy = f"did you mean `{near[0]}`?" if near else f"use one of {', '.join(valid)}"
        return UserError(f"unknown key `{'.'.join(place)}` in the configuration", remedy)
    message = first["msg"].removeprefix("Value error, ")
    if not place:
        return UserError(message, "correct the selection or the YAML")
    value = re.sub(r"://[^/@]*@", "://***@", repr(first["input"]))  # a password is not repeated
    got = "" if _is_whole(first["input"]) else f" (got {value:.60})"
    return UserError(f"`{'.'.join(place)}`: {message}{got}", "correct it in the YAML")


def _is_whole(found: Any) -> bool:
    """Whether a refusal is of a whole section, which nobody wants to read again."""
    return isinstance(found, Mapping | BaseModel)


def _keys_at(place: Sequence[str]) -> list[str]:
    model: Any = Config
    for part in place:
        model = _child(model, part)
    return sorted(model.model_fields) if _is_section(model) else []


def _child(model: Any, part: str) -> Any:
    section = _is_section(model)
    annotation = model.model_fields[part].annotation if section else get_args(model)[-1]
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(a for a in get_args(annotation) if a is not type(None))
    return annotation


def _is_section(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)
