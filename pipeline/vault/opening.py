"""Opening: made, taken over, brought under the lender's own key, or refused.

Owns the questions that come before any record is touched: is it a vault, is this its master key, is
this the pseudonym key that its farmers carry.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fieldline.pipeline.records.databases import engine_of, sqlite_file
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.faults import told
from fieldline.pipeline.records.privacy import pseudonym_key
from fieldline.pipeline.records.secrets import fingerprint
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.vault.plain import has_plain_text, take_over
from fieldline.pipeline.vault.rotation import rewrap
from fieldline.pipeline.vault.sealing import DEMO_MASTER, MasterKey, master_key, new_key
from fieldline.pipeline.vault.tables import ERASED, FORMAT, META, METADATA
from fieldline.pipeline.vault.vault import (
    INTEGRITY,
    SETTING,
    Vault,
    integrity_key,
    read_meta,
    vault_name,
    write_meta,
    writing,
)

_OWNER_ONLY = 0o600


@contextmanager
def open_vault(
    address: str | Path, privacy: PrivacySettings, *, create: bool = False
) -> Iterator[Vault]:
    """Open a vault; one of an older version is brought up to date as one transaction.

    Args:
        address: Path of an SQLite file, or an SQLAlchemy URL (`postgresql://...`).
        privacy: Where the keys are.
        create: Whether to make it where it is not there, for those who take people in: then the
            pseudonym key must be the vault's own, too.

    Raises:
        UserError: A key is absent, weak or another one than the vault's; the vault is absent,
            damaged, of a newer version or no vault.
    """
    master = master_key(privacy)
    _prepare_file(address, create=create)
    engine = engine_of(str(address), setting=SETTING)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _zero_what_is_deleted)
    try:
        with writing(engine) as connection:
            vault = Vault(engine, master, _opened(connection, master, create=create))
            if create:
                _own_pseudonyms(connection, fingerprint(pseudonym_key(privacy)))
            if has_plain_text(connection):
                take_over(connection, vault, privacy, check=create)
        yield vault
    finally:
        engine.dispose()


def check_keys(address: str | Path, privacy: PrivacySettings) -> None:
    """Compare the keys with those of the vault, if there is one; writes nothing.

    Raises:
        UserError: A key is absent, weak or another one than the vault's.
    """
    master, pseudonyms = master_key(privacy), fingerprint(pseudonym_key(privacy))
    name, meta = _look(address)
    if meta:
        _refuse_other_master(name, meta, master)
        _refuse_other_pseudonyms(name, meta, pseudonyms)


def master_of(address: str | Path) -> str | None:
    """Return which master key a vault is under; None where there is no vault. Writes nothing."""
    return _look(address)[1].get("master")


def erased_in(address: str | Path) -> frozenset[str]:
    """Return the farmers of a vault's register of the erased, which takes no key to read; none
    where there is no vault. Writes nothing."""
    file = sqlite_file(address)
    if file is not None and not file.is_file():
        return frozenset()
    engine = engine_of(str(address), setting=SETTING)
    try:
        with told(engine, setting=SETTING), engine.connect() as connection:
            there = sa.inspect(connection).has_table(ERASED.name)
            return frozenset(connection.scalars(sa.select(ERASED.c.farmer_id)) if there else ())
    finally:
        engine.dispose()


def is_plain_text(file: Path) -> bool:
    """Whether a file is a vault of 0.2 or earlier, with names in clear text. Writes nothing."""
    if not file.is_file():
        return False
    engine = engine_of(str(file), setting=SETTING)
    try:
        with told(engine, setting=SETTING), engine.connect() as connection:
            return has_plain_text(connection)
    finally:
        engine.dispose()


def _look(address: str | Path) -> tuple[str, Mapping[str, str]]:
    """Return the name of a vault and what it says of itself, nothing where there is none."""
    file = sqlite_file(address)
    if file is not None and not file.is_file():
        return str(file), {}
    engine = engine_of(str(address), setting=SETTING)
    try:
        with told(engine, setting=SETTING), engine.connect() as connection:
            there = sa.inspect(connection).has_table(META.name)
            return vault_name(engine), read_meta(connection) if there else {}
    finally:
        engine.dispose()


def _prepare_file(address: str | Path, *, create: bool) -> None:
    """Let only the owner open the file of a vault."""
    file = sqlite_file(address)
    if file is None:
        return
    if not create and not file.exists():
        raise UserError(f"there is no vault at {file}", "run the chain or correct `vault`")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if create:
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, _OWNER_ONLY))
        file.chmod(_OWNER_ONLY)
    except OSError as error:
        raise UserError(
            f"the vault {file} cannot be used ({error.strerror})",
            "name a file in `vault` that this user may write",
        ) from error


def _zero_what_is_deleted(connection: Any, _: Any) -> None:
    # Without it, SQLite leaves the bytes of deleted rows in the file.
    connection.execute("PRAGMA secure_delete = ON").close()


def _opened(connection: sa.Connection, master: MasterKey, *, create: bool) -> bytes:
    """Return the key of marks of a vault, which is made or taken over where it must be."""
    if not sa.inspect(connection).has_table(META.name):
        if not create and not has_plain_text(connection):
            name = vault_name(connection.engine)
            raise UserError(f"{name} is no vault", "run the chain or correct `vault`")
        return _created(connection, master)
    meta = read_meta(connection)
    if meta.get("format") != FORMAT:
        raise UserError(
            f"the vault {vault_name(connection.engine)} is of format {meta.get('format', 'none')}, "
            f"this version knows format {FORMAT}",
            "install the version that wrote it, or restore it from a backup",
        )
    _refuse_other_master(vault_name(connection.engine), meta, master)
    if meta["master"] != master.key_id:
        return rewrap(connection, MasterKey(DEMO_MASTER), master)
    return integrity_key(connection.engine, meta, master)


def _created(connection: sa.Connection, master: MasterKey) -> bytes:
    METADATA.create_all(connection)
    integrity = new_key()
    write_meta(
        connection,
        {
            "format": FORMAT,
            "master": master.key_id,
            "integrity": master.wrap(integrity, INTEGRITY),
            "access_head": "",
        },
    )
    return integrity


def _refuse_other_master(name: str, meta: Mapping[str, str], master: MasterKey) -> None:
    """Refuse another master key; a vault under the published one passes to the lender's own."""
    if meta.get("master") in (master.key_id, MasterKey(DEMO_MASTER).key_id):
        return
    given = "the published one of simulated counties" if _is_demo(master) else master.key_id
    raise UserError(
        f"the vault {name} is sealed under the master key {meta.get('master')}, the "
        f"key given is {given}",
        "set FIELDLINE_VAULT_KEY (or privacy.vault_key_file) to the key of this vault; to change "
        "it, run `fieldline vault rotate`",
    )


def _is_demo(master: MasterKey) -> bool:
    return master.secret == DEMO_MASTER


def _refuse_other_pseudonyms(name: str, meta: Mapping[str, str], given: str) -> None:
    known = meta.get("pseudonyms")
    if known in (None, given, _demo_pseudonyms()) or given == _demo_pseudonyms():
        return
    raise UserError(
        f"the farmers of the vault {name} have their pseudonyms from the key "
        f"{known}, the key given is {given}: every farmer would become somebody else",
        "set FIELDLINE_PSEUDONYM_KEY (or privacy.key_file) to the key of last time, or set "
        "`results` and `vault` elsewhere",
    )


def _demo_pseudonyms() -> str:
    return fingerprint(pseudonym_key(PrivacySettings(demo_key=True)))


def _own_pseudonyms(connection: sa.Connection, given: str) -> None:
    meta = read_meta(connection)
    _refuse_other_pseudonyms(vault_name(connection.engine), meta, given)
    if given != _demo_pseudonyms() or "pseudonyms" not in meta:
        write_meta(connection, {"pseudonyms": given})
