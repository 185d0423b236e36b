"""`fieldline risk backfill`: a lender's own loan book as a loan history to learn from.

Owns the folders of finished chains, the running of those that are lacking, and the telling. A chain
of its own is run up to the profiles and no further: nothing old is ever decided or posted again.
Its folder lies below the results, `backfill/AS_OF`, so that the season's own stays as it is.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fieldline.lending.risk.backfill import (
    UNSTATED,
    Backfilled,
    Chain,
    Knowledge,
    People,
    SeasonSpan,
    backfill,
    days_for,
    season_of,
)
from fieldline.lending.risk.loan_book import LOAN_BOOK, LoanBook, read_loan_book
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table, write_text
from fieldline.workflows import exits
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.inputs.check import refuse_unknown
from fieldline.workflows.runner import make_artifacts

FOLDER = "backfill"
"""Folder below the results that holds chains at other days than their season's own."""
_PROFILES, _OUTCOMES = "profiles.parquet", "outcomes/profile.parquet"
_DECISIONS = "decisions.parquet"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_YEAR = dt.timedelta(days=366)
"""How long after its last day a season still stands for payouts, where no other has begun."""


@dataclass(frozen=True)
class Asked:
    """What a backfill is asked for."""

    loans: Path
    county: str
    seasons: tuple[str, ...]
    """Seasons whose chains may be used; empty for all of the county."""
    out: Path
    within: int
    """Days that knowledge may be older than the payout."""
    until: dt.date | None
    """Day on which the book was written, where known."""

    @property
    def rows(self) -> Path:
        """File of what became of each row, beside the history."""
        return self.out.with_name(f"{self.out.stem}_rows.csv")


def backfill_loans(
    config_files: Sequence[Path],
    asked: Asked,
    *,
    today: dt.date,
    run: bool,
    cores: int,
    as_json: bool,
) -> int:
    """Write the loan history of a loan book and what became of its rows; return the exit code.

    Args:
        config_files: YAML files laid over the default.
        asked: What is asked for.
        today: Nothing in a book was done later.
        run: Run the chains that are lacking, one after the other.
        cores: Processor cores of those runs.
        as_json: Print JSON.

    Raises:
        UserError: The county, a season or the book cannot be used, or a chain fails.
    """
    config = load_config(config_files)
    refuse_unknown(config, asked.county, *asked.seasons)
    county = config.county[asked.county]
    columns = county.inputs.columns.get(LOAN_BOOK.name, {})
    reading = Reading(county.currency, columns, "inputs")
    book = read_loan_book(asked.loans, reading, today=today, until=asked.until)
    folders = finished_chains(config, asked.county)
    chains = _assigned(county.seasons, asked, book, folders)
    lacking = sorted({chain for chain in chains.values() if chain not in folders}, key=_order)
    if run:
        for chain in lacking:
            folders[chain] = run_chain_of(config, config_files, asked.county, chain, cores)
        lacking = []
    privacy = config.privacy_of(asked.county)
    people = People(pseudonymiser(privacy), pseudonymiser(privacy, "household"))
    known = {chain: _knowledge(folders[chain]) for chain in {*chains.values()} & {*folders}}
    found = backfill(book, chains, known, people, county.currency)
    rows = _rows(book, chains, found)
    write_text(asked.rows, rows.to_csv(index=False))
    if not found.history.empty:
        write_text(asked.out, found.history.to_csv(index=False))
    _tell(_document(asked, book, rows, found.history, lacking, chains), as_json=as_json)
    return exits.FOUND if lacking or found.history.empty else exits.OK


def _order(chain: Chain) -> tuple[dt.date, str]:
    return chain.as_of, chain.season


def finished_chains(config: Config, county: str) -> dict[Chain, Path]:
    """Return the folders that hold what was known of a county at some day.

    A season's own folder counts if it was decided after its profiles were made, and if none of the
    seasons before it, which it learns from, is known to a later day.
    """
    found: dict[Chain, Path] = {}
    for name in config.county[county].seasons:
        folder = config.results / name / county
        as_of = _decided_at(folder)
        if as_of is not None and not _reads_later(config, county, name, as_of):
            found[Chain(name, as_of)] = folder
    for made in sorted((config.results / FOLDER).glob(f"*/*/{county}/{_PROFILES}")):
        day, season = made.parents[2].name, made.parents[1].name
        if _DAY.fullmatch(day) and season in config.county[county].seasons:
            found[Chain(season, dt.date.fromisoformat(day))] = made.parent
    return {chain: folder for chain, folder in found.items() if (folder / _OUTCOMES).is_file()}


def _decided_at(folder: Path) -> dt.date | None:
    """Return the as-of date of a finished folder; None where it is not finished."""
    profiles, decisions = folder / _PROFILES, folder / _DECISIONS
    if not profiles.is_file() or not decisions.is_file():
        return None
    if profiles.stat().st_mtime > decisions.stat().st_mtime:
        return None
    days = read_table(decisions, ["as_of"])["as_of"].unique()
    return pd.Timestamp(days[0]).date() if len(days) == 1 else None


