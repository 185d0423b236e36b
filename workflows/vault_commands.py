"""`fieldline vault`: the only way from a pseudonym to a person, and the way to be forgotten.

Owns the words of the command line; what is done is the vault's. Every command that opens a record
asks for a purpose and leaves an entry in the access log.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldline.workflows import exits

if TYPE_CHECKING:
    from fieldline.pipeline.vault.sealing import MasterKey
    from fieldline.pipeline.vault.vault import Vault
    from fieldline.workflows.config.model import Config

vault_app = typer.Typer(help="Who stands behind a pseudonym: every look is logged.")

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="YAML laid over the default; may be given again."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Farmer = Annotated[
    str, typer.Argument(metavar="FARMER", help="Pseudonym, or the lender's own reference.")
]
Purpose = Annotated[str, typer.Option(help="Why; it stands in the access log.")]

County = Annotated[str, typer.Option(help="County id.")]

_PSEUDONYM = re.compile(r"F[0-9a-f]{16}")


@vault_app.command("show")
def show(
    farmer: Farmer, purpose: Purpose, config: ConfigFiles = None, as_json: AsJson = False
) -> None:
    """Show one farmer's name, phone and id number; the look is logged first.

    Example: fieldline vault show F5b0c2d14a97e3f68 --purpose 'call about offer 17'
    """
    from fieldline.pipeline.vault.access import stated_purpose
    from fieldline.pipeline.vault.showing import show_person

    why = stated_purpose(purpose)
    with _vault(config) as (loaded, vault):
        person = show_person(vault, _pseudonym(loaded, farmer), why)
    if as_json:
        print(json.dumps(asdict(person), indent=2, ensure_ascii=False))
        return
    for name, value in asdict(person).items():
        print(f"{name:<12}{value or ''}")


@vault_app.command("erase")
def erase_farmer(
    farmer: Farmer, purpose: Purpose, config: ConfigFiles = None, as_json: AsJson = False
) -> None:
    """Destroy a farmer's data, its keys and outlines for good; offers and their audit chain stay.

    Example: fieldline vault erase F5b0c2d14a97e3f68 --purpose 'letter of 2 May 2025'
    """
    from fieldline.pipeline.vault.access import stated_purpose
    from fieldline.workflows.vault_requests import erase_everywhere

    why = stated_purpose(purpose)
    with _vault(config) as (loaded, vault):
        farmer_id = _pseudonym(loaded, farmer)
        done, forgotten = erase_everywhere(loaded, vault, farmer_id, why)
    if as_json:
        print(json.dumps({"farmer_id": farmer_id, **asdict(done), **asdict(forgotten)}))
        return
    print(f"{farmer_id}: {done.records} records destroyed, erased since {done.erased_at}")
    print(
        f"the offer store let go of {forgotten.outlines} outlines and emptied "
        f"{forgotten.applications} applications"
    )
    print("the next run of intake leaves the farmer out; `fieldline run --from intake` does it now")


@vault_app.command("admit")
def admit_farmer(
    farmer: Farmer,
    county: County,
    purpose: Purpose,
    config: ConfigFiles = None,
) -> None:
    """Let an erased farmer be taken in again, where a new consent is in the county's table.

    Example: fieldline vault admit F5b0c2d14a97e3f68 --county C1 --purpose 'applied again'
    """
    from fieldline.pipeline.vault.access import stated_purpose
    from fieldline.workflows.vault_requests import admit_again

    why = stated_purpose(purpose)
    with _vault(config) as (loaded, vault):
        farmer_id = _pseudonym(loaded, farmer)
        given = admit_again(loaded, vault, county, farmer_id, why, today=_today())
    print(f"{farmer_id} may be taken in again (consent of {given}): the next run of intake does it")


@vault_app.command("export")
def export(
    county: County,
    season: Annotated[str, typer.Option(help="Season.")],
    purpose: Purpose,
    recipient: Annotated[str, typer.Option(help="Who gets it, as in the consents.")],
    out: Annotated[Path, typer.Option(help="File to write: CSV, or .xlsx.")],
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Write a county's live offers with names, of farmers who consent to it and nobody else.

    Example: fieldline vault export --county C1 --season 2024 --purpose 'credit offer'
    --recipient 'Rural Bank' --out offers-with-names.csv
    """
    from fieldline.pipeline.vault.access import stated_purpose
    from fieldline.workflows.vault_requests import export_county

    why = stated_purpose(purpose)
    with _vault(config) as (loaded, vault):
        handed = export_county(loaded, vault, (county, season), (why, recipient, _today()), out)
    if as_json:
        print(json.dumps(asdict(handed)))
        return
    for code, count in handed.outcomes.items():
        print(f"{code:<20}{count}")
    print(f"{handed.outcomes.get('ok', 0)} of {handed.farmers} farmers: {out}")


