"""The commands of the default model: `fieldline risk ...`.

Every import of a room happens inside the command that needs it; errors become sentences in
`workflows.cli`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldline.pipeline.records.errors import UserError

if TYPE_CHECKING:
    import datetime as dt

    from fieldline.lending.risk.table import CreditTable

risk_app = typer.Typer(help="Train, evaluate and check default models.")

Table = Annotated[Path, typer.Argument(help="CSV, workbook or Parquet, one row per credit.")]
Target = Annotated[str, typer.Option(help="Column that tells how the credit ended.")]
Positive = Annotated[str, typer.Option(help="Its value that means default.")]
Group = Annotated[str, typer.Option(help="Column of borrower or household, never split.")]
Drop = Annotated[list[str] | None, typer.Option(help="Column to leave out; may be given again.")]
Keep = Annotated[
    list[str] | None, typer.Option(help="Column to learn from although it looks like an id.")
]
Up = Annotated[list[str] | None, typer.Option("--increasing", help="More never lowers the risk.")]
Down = Annotated[list[str] | None, typer.Option("--decreasing", help="More never raises it.")]


def _table(
    file: Path, target: str, positive: str, group: str, drop: list[str] | None,
    keep: list[str] | None, up: list[str] | None, down: list[str] | None,
) -> CreditTable:  # fmt: skip
    from fieldline.lending.risk.table import Question, read_credit_table

    both = set(up or ()) & set(down or ())
    if both:
        raise UserError(f"{sorted(both)[0]!r} is given both signs", "give one of them")
    signs = dict.fromkeys(up or (), 1) | dict.fromkeys(down or (), -1)
    return read_credit_table(file, Question(target, positive, group, drop or (), keep or (), signs))


def _tell(table: CreditTable) -> None:
    for column, why in table.left_out.items():
        print(f"left out  {column}: {why}")
    for remark in table.remarks:
        print(f"note      {remark}")


@risk_app.command("evaluate")
def risk_evaluate(
    file: Table,
    target: Target,
    positive: Positive = "1",
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, max=50, help="Draws of the folds.")] = 1,
    group: Group = "",
    drop: Drop = None,
    keep: Keep = None,
    up: Up = None,
    down: Down = None,
    json_to: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
) -> None:
    """Hold boosting and scorecard against plain tools on FILE, on rows that none has seen.

    Example: fieldline risk evaluate loans.csv --target bad --positive yes --folds 5 --json out.json
    """
    from fieldline.lending.risk.evaluate import evaluate_table
    from fieldline.lending.settings import RiskSettings
    from fieldline.pipeline.records.canonical import canonical
    from fieldline.pipeline.records.tables import write_text

    table = _table(file, target, positive, group, drop, keep, up, down)
    found = evaluate_table(table, RiskSettings(), folds=folds, seeds=seeds)
    _tell(table)
    for remark in found["peers_absent"]:
        print(f"note      {remark}")
    print(f"{found['rows']} rows, {found['defaults']} defaults, {found['columns']} columns")
    for name, figures in found["models"].items():
        shown = (f"{k} {v['value']:.4f} [{v['low']:.4f}, {v['high']:.4f}]"
                 for k, v in figures.items())  # fmt: skip
        print(f"{name:<17} {'  '.join(shown)}")
    if json_to is not None:
        write_text(json_to, canonical(found) + "\n")


@risk_app.command("train")
def risk_train(
    file: Table,
    target: Target,
    out: Annotated[Path, typer.Option(help="New folder of the model.")],
    positive: Positive = "1",
    group: Group = "",
    drop: Drop = None,
    keep: Keep = None,
    up: Up = None,
    down: Down = None,
) -> None:
    """Train on all rows of FILE and write a model folder; the card is of rows held out.

    Example: fieldline risk train loans.csv --target bad --positive yes --out model
    """
    from dataclasses import replace

    from fieldline.lending.risk.card import train_pd
    from fieldline.lending.risk.evaluate import enough_for
    from fieldline.lending.risk.folder import CARD, write_model
    from fieldline.lending.settings import RiskSettings

    table = _table(file, target, positive, group, drop, keep, up, down)
    settings = RiskSettings()
    enough_for(table.loans, settings.folds)
    model = train_pd(table.loans, settings, table.features)
    told = {
        "trained": True, "version": model.label, "left_out": table.left_out,
        "remarks": list(table.remarks), "problem": "" if model.card["has_skill"] else "no skill",
        "growth": model.growth,
    }  # fmt: skip
    write_model(out, replace(model, card={}).to_dict(), {**model.card, **told})
    _tell(table)
    figures = model.card["boosting"]
    print(f"{model.label}  AUC {figures['auc']:.4f}  ECE {figures['ece']:.4f}  {out / CARD}")


@risk_app.command("gate")
def risk_gate(
    folder: Annotated[Path, typer.Argument(help="Model folder that is to serve.")],
    against: Annotated[Path | None, typer.Option(help="Model folder that serves today.")] = None,
    by: Annotated[str, typer.Option(help="Who approves.")] = "",
) -> None:
    """Approve a model folder, or say why it may not serve (exit code 3).

    Example: fieldline risk gate results/2024/SIM001/models/default --by "risk committee"
    """
    from fieldline.lending.risk.folder import MANIFEST
    from fieldline.lending.risk.gate import gate
    from fieldline.workflows import exits

    other = None if against is None else against / MANIFEST
    found = gate(folder / MANIFEST, other, by=by)
    for objection in found:
        print(f"refused: {objection}")
    if not found:
        print(f"approved: {folder}; name {folder / MANIFEST} in lending.risk.model")
    raise typer.Exit(exits.FOUND if found else exits.OK)


@risk_app.command("backfill")
def risk_backfill(
    loans: Annotated[Path, typer.Option(help="Your loan book: CSV, workbook or Parquet.")],
    county: Annotated[str, typer.Option(help="County id.")],
    out: Annotated[Path, typer.Option(help="Loan history to write.")],
    season: Annotated[
        list[str] | None, typer.Option(help="Season of the payouts; may be given again.")
    ] = None,
    within: Annotated[
        int, typer.Option(min=0, max=366, help="Days that knowledge may be older than a payout.")
    ] = 31,
    until: Annotated[
        str | None, typer.Option(help="Day on which the book was written, YYYY-MM-DD.")
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Run the chains that are lacking, one by one.")
    ] = False,
    config: Annotated[
        list[Path] | None,
        typer.Option("--config", "-c", help="YAML laid over the default; may be given again."),
    ] = None,
    cores: Annotated[int, typer.Option("--cores", min=1, help="Processor cores to use.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Turn your own loan book into a loan history, by what chains knew before each payout.

    Example: fieldline risk backfill --loans book.xlsx --county C001 --out loan_history.csv --run
    """
    import datetime as dt

    from fieldline.workflows.backfill import Asked, backfill_loans

    today = dt.datetime.now(tz=dt.UTC).date()
    asked = Asked(loans, county, tuple(season or ()), out, within, _day(until, today))
    code = backfill_loans(config or [], asked, today=today, run=run, cores=cores, as_json=as_json)
    raise typer.Exit(code)


def _day(text: str | None, today: dt.date) -> dt.date | None:
    import datetime as dt

    if text is None:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"--until {text!r} is no day", "write it as 2024-05-31") from error
    if day > today:
        raise UserError(f"--until {text} is still to come", "give the day of the book's export")
    return day
