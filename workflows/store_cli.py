"""Commands on the offer store: its audit chain, the life of its offers, people's decisions.

Owns arguments and their help; what they do is `workflows.store_checks`, imported when it is needed.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fieldline.pipeline.records.errors import UserError

audit_app = typer.Typer(help="Check what was decided.")
offers_app = typer.Typer(help="Look after offers that stand.")
review_app = typer.Typer(help="Decide what the rules leave to people.")

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="YAML laid over the default; may be given again."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class Form(StrEnum):
    """Kinds of file that offers are exported as."""

    XLSX = "xlsx"
    CSV = "csv"
    FINERACT = "fineract"


@audit_app.command("verify")
def audit_verify(
    anchor: Annotated[
        Path | None, typer.Option(help="File of anchors that the chain must still hold.")
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(
            help="File that keeps how far the store is verified: only what came later is "
            "read, and the file goes on. All of it where there is none yet."
        ),
    ] = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Hold every row of the offer store against its audit chain, its key and its anchors.

    Example: fieldline audit verify
    """
    from fieldline.workflows.store_checks import verify_audit

    raise typer.Exit(verify_audit(config or [], anchor, since, as_json=as_json))


@audit_app.command("anchor")
def audit_anchor(
    out: Annotated[Path, typer.Option(help="File that the anchor is added to; keep it elsewhere.")],
    config: ConfigFiles = None,
) -> None:
    """Add the head of the audit chain to a file, to prove later that nothing was cut off.

    Example: fieldline audit anchor --out anchors.jsonl
    """
    from fieldline.workflows.store_checks import write_anchor

    print(write_anchor(config or [], out))


@audit_app.command("seal")
def audit_seal(config: ConfigFiles = None) -> None:
    """Go on under another audit key, or the first one; verify the chain before.

    Example: fieldline audit seal
    """
    from fieldline.workflows.store_checks import seal_chain

    print(seal_chain(config or []))


@audit_app.command("replay")
def audit_replay(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[OFFER]", help="Offer or decision; all where none is named."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Replay every stored decision.")] = False,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Decide stored decisions again, default risk included; name those not as stored.

    Example: fieldline audit replay --all
    """
    from fieldline.workflows.store_checks import replay_decisions

    if every and name:
        raise UserError("both a decision and --all are given", "give one of them")
    raise typer.Exit(replay_decisions(config or [], name, as_json=as_json))


@offers_app.command("expire")
def offers_expire(
    on: Annotated[
        str | None, typer.Option(help="Day, YYYY-MM-DD; today where none is given.")
    ] = None,
    config: ConfigFiles = None,
) -> None:
    """Close the offers that have run out, in the audit chain too.

    Example: fieldline offers expire
    """
    from fieldline.workflows.store_checks import expire_offers

    print(expire_offers(config or [], on, today=_today()))


@offers_app.command("release")
def offers_release(
    offers: Annotated[list[str], typer.Argument(metavar="OFFER...", help="Ids of the offers.")],
    officer: Annotated[str, typer.Option(help="Who says so.")],
    reason: Annotated[str, typer.Option(help="Why: not signed, or repaid.")],
    config: ConfigFiles = None,
) -> None:
    """Count offers that ran out as lines no longer: they were not signed, or are repaid.

    Example: fieldline offers release 3f2a 81c0 --officer Ann --reason "not signed"
    """
    from fieldline.workflows.store_checks import release_lines

    print(release_lines(config or [], offers, officer, reason, today=_today()))


@offers_app.command("export")
def offers_export(
    county: Annotated[str, typer.Option(help="County id.")],
    season: Annotated[str, typer.Option(help="Season.")],
    out: Annotated[Path, typer.Option(help="File to write.")],
    form: Annotated[Form, typer.Option("--format", help="What kind of file.")] = Form.XLSX,
    purpose: Annotated[
        str | None, typer.Option(help="fineract: why, as in the consents; it is logged.")
    ] = None,
    recipient: Annotated[
        str | None, typer.Option(help="fineract: who gets it, as in the consents.")
    ] = None,
    post: Annotated[
        str | None, typer.Option(metavar="URL", help="fineract: post to the API at this root too.")
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="fineract: day of the applications; today where none.")
    ] = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Write a county's live offers: as a workbook or like offers.csv, both without names, or as
    loan applications of Apache Fineract, of farmers who consent to it.

    Example: fieldline offers export --county C1 --season 2024 --out offers.xlsx
    """
    from fieldline.workflows.handover import Wanted, hand_over_county, tell
    from fieldline.workflows.offers_export import export_offers

    if form is Form.FINERACT:
        wanted = Wanted(county, season, purpose, recipient, on, post, out)
        raise typer.Exit(tell(hand_over_county(config or [], wanted, _today()), as_json=as_json))
    if purpose or recipient or post or on:
        raise UserError(
            "--purpose, --recipient, --post and --on belong to --format fineract",
            "leave them out: a file without names goes to nobody in particular",
        )
    print(export_offers(config or [], (county, season), out, as_workbook=form is Form.XLSX))


