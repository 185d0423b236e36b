"""Sealed folders: files that anyone can read and nobody can change unseen.

Owns the manifest that holds the hash of every file of a folder, writing it last and verifying it
first. What the files mean is their room's; no file holds code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import atomic_path, write_text

MANIFEST = "manifest.json"


def seal(folder: Path, files: Mapping[str, bytes], version: str | None) -> None:
    """Write the files of a folder, then the manifest that holds their hashes.

    Args:
        folder: Folder to write into; made where it does not exist.
        files: Content by name.
        version: What the folder is known by; None where it holds nothing that may serve.
    """
    for name, content in files.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)
    manifest = {
        "version": version,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    write_text(folder / MANIFEST, canonical(manifest) + "\n")


def unseal(manifest: Path, names: Sequence[str]) -> tuple[str | None, dict[str, bytes]]:
    """Read the files of a folder and verify each.

    Args:
        manifest: Its `manifest.json`.
        names: Files that such a folder holds beside it.

    Returns:
        The folder's version and the content of each file.

    Raises:
        UserError: A file is absent or is not what the manifest says.
    """
    told = parse_json(manifest, _bytes(manifest))
    hashes = told.get("files") if isinstance(told, dict) else None
    if not isinstance(hashes, dict) or set(hashes) != set(names):
        raise damaged(manifest, "it names other files than a model folder has")
    contents = {name: _bytes(manifest.parent / name) for name in names}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != hashes[name]:
            raise damaged(manifest.parent / name, f"its content is not what {MANIFEST} says")
    return told.get("version"), contents


def parse_json(path: Path, content: bytes) -> Any:
    """Return the JSON of a file of a sealed folder.

    Raises:
        UserError: It is no JSON.
    """
    try:
        return json.loads(content)
    except ValueError as error:
        raise damaged(path, "it is no JSON") from error


def damaged(path: Path, why: str) -> UserError:
    """Return the error of a file that is not what it was."""
    return UserError(f"{path} is damaged: {why}", "take the model folder whole, as it was made")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror})", "name the manifest.json of a model folder"
        ) from error
