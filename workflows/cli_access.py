"""Commands on a served desk: serving it, its accounts and its clients.

Owns arguments and their help; everything else is `workflows.serve_command` and `desk.access`,
imported when it is needed.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldline.pipeline.records.errors import UserError

if TYPE_CHECKING:
    import sqlalchemy as sa

accounts_app = typer.Typer(help="People who may sign in at a served desk.")
clients_app = typer.Typer(help="Programs that may ask the decision API.")

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="YAML laid over the default; may be given again."),
]
Counties = Annotated[
    list[str] | None, typer.Option("--county", help="County that may be seen; all if none.")
]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; a proxy's.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8780,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 2,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring the store's tables up first.")
    ] = False,
    config: ConfigFiles = None,
) -> None:
    """Serve the desk to people with accounts and the decision API to programs with keys.

    Example: FIELDLINE_HOSTS=desk.bank.example fieldline serve --config bank.yaml
    """
    _extra()
    from fieldline.workflows.serve_command import Order
    from fieldline.workflows.serve_command import serve as serve_until_stopped

    serve_until_stopped(Order(config or [], host, port, workers, migrate))


def work(config: ConfigFiles = None) -> None:
    """Decide applications that came in drawn; `fieldline serve` starts one of these itself.

    Example: fieldline work --config bank.yaml
    """
    _extra()
    from fieldline.workflows.serve_command import work as work_until_stopped

    work_until_stopped(config or [])


@accounts_app.command("add")
def accounts_add(
    name: Annotated[str, typer.Argument(help="Name that acts carry in the audit chain.")],
    role: Annotated[
        str, typer.Option(help="analyst, account_manager, approver, auditor or admin.")
    ],
    county: Counties = None,
    farmer: Annotated[
        list[str] | None, typer.Option(help="Farmer of an account manager, by pseudonym.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="'ISSUER SUBJECT' of single sign-on, instead of a password.")
    ] = None,
    config: ConfigFiles = None,
) -> None:
    """Add a person or change one; the password is asked for, or read from standard input.

    Example: fieldline accounts add ann --role analyst --county SIM001
    """
    engine = _store(config)
    from fieldline.desk.access.accounts import EVERY, add_account

    password = None if subject else _password()
    add_account(
        engine, name, role, password=password, subject=subject, counties=county or [EVERY],
        farmers=farmer or [],
    )  # fmt: skip
    print(f"{name} may sign in as {role}")


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


@accounts_app.command("list")
def accounts_list(config: ConfigFiles = None) -> None:
    """Show the accounts.

    Example: fieldline accounts list
    """
    engine = _store(config)
    from fieldline.desk.access.accounts import every_account

    for one in every_account(engine):
        where = "all counties" if one.counties is None else ", ".join(sorted(one.counties))
        print(f"{one.name}  {one.role}  {where}  {'' if one.active else 'off'}".rstrip())


@accounts_app.command("off")
def accounts_off(
    name: Annotated[str, typer.Argument(help="Name of the account.")], config: ConfigFiles = None
) -> None:
    """Let a person sign in no longer; sessions end at once.

    Example: fieldline accounts off ann
    """
    engine = _store(config)
    from fieldline.desk.access.accounts import switch_off

    switch_off(engine, name)
    print(f"{name} may sign in no longer")


@clients_app.command("add")
def clients_add(
    title: Annotated[str, typer.Argument(help="The system that asks.")],
    county: Counties = None,
    per_minute: Annotated[int, typer.Option(help="Requests a minute.")] = 600,
    config: ConfigFiles = None,
) -> None:
    """Add a program; prints its key, this once.

    Example: fieldline clients add "branch system" --county SIM001
    """
    engine = _store(config)
    from fieldline.desk.access.accounts import EVERY
    from fieldline.desk.access.clients import add_client

    print(add_client(engine, title, county or [EVERY], per_minute))


@clients_app.command("list")
def clients_list(config: ConfigFiles = None) -> None:
    """Show the programs; their keys are nowhere.

    Example: fieldline clients list
    """
    engine = _store(config)
    from fieldline.desk.access.clients import every_client

    for one in every_client(engine):
        where = "all counties" if one.counties is None else ", ".join(sorted(one.counties))
        state = "" if one.active else "off"
        print(f"{one.client_id}  {one.title}  {where}  {one.per_minute}/min  {state}".rstrip())


@clients_app.command("off")
def clients_off(
    client: Annotated[str, typer.Argument(help="Id of the client, the middle of its key.")],
    config: ConfigFiles = None,
) -> None:
    """Refuse a program's key from now on.

    Example: fieldline clients off 3f2a81c09b4d
    """
    engine = _store(config)
    from fieldline.desk.access.clients import revoke_client

    revoke_client(engine, client)
    print(f"{client} is refused from now on")


def _store(config: list[Path] | None) -> sa.Engine:
    """Return the store with the tables of access: adding the first account makes them."""
    _extra()
    from fieldline.workflows.config.load import load_config
    from fieldline.workflows.serve_command import checked_store

    return checked_store(load_config(config or []), migrate=True)


def _extra() -> None:
    for name in ("argon2", "authlib", "fastapi", "prometheus_client"):
        if find_spec(name) is None:
            raise UserError(
                f"serving needs {name}, which is not installed", "pip install 'fieldline[desk]'"
            )
