"""Accounts with providers: secrets from the environment or from a file that nobody else may read.

Owns where secrets come from and the sentences where they are missing. A secret lives in memory
alone: no configuration, artifact, log or error holds one, and an account shows only its name.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from urllib.parse import urlsplit

from fieldline.pipeline.imagery.sources.providers import Provider
from fieldline.pipeline.records.errors import UserError

FILE_VARIABLE = "FIELDLINE_ACCOUNTS"
"""Environment variable that names another file than `~/.config/fieldline/accounts.toml`."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class AccountError(UserError):
    """An account that is missing, incomplete or refused by its provider."""


@dataclass(frozen=True)
class Account:
    """What one account knows; each field is a key of the file and the end of a variable's name."""

    name: str
    client_id: str = field(default="", repr=False)
    """OAuth client, as its provider's dashboard shows it."""
    client_secret: str = field(default="", repr=False)
    username: str = field(default="", repr=False)
    """Name and password serve where there is no OAuth client."""
    password: str = field(default="", repr=False)
    s3_access_key: str = field(default="", repr=False)
    s3_secret_key: str = field(default="", repr=False)
    stac_root: str = ""
    """Roots and services to be asked instead of those in the table: a mirror, another region."""
    sentinelhub_root: str = ""
    token_url: str = ""
    s3_endpoint: str = ""


_KEYS = tuple(known.name for known in fields(Account) if known.name != "name")


def variable(account: str, key: str) -> str:
    """Return the environment variable of an account's key: `FIELDLINE_CDSE_CLIENT_ID`."""
    return f"FIELDLINE_{re.sub('[^A-Z0-9]', '_', account.upper())}_{key.upper()}"


def accounts_file() -> Path:
    """Return the file that accounts are read from."""
    stated = os.environ.get(FILE_VARIABLE, "")
    if stated:
        return Path(stated).expanduser()
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "fieldline" / "accounts.toml"


def account(name: str) -> Account:
    """Return an account: the file's values, the environment's before them.

    Raises:
        AccountError: The file is open to others, is no TOML or holds what no account has; or an
            address that secrets would be sent to in the clear.
    """
    stated = dict(_of_file(accounts_file(), name))
    for key in _KEYS:
        value = os.environ.get(variable(name, key), "").strip()
        if value:
            stated[key] = value
    found = Account(name, **stated)
    for key in ("token_url", "sentinelhub_root", "s3_endpoint"):
        _check_address(name, key, str(getattr(found, key)))
    return found


def with_own_addresses(provider: Provider, known: Account) -> Provider:
    """Return a provider at the addresses that the account states for it."""
    root = {"stac": known.stac_root, "sentinelhub": known.sentinelhub_root}.get(provider.kind, "")
    return replace(
        provider,
        root=(root or provider.root).rstrip("/"),
        token=known.token_url or provider.token,
        s3=known.s3_endpoint or provider.s3,
    )


def missing(provider: Provider, *sets: tuple[str, str]) -> AccountError:
    """Return the sentence for an account that lacks keys; one of the sets would do."""
    account = provider.account
    keys = ", or ".join(f"{first} and {second}" for first, second in sets)
    named = ", or ".join(
        f"{variable(account, first)} and {variable(account, second)}" for first, second in sets
    )
    comma = "," if len(sets) > 1 else ""
    return AccountError(
        f"{provider.address} needs an account: {keys}{comma} of {account!r} are not set",
        f"set {named}{comma} in the environment or write the keys to {accounts_file()}, "
        f"section [{account}]",
    )


def _check_address(name: str, key: str, address: str) -> None:
    parts = urlsplit(address)
    if address and parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise AccountError(
            f"account {name!r}: {key} {address} is no https:// address",
            "give one: secrets are not sent in the clear",
        )


def _of_file(path: Path, name: str) -> Mapping[str, str]:
    """Return what the file says of one account; nothing where there is no file."""
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise AccountError(
            f"{path} cannot be read ({type(error).__name__})", "make it a text file of yours"
        ) from error
    if mode & _OTHERS:
        raise AccountError(
            f"{path} holds secrets and is open to others (mode {stat.S_IMODE(mode):04o})",
            f"close it with chmod 600 {path}",
        )
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+)", str(error))
        raise AccountError(
            f"{path} is no TOML{f' (line {place[1]})' if place else ''}",
            'write sections such as [cdse] and lines such as client_id = "..."',
        ) from None  # the cause may quote a secret
    return _section(path, name, document.get(name, {}))


def _section(path: Path, name: str, section: object) -> Mapping[str, str]:
    if not isinstance(section, Mapping):
        raise AccountError(f"{path}: {name} is no section", f"write it as [{name}]")
    unknown = sorted(str(key) for key in section if key not in _KEYS)
    if unknown:
        raise AccountError(
            f"{path}: account [{name}] has no key {unknown[0]!r}",
            f"use {', '.join(_KEYS)}",
        )
    wrong = sorted(key for key, value in section.items() if not isinstance(value, str))
    if wrong:
        raise AccountError(f"{path}: {wrong[0]} of [{name}] is no text", "put it in quotes")
    return {key: value.strip() for key, value in section.items()}
