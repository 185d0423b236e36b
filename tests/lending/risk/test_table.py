from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.risk.table import CreditTable, Question, read_credit_table
from fieldline.pipeline.records.errors import UserError

COUNT = 200


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "loan_no": np.arange(COUNT) + 5000,
        "name": [f"person {i}" for i in range(COUNT)],
        "amount": rng.uniform(10, 99, COUNT).round(2),
        "town": rng.choice(["north", "south"], COUNT),
        "opened": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, COUNT), "D"),
        "country": "CN",
        "days_late": np.arange(COUNT) % 4 * 40 + rng.integers(0, 30, COUNT),
        "end": ["lost" if i % 4 == 3 else "paid" for i in range(COUNT)],
    })  # fmt: skip


def read(tmp_path: Path, frame: pd.DataFrame, **asked: object) -> CreditTable:
    path = tmp_path / "loans.csv"
    frame.to_csv(path, index=False)
    return read_credit_table(path, Question(**{"target": "end", "positive": "lost", **asked}))  # type: ignore[arg-type]


def test_columns_that_cannot_be_learnt_from_are_left_out_and_said(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    found = read(tmp_path, frame)
    assert [feature.name for feature in found.features] == ["amount", "town", "opened"]
    assert found.left_out == {
        "loan_no": "numbers its rows",
        "name": "names its rows (nearly all texts differ)",
        "country": "says the same of every row",
        "days_late": "tells the outcome by itself (AUC 1.000)",
    }
    assert found.loans.defaulted.sum() == COUNT // 4


def test_what_is_kept_or_dropped_is_as_asked(tmp_path: Path, frame: pd.DataFrame) -> None:
    found = read(tmp_path, frame, keep=["days_late"], drop=["town"])
    assert [feature.name for feature in found.features] == ["amount", "opened", "days_late"]
    assert found.left_out["town"] == "dropped as asked"


def test_days_become_numbers_in_their_order(tmp_path: Path, frame: pd.DataFrame) -> None:
    found = read(tmp_path, frame).loans.table["opened"]
    assert (found.rank() == frame["opened"].rank()).all()
    assert found.max() - found.min() == (frame["opened"].max() - frame["opened"].min()).days


def test_a_category_is_places_of_its_levels_and_blank_is_missing(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    town = frame["town"].where(frame.index % 10 != 0).mask(frame.index == 1, "far away")
    found = read(tmp_path, frame.assign(town=town))
    feature = next(feature for feature in found.features if feature.name == "town")
    values = found.loans.table["town"]
    assert feature.levels[2:] == ("(other)",)
    assert values.isna().sum() == COUNT // 10
    assert values[1] == 2
    assert {feature.levels[int(v)] for v in values[values < 2]} == {"north", "south"}


def test_text_cells_among_numbers_are_missing_and_said(tmp_path: Path, frame: pd.DataFrame) -> None:
    amount = frame["amount"].astype("object")
    amount[3] = "about twenty"
    found = read(tmp_path, frame.assign(amount=amount))
    assert found.loans.table["amount"].isna().sum() == 1
    assert found.remarks == ("amount: 1 cells are no number",)


def test_parquet_and_other_delimiters_say_the_same(tmp_path: Path, frame: pd.DataFrame) -> None:
    plain = read(tmp_path, frame).loans
    frame.to_parquet(tmp_path / "loans.parquet")
    frame.to_csv(tmp_path / "semi.csv", index=False, sep=";", encoding="utf-16")
    for name in ("loans.parquet", "semi.csv"):
        again = read_credit_table(tmp_path / name, Question("end", "lost")).loans
        pd.testing.assert_frame_equal(again.table, plain.table, check_dtype=False)
        assert (again.defaulted == plain.defaulted).all()


@pytest.mark.parametrize(
    ("target", "positive"), [("flag", "1"), ("flag", "1.0"), ("flag", " 1"), ("end", "LOST")]
)
def test_the_positive_value_is_found_however_it_is_written(
    tmp_path: Path, frame: pd.DataFrame, target: str, positive: str
) -> None:
    flagged = frame.assign(flag=(frame["end"] == "lost").astype(float))
    found = read(tmp_path, flagged, target=target, positive=positive, drop=["end", "flag"])
    assert found.loans.defaulted.sum() == COUNT // 4


def test_rows_without_an_outcome_are_left_out_and_counted(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    found = read(tmp_path, frame.assign(end=frame["end"].where(frame.index >= 30)))
    assert len(found.loans.defaulted) == COUNT - 30
    assert "30 rows without an outcome are left out" in found.remarks


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"target": "fate"}, "no column 'fate'"),
        ({"positive": "gone"}, "never says 'gone'; it says lost, paid"),
        ({"target": "country", "positive": "CN"}, "says 'cn' in every row"),
        ({"signs": {"income": 1}}, "no column 'income'"),
    ],
)
def test_a_question_that_the_table_cannot_answer_is_refused(
    tmp_path: Path, frame: pd.DataFrame, asked: dict[str, object], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        read(tmp_path, frame, **asked)


def test_copies_of_a_credit_stand_in_one_group(tmp_path: Path, frame: pd.DataFrame) -> None:
    assert not read(tmp_path, frame).remarks
    twice = pd.concat([frame, frame.sample(frac=1, random_state=1)], ignore_index=True)
    found = read(tmp_path, twice)
    assert found.remarks[0].startswith("200 rows repeat another in every column")
    grouped = found.loans.table.assign(group=found.loans.households)
    assert grouped.groupby(["amount", "opened"])["group"].nunique().max() == 1
    assert len(np.unique(found.loans.households)) == COUNT


def test_rows_of_few_categories_repeat_by_chance_and_stay_apart(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    frame["size"] = np.arange(COUNT) % 3
    found = read(tmp_path, frame[["town", "size", "end"]])
    assert not found.remarks
    assert len(np.unique(found.loans.households)) == COUNT


def test_numbers_with_a_percent_sign_or_a_currency_are_numbers(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    """As lending platforms and Chinese banks export them; as text they ranked nothing."""
    plain = read(tmp_path, frame).loans.table["amount"]
    for shown, factor in (
        (lambda v: f"{v:.2f}%", 1), (lambda v: f" ${1000 * v:,.2f} ", 1000),
        (lambda v: f"{v:.2f}万元", 10_000), (lambda v: f"EUR {v:.2f}", 1),
    ):  # fmt: skip
        found = read(tmp_path, frame.assign(amount=frame["amount"].map(shown)))
        assert found.loans.table["amount"].to_numpy() == pytest.approx(factor * plain.to_numpy())
        assert not found.remarks
    mixed = [f"{v:.2f} {('EUR', 'USD')[i % 2]}" for i, v in enumerate(frame["amount"])]
    assert "amount" in read(tmp_path, frame.assign(amount=mixed)).left_out


def test_words_for_nothing_do_not_make_a_category_of_amounts(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    """R writes NA; a fifth of them had turned the amounts into forty levels."""
    amount = frame["amount"].astype("object").mask(frame.index % 5 == 0, "n.a.")
    found = read(tmp_path, frame.assign(amount=amount))
    assert found.features[0].levels == ()
    assert found.loans.table["amount"].isna().sum() == COUNT // 5
    assert not found.remarks


def test_a_word_for_nothing_is_no_outcome(tmp_path: Path, frame: pd.DataFrame) -> None:
    """R writes NA, which had counted as repaid; `none` may be an answer."""
    end = frame["end"].mask(frame.index < 30, "n/a")
    found = read(tmp_path, frame.assign(end=end))
    assert len(found.loans.defaulted) == COUNT - 30
    assert found.remarks[0] == "30 rows without an outcome are left out"
    answered = read(tmp_path, frame.assign(end=frame["end"].replace("paid", "none")))
    assert len(answered.loans.defaulted) == COUNT


def test_the_other_values_of_the_target_are_named(tmp_path: Path, frame: pd.DataFrame) -> None:
    end = frame["end"].mask(frame.index % 8 == 0, "Current")
    found = read(tmp_path, frame.assign(end=end))
    assert found.remarks == (
        "end has 3 values; all but lost count as repaid: paid (125), current (25)",
    )


def test_a_majority_of_defaults_is_asked_about(tmp_path: Path, frame: pd.DataFrame) -> None:
    """1 for repaid is as usual as 1 for default, and the figures look the same."""
    found = read(tmp_path, frame, positive="paid")
    assert found.remarks[0].startswith("150 of 200 rows count as defaults: does 'paid' of end mean")


def test_what_only_defaults_have_is_told_as_known_afterwards(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    lost = frame["end"] == "lost"
    some = lost & (frame.index % 8 == 3)
    late = frame.assign(
        recovered=np.where(some, frame["amount"], 0.0),
        collector=frame["town"].where(some),
        region=np.where(some, "agency", frame["town"]),
    )
    found = read(tmp_path, late)
    assert [remark.split(":")[0] for remark in found.remarks] == [
        "recovered", "collector", "region",
    ]  # fmt: skip
    assert "all 25 rows where it is above 0.0 defaulted" in found.remarks[0]
    assert "all 25 rows where it is filled in defaulted" in found.remarks[1]
    assert "all 25 rows where it is 'agency' defaulted" in found.remarks[2]
    few = frame.assign(recovered=np.where(some & (frame.index < 150), frame["amount"], 0.0))
    assert not read(tmp_path, few).remarks  # 19 rows: chance does that


def test_a_column_of_nothing_or_of_rare_texts_says_why_it_is_left_out(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    rare = frame.assign(note=[f"n{i // 4}" for i in range(COUNT)], empty="")
    left_out = read(tmp_path, rare).left_out
    assert left_out["note"] == "says nothing 5 times"
    assert left_out["empty"] == "is blank in every row"


def test_ids_by_name_are_not_learnt_from(tmp_path: Path, frame: pd.DataFrame) -> None:
    """They all differ and rise nowhere, as after a shuffle; a telephone of yes and no is a fact."""
    rng = np.random.default_rng(1)
    given = frame.assign(
        member_id=rng.permutation(COUNT) + 9000, LoanID=rng.permutation(COUNT) + 1,
        身份证=[f"34122119800101{i:04d}" for i in rng.permutation(COUNT)],
        farmer_id=rng.integers(100, 180, COUNT), telephone=rng.choice(["yes", "none"], COUNT),
    )  # fmt: skip
    found = read(tmp_path, given)
    learnt = [feature.name for feature in found.features]
    assert learnt == ["amount", "town", "opened", "telephone"]
    assert found.left_out["member_id"] == found.left_out["LoanID"] == "numbers its rows"
    assert found.left_out["farmer_id"].startswith("names its rows, borrowers or credits (--group")
    assert "farmer_id" in [f.name for f in read(tmp_path, given, keep=["farmer_id"]).features]


def test_what_only_defaults_have_tells_the_outcome_by_being_there(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    """The amount written off says nothing by its size and all by being filled in."""
    size = pd.Series(np.random.default_rng(2).uniform(1, 9, COUNT).round(2))
    found = read(tmp_path, frame.assign(written_off=size.where(frame["end"] == "lost")))
    assert found.left_out["written_off"] == "tells the outcome by itself (AUC 1.000)"


def test_credits_that_are_still_open_have_no_outcome(tmp_path: Path, frame: pd.DataFrame) -> None:
    status = frame["end"].map({"lost": "Charged Off", "paid": "Fully Paid"}).astype(object)
    status[frame.index % 8 == 0] = "Current"  # 25 of the 150 paid ones
    status[frame.index % 8 == 7] = "Default"  # 25 of the 50 lost ones
    found = read(tmp_path, frame.assign(end=status), positive="Charged Off")
    assert (len(found.loans.defaulted), found.loans.defaulted.sum()) == (175, 50)
    assert "25 rows are still current and have no outcome yet" in found.remarks
    assert "25 rows of default count as defaults as charged off does" in found.remarks
    asked = read(tmp_path, frame.assign(end=status), positive="Current")
    assert (len(asked.loans.defaulted), asked.loans.defaulted.sum()) == (200, 25)


def test_areas_durations_and_months_are_numbers(tmp_path: Path, frame: pd.DataFrame) -> None:
    given = frame.assign(
        area=[f"{1 + i / 10:.1f}亩" for i in range(COUNT)],
        term=[(" 36 months", "5 years", "1 year")[i % 3] for i in range(COUNT)],
        first_line=[("Jan-1985", "Feb-2001", "Mar-1999")[i % 3] for i in range(COUNT)],
        ward=[f"{i % 37}A" for i in range(COUNT)],
    )
    found = read(tmp_path, given)
    levels = {feature.name: len(feature.levels) for feature in found.features}
    assert [levels[name] for name in ("area", "term", "first_line")] == [0, 0, 0]
    assert levels["ward"] > 0
    assert found.loans.table["area"].iloc[:2].tolist() == pytest.approx([2000 / 3, 2200 / 3])
    assert found.loans.table["term"].iloc[:3].tolist() == [36, 60, 12]
    assert found.loans.table["first_line"].iloc[0] == pd.Timestamp("1985-01-31").value / 864e11