def _reads_later(config: Config, county: str, season: str, as_of: dt.date) -> bool:
    seasons = config.county[county].seasons
    return any(seasons[name].as_of > as_of for name in config.earlier_seasons(county, season))


def _assigned(
    seasons: Mapping[str, Season], asked: Asked, book: LoanBook, ready: Iterable[Chain]
) -> dict[int, Chain]:
    """Return the chain that stands for each loan that has an end to learn from."""
    spans = [SeasonSpan(name, s.start, s.end + _YEAR) for name, s in seasons.items()]
    loans = book.loans[book.loans["mature"] & book.loans["defaulted"].notna()]
    payouts = {int(str(row)): day.date() for row, day in loans["disbursed_on"].items()}
    of_season: dict[str, list[int]] = {}
    for row, day in payouts.items():
        season = season_of(day, spans)
        if season is not None and (not asked.seasons or season in asked.seasons):
            of_season.setdefault(season, []).append(row)
    chains: dict[int, Chain] = {}
    for season, rows in of_season.items():
        known = [chain.as_of for chain in ready if chain.season == season]
        days = days_for([payouts[row] for row in rows], known, asked.within)
        chains |= {row: Chain(season, days[payouts[row]]) for row in rows}
    return chains


def run_chain_of(
    config: Config, config_files: Sequence[Path], county: str, chain: Chain, cores: int
) -> Path:
    """Run a chain up to its profiles in a folder of its own and return that of its artifacts.

    It reads the seasons before its own as they were known on its day, and shares the vault, so that
    no second copy of names arises and who was erased stays erased.
    """
    results = config.results.absolute() / FOLDER / chain.as_of.isoformat()
    seasons = config.county[county].seasons
    days = {
        name: {"as_of": min(seasons[name].as_of, chain.as_of).isoformat()}
        for name in config.earlier_seasons(county, chain.season)
    }
    overlay = {
        "results": str(results), "vault": config.vault_address(), "counties": [county],
        "seasons": [chain.season],
        "county": {county: {"seasons": days | {chain.season: {"as_of": chain.as_of.isoformat()}}}},
    }  # fmt: skip
    file = results / f"{chain.season}.yaml"
    write_text(file, yaml.safe_dump(overlay, allow_unicode=True))
    return make_artifacts(
        [*config_files, file], county, chain.season, [_PROFILES, _OUTCOMES], cores=cores
    )


def _knowledge(folder: Path) -> Knowledge:
    profiles = read_table(folder / _PROFILES)
    told = read_table(folder / _OUTCOMES, ["farmer_id", "outcome"])
    told = told[told["outcome"].isin(UNSTATED)]
    without = dict(zip(told["farmer_id"], told["outcome"], strict=True))
    farmers = profiles[profiles["level"] == "farmer"]
    homes = dict(zip(farmers["party_id"], farmers["household_id"], strict=True))
    return Knowledge(profiles, {homes[name]: code for name, code in without.items()} | without)


def _rows(book: LoanBook, chains: Mapping[int, Chain], found: Backfilled) -> pd.DataFrame:
    """Return one line for every row of the book, in its order."""
    problems = {problem.row: problem for problem in book.problems} | found.outcomes
    names = book.table.frame["loan_id"]
    lines = []
    for row in range(book.rows):
        chain, problem = chains.get(row), problems.get(row + 1, Problem(row + 1, "", OK))
        lines.append({
            "row": row + 1, "loan_id": names.iloc[row], "season": chain and chain.season,
            "as_of": chain and chain.as_of, "outcome": problem.code, "column": problem.column,
            "value": problem.value,
        })  # fmt: skip
    return pd.DataFrame(lines)


def _document(
    asked: Asked,
    book: LoanBook,
    rows: pd.DataFrame,
    history: pd.DataFrame,
    lacking: Sequence[Chain],
    chains: Mapping[int, Chain],
) -> dict[str, Any]:
    loans = Counter(chains.values())
    return {
        "book": str(asked.loans),
        "rows": book.rows,
        "until": book.until.isoformat(),
        "history": None if history.empty else str(asked.out),
        "loans": len(history),
        "defaulted": int(history["defaulted"].sum()),
        "outcomes": {str(code): int(n) for code, n in rows["outcome"].value_counts().items()},
        "rows_file": str(asked.rows),
        "remarks": list(book.table.remarks),
        "needed": [
            {"season": chain.season, "as_of": chain.as_of.isoformat(), "loans": loans[chain]}
            for chain in lacking
        ],
    }


def _tell(document: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for remark in document["remarks"]:
        print(f"{document['book']}: {remark}")
    for code, count in document["outcomes"].items():
        if code != OK:
            known = outcome_codes()[code]
            print(f"{count:,} of {document['rows']:,} {code}: {known.english}; {known.remedy}")
    for chain in document["needed"]:
        print(f"needed: season {chain['season']} as of {chain['as_of']}, {chain['loans']:,} loans")
    if document["needed"]:
        print(f"--run runs {len(document['needed'])} chains, one after the other, up to profiles")
    print(
        f"{document['loans']:,} loans, {document['defaulted']:,} of them defaulted, as the book "
        f"tells up to {document['until']}: {document['history'] or 'no history is written'}"
    )
    print(f"each row of the book: {document['rows_file']}")