@vault_app.command("rotate")
def rotate_master(
    new_key_file: Annotated[
        Path | None, typer.Option(help="File of the new key, instead of the variable.")
    ] = None,
    new_key_env: Annotated[
        str, typer.Option(help="Environment variable of the new key.")
    ] = "FIELDLINE_VAULT_KEY_NEW",
    config: ConfigFiles = None,
) -> None:
    """Bring the vault under a new master key, as one transaction; the old one opens it no more.

    Example: fieldline vault rotate --new-key-file next.key
    """
    from fieldline.pipeline.records.secrets import KeySource, read_secret
    from fieldline.pipeline.vault.rotation import rotate
    from fieldline.pipeline.vault.sealing import MasterKey, master_key

    new = MasterKey(read_secret(KeySource("the new master key", new_key_env, new_key_file)))
    loaded = _config(config)
    present = master_key(loaded.privacy_of_all())
    if new == present or _is_under(loaded, new):
        print(f"the vault is under the key {new.key_id} already: make it the one of every run")
        return
    with _vault(config) as (_, vault):
        count = rotate(vault, new)
    print(f"{count} records brought from the key {present.key_id} under {new.key_id}")
    print("set FIELDLINE_VAULT_KEY (or privacy.vault_key_file) to the new key before the next run,")
    print("destroy the old key when no backup needs it: erased farmers are gone from backups then")


@vault_app.command("verify")
def verify(config: ConfigFiles = None, as_json: AsJson = False) -> None:
    """Open every record and follow the access log; name what was changed, exchanged or cut.

    Example: fieldline vault verify
    """
    from fieldline.pipeline.vault.verify import verify_vault

    with _vault(config) as (_, vault):
        report = verify_vault(vault)
    if as_json:
        print(json.dumps(asdict(report), indent=2, ensure_ascii=False))
    else:
        print(*report.problems, sep="\n", end="\n" if report.problems else "")
        print(
            f"{report.persons} records, {report.erased} erased farmers, "
            f"{report.entries} entries of the access log, {len(report.problems)} problems"
        )
    raise typer.Exit(exits.FOUND if report.problems else exits.OK)


@vault_app.command("log")
def show_log(config: ConfigFiles = None) -> None:
    """Print the access log, one JSON line an entry: who, when, what, whose, why.

    Example: fieldline vault log
    """
    from fieldline.pipeline.vault.access import access_log

    with _vault(config) as (_, vault):
        for entry in access_log(vault):
            shown = {k: v for k, v in entry.items() if k not in ("mark", "left")}
            sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")


def _today() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()


def _config(files: list[Path] | None) -> Config:
    from fieldline.workflows.config.load import load_config

    return load_config(files or [])


@contextmanager
def _vault(files: list[Path] | None) -> Iterator[tuple[Config, Vault]]:
    from fieldline.pipeline.vault.opening import open_vault

    loaded = _config(files)
    with open_vault(loaded.vault_address(), loaded.privacy_of_all()) as vault:
        yield loaded, vault


def _is_under(loaded: Config, key: MasterKey) -> bool:
    """Whether the vault is under a key: a rotation that was cut off after its end is done."""
    from fieldline.pipeline.vault.opening import master_of

    return master_of(loaded.vault_address()) == key.key_id


def _pseudonym(loaded: Config, farmer: str) -> str:
    """Return the pseudonym of a farmer who is named by it or by the lender's reference."""
    from fieldline.pipeline.records.privacy import pseudonymiser

    if _PSEUDONYM.fullmatch(farmer):
        return farmer
    return pseudonymiser(loaded.privacy_of_all())(farmer)