@offers_app.command("near")
def offers_near(
    place: Annotated[
        str, typer.Argument(help="LON,LAT, or a file of points, lines or areas: a planned road.")
    ],
    within: Annotated[float, typer.Option(help="How far from it a parcel may lie, m.")] = 0.0,
    out: Annotated[Path | None, typer.Option(help="CSV to write instead.")] = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Say whose live offers have land at a place, how far away and how much of it.

    Example: fieldline offers near 117.51,32.88 --within 2000
    """
    from fieldline.workflows.offers_near import tell_near

    tell_near(config or [], place, within, out, as_json=as_json)


@review_app.command("list")
def review_list(
    county: Annotated[str, typer.Option(help="County id; all where none is given.")] = "",
    season: Annotated[str, typer.Option(help="Season; all where none is given.")] = "",
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Show the offers that wait for a person, and what people have decided.

    Example: fieldline review list
    """
    from fieldline.workflows.review_checks import list_reviews

    list_reviews(config or [], county, season, as_json=as_json)


@review_app.command("decide")
def review_decide(
    offer: Annotated[str, typer.Argument(help="Id of the live offer, or of its decision.")],
    officer: Annotated[str, typer.Option(help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Why; the farmer is told it.")],
    approve: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Line given, in the offer's currency.")
    ] = None,
    decline: Annotated[bool, typer.Option("--decline", help="Give none.")] = False,
    until: Annotated[
        str | None, typer.Option(help="Last as-of date, YYYY-MM-DD; a must to lift a decline.")
    ] = None,
    document: Annotated[
        list[str] | None, typer.Option(help="What was looked at; may be given again.")
    ] = None,
    config: ConfigFiles = None,
) -> None:
    """Decide on an offer; the next run posts it. To lift a decline takes a second person.

    Example: fieldline review decide 3f2a --officer Ann --approve 3000 --reason "seen on the farm"
    """
    from fieldline.workflows.review_checks import Given, decide_review

    given = Given(offer, officer, reason, approve, decline, until, tuple(document or ()))
    print(decide_review(config or [], given, today=_today()))


@review_app.command("confirm")
def review_confirm(
    review: Annotated[str, typer.Argument(help="Id of the decision.")],
    officer: Annotated[str, typer.Option(help="The second person.")],
    config: ConfigFiles = None,
) -> None:
    """Stand by another person's decision that lifts a decline.

    Example: fieldline review confirm 81c0 --officer Bo
    """
    from fieldline.workflows.review_checks import confirm_review

    print(confirm_review(config or [], review, officer, today=_today()))


@review_app.command("revoke")
def review_revoke(
    review: Annotated[str, typer.Argument(help="Id of the decision.")],
    officer: Annotated[str, typer.Option(help="Who takes it back.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    config: ConfigFiles = None,
) -> None:
    """Take a decision back; the next run goes by the rules again.

    Example: fieldline review revoke 81c0 --officer Ann --reason "wrong farm"
    """
    from fieldline.workflows.review_checks import revoke_review

    print(revoke_review(config or [], review, officer, reason, today=_today()))


@review_app.command("import")
def review_import(
    file: Annotated[Path, typer.Argument(help="Table of decisions; columns in docs/audit.md.")],
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Enter the decisions of a table, a row at a time; say what became of each.

    Example: fieldline review import minutes.csv
    """
    from fieldline.workflows.review_checks import import_reviews

    raise typer.Exit(import_reviews(config or [], file, today=_today(), as_json=as_json))


def _today() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()
