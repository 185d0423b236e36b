"""A loan book of the tiny county becomes a loan history that a model learns from."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.risk.features import of_loans, of_profiles
from fieldline.lending.risk.training import run_risk_train
from fieldline.lending.settings import PolicySettings, RiskSettings
from fieldline.lending.sources import read_loans
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table
from tests.workflows.conftest import ChainRun

HIDE = pseudonymiser(PrivacySettings(demo_key=True))
HEAD = ("借据号", "农户编号", "放款日期", "到期日", "结清日期", "贷款金额(万元)")
SEASONS_END, MID_SEPTEMBER = dt.date(2024, 9, 30), dt.date(2023, 9, 15)


def farmers(run: ChainRun, season: str) -> list[str]:
    applications = run.simulated / "SIM001" / f"applications_{season}.csv"
    return pd.read_csv(applications)["farmer_id"].tolist()


def loan(name: str, farmer: str, paid: dt.date, late: int) -> tuple[Any, ...]:
    due = paid + dt.timedelta(days=300)
    return (name, farmer, paid, due, due + dt.timedelta(days=late), 0.5)


def write_book(folder: Path, rows: list[tuple[Any, ...]]) -> Path:
    path = folder / "book.csv"
    pd.DataFrame(rows, columns=list(HEAD)).to_csv(path, index=False, encoding="gb18030")
    return path


def backfilled(run: ChainRun, book: Path, out: Path, *more: str) -> tuple[int, dict[str, Any]]:
    command = ["risk", "backfill", "--loans", str(book), "--county", "SIM001", "--out", str(out)]
    said = run.fieldline(*command, "--until", "2026-06-01", "--json", *more)
    assert said.returncode in (0, 3), said.stderr
    return said.returncode, json.loads(said.stdout[said.stdout.index("{") :])


def test_a_model_learns_from_a_loan_book_by_what_the_finished_season_knew(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows = [
        loan(
            f"L{n}-{farmer}",
            farmer,
            SEASONS_END + dt.timedelta(days=n),
            int(rng.choice([-9, 5, 120])),
        )
        for farmer in farmers(tiny_run, "2024")
        for n in range(3)
    ]
    out = tmp_path / "loan_history.csv"
    book = write_book(tmp_path, [*rows, loan("X", "NOBODY", SEASONS_END, 0)])
    code, told = backfilled(tiny_run, book, out, "--season", "2024")
    assert (code, told["needed"], told["outcomes"]["input_unmatched"]) == (0, [], 1)
    reading = Reading("CNY")
    loans = read_loans(out, as_of=dt.date(2026, 6, 1), reading=reading)
    assert len(loans) == told["loans"] == told["outcomes"]["ok"] > 200
    profiles = read_table(tiny_run.folder / "profiles.parquet").set_index(["level", "party_id"])
    judged = of_profiles(
        profiles.loc[
            [("farmer", HIDE(name.split("-", 1)[1])) for name in loans["loan_id"]]
        ].reset_index()
    )
    # Earlier loans of the book had not ended by the as-of date, so all nine features agree.
    features = of_loans(loans, PolicySettings())
    np.testing.assert_allclose(features.to_numpy(float), judged.to_numpy(float), atol=1e-8)
    run_risk_train(
        loan_history=out, as_of=dt.date(2026, 6, 1), currency="CNY", policy=PolicySettings(),
        risk=RiskSettings(min_loans=100, min_defaults=20, search=0, folds=2, trees=10),
        table_columns={}, out=tmp_path / "model" / "manifest.json",
        outcomes=tmp_path / "outcomes.parquet",
    )  # fmt: skip
    card = json.loads((tmp_path / "model" / "card.json").read_text(encoding="utf-8"))
    assert (card["trained"], card["loan_days"], card["loans_too_young"]) == (True, 300, 0)
    assert card["default_rate"] == pytest.approx(loans["defaulted"].mean())


def test_a_lacking_chain_is_named_and_run_apart_from_the_seasons_own(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    rows = [
        loan(f"L-{farmer}", farmer, MID_SEPTEMBER + dt.timedelta(days=n % 5), 0)
        for n, farmer in enumerate(farmers(tiny_run, "2023"))
    ]
    book, out = write_book(tmp_path, rows), tmp_path / "loan_history.csv"
    code, told = backfilled(tiny_run, book, out)
    assert (code, told["history"], told["loans"]) == (3, None, 0)
    assert told["needed"] == [{"season": "2023", "as_of": "2023-09-15", "loans": len(rows)}]
    assert told["outcomes"] == {"loan_needs_chain": len(rows)}
    assert not out.exists()
    before = contents(tiny_run.results)

    code, told = backfilled(tiny_run, book, out, "--run")
    assert (code, told["needed"]) == (0, [])
    apart = tiny_run.results / "backfill" / "2023-09-15"
    folder = apart / "2023" / "SIM001"
    assert contents(tiny_run.results) == before
    assert not (folder / "decisions.parquet").exists()
    assert not list(apart.glob("*.sqlite"))

    loans = read_loans(out, as_of=dt.date(2026, 6, 1), reading=Reading("CNY"))
    applied = pd.read_csv(tiny_run.simulated / "SIM001" / "applications_2023.csv")
    newest = applied.groupby("farmer_id")["applied_on"].min()
    known = loans["loan_id"].str.removeprefix("L-").map(newest) <= "2023-09-15"
    assert known.any()
    assert not known.all()
    # Debts stated after the chain's day are in no row, those stated before are in each.
    assert loans["debt_service"].notna().tolist() == known.tolist()
    told_rows = pd.read_csv(tmp_path / "loan_history_rows.csv")
    assert told_rows["outcome"].isin(["ok", "no_application", "no_valued_parcel"]).all()
    assert len(told_rows) == len(rows)


def contents(results: Path) -> dict[str, str]:
    """Return the hash of every artifact that is not in a folder of the backfill or a log."""
    files = [*results.glob("20*/**/*"), *results.glob("fieldline.sqlite")]
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--county", "SIM009"], "county 'SIM009' is not configured: use one of SIM001"),
        (["--season", "1999"], "county SIM001 has no season '1999': use one of 2023, 2024"),
        (["--until", "31.12.2025"], "--until '31.12.2025' is no day: write it as 2024-05-31"),
        (["--loans", "nowhere.csv"], "nowhere.csv does not exist"),
    ],
)
def test_what_cannot_be_right_is_one_sentence(
    tmp_path: Path, more: list[str], sentence: str
) -> None:
    run = ChainRun(tmp_path / "empty.yaml", tmp_path, tmp_path)
    run.config.write_text(f"results: {tmp_path}\n", encoding="utf-8")
    book = write_book(tmp_path, [loan("a", "F1", SEASONS_END, 0)])
    base = {"--county": "SIM001", "--loans": str(book), "--out": str(tmp_path / "out.csv")}
    given = base | {more[0]: more[1]}
    said = run.fieldline("risk", "backfill", *(word for pair in given.items() for word in pair))
    assert said.returncode == 2
    assert sentence in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out.csv").exists()
