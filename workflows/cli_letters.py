"""The commands of letters: `fieldline letters` and `fieldline line letter`.

Owns arguments and their help; what they do is `workflows.letters`, imported when it is needed.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="YAML laid over the default; may be given again."),
]
Purpose = Annotated[
    str | None,
    typer.Option(help="Why names leave the vault, for its log; without, letters bear numbers."),
]


class Form(StrEnum):
    """Kinds of file that letters are written as."""

    HTML = "html"
    PDF = "pdf"


class Tongue(StrEnum):
    """Languages of letters."""

    ZH = "zh"
    EN = "en"


Language = Annotated[
    Tongue | None, typer.Option(help="zh or en; zh in counties that count in CNY, else en.")
]


def letters(
    county: Annotated[str, typer.Option(help="County id.")],
    season: Annotated[str, typer.Option(help="Season.")],
    out: Annotated[Path, typer.Option(help="Folder of the letters, made anew.")],
    form: Annotated[Form, typer.Option("--format", help="What kind of files.")] = Form.HTML,
    language: Language = None,
    purpose: Purpose = None,
    config: ConfigFiles = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a letter of every live offer: approved, declined or with a person.

    Example: fieldline letters --county C1 --season 2024 --out letters --format pdf --language zh
    """
    from fieldline.workflows.letters import Wanted, write_county_letters

    wanted = Wanted(
        county, season, out, form.value, None if language is None else language.value, purpose
    )
    raise typer.Exit(write_county_letters(config or [], wanted, as_json=as_json))


def line_letter(
    movements: Annotated[Path, typer.Argument(help="Table: on, draw, repay, annual_rate, ...")],
    offer: Annotated[str, typer.Option(help="offer_id of the store, whose terms count.")],
    signed_on: Annotated[str, typer.Option(help="Day of the signature.")],
    until: Annotated[str, typer.Option(help="Last day reckoned.")],
    out: Annotated[Path, typer.Option(help="File to write: .html or .pdf.")],
    closed_on: Annotated[str, typer.Option(help="First day without further draws.")] = "",
    language: Language = None,
    purpose: Purpose = None,
    config: ConfigFiles = None,
) -> None:
    """Write the letter that tells a farmer where a line stands.

    Example: fieldline line letter moved.csv --offer 3f9c --signed-on 2024-10-08
    --until 2024-12-31 --out statement.pdf
    """
    from fieldline.workflows.letters import Statement, write_statement_letter

    wanted = Statement(
        movements,
        offer,
        signed_on,
        until,
        out,
        closed_on,
        None if language is None else language.value,
        purpose,
    )
    print(write_statement_letter(config or [], wanted))
