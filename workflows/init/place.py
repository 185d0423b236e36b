"""Names and addresses of a new county: its id, its title, and paths as the YAML writes them."""

from __future__ import annotations

import hashlib
import re
import shutil
import unicodedata
from pathlib import Path

from fieldline.pipeline.records.errors import UserError

FILE = "county.yaml"
_LONGEST_ID = 40


def county_id(title: str) -> str:
    """Return the id of a county from its folder's name: letters, digits, `_` and `-` only.

    Accents are dropped (`Börde` becomes `Borde`). A name that leaves no letter, such as one in
    hanzi, becomes `county-` and six digits of its hash, the same on every machine.
    """
    plain = unicodedata.normalize("NFKD", title.replace("ß", "ss"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    kept = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_")[:_LONGEST_ID]
    lost = any(c.isalpha() and not c.isascii() for c in plain)
    if lost or not any(c.isalpha() for c in kept):
        return f"county-{hashlib.sha256(title.encode()).hexdigest()[:6]}"
    return kept


def check_folder(folder: Path, *, force: bool) -> None:
    """Refuse a folder that cannot take a new configuration.

    Raises:
        UserError: A file of that name, or a configuration already in it.
    """
    above = next(path for path in (folder, *folder.parents) if path.exists())
    if not above.is_dir():
        raise UserError(f"{above} is a file", "name a folder for the county")
    if (folder / FILE).exists() and not force:
        raise UserError(
            f"{folder / FILE} exists already",
            "edit it, name another folder, or give --force, which keeps it as county.yaml.bak",
        )


def keep_old(file: Path) -> Path | None:
    """Copy an existing configuration to the first free `.bak`, `.bak2`, ...; None without one."""
    if not file.exists():
        return None
    number = 1
    while (kept := file.with_name(f"{file.name}.bak{number if number > 1 else ''}")).exists():
        number += 1
    shutil.copy2(file, kept)
    return kept


def written_path(path: Path, folder: Path) -> str:
    """Return a path as the configuration writes it, braces doubled since `{season}` has a meaning.

    What lies in the county's folder or beside it travels with it and is written relative to it;
    anything else is absolute.
    """
    target, home = path.resolve(), folder.resolve()
    beside = home.parent
    if target.is_relative_to(home):
        text = target.relative_to(home).as_posix()
    elif target.is_relative_to(beside) and beside != Path(beside.anchor):
        text = f"../{target.relative_to(beside).as_posix()}"
    else:
        text = target.as_posix()
    return text.replace("{", "{{").replace("}", "}}")
