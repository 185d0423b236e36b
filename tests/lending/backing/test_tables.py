"""Contracts, guarantors and the pre-approved list as tables: which rows count, and why not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldline.lending.backing.contracts import account_contracts, read_contracts
from fieldline.lending.backing.covers import account_guarantors, read_covers
from fieldline.lending.backing.inputs import CONTRACTS, GUARANTORS, PREAPPROVED
from fieldline.lending.backing.preapproved import account_preapproved, read_preapproved
from fieldline.pipeline.inputs.read import Reading, read_input
from fieldline.pipeline.inputs.schema import InputSchema
from fieldline.pipeline.parcels.schemas import CONTACTS
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings

AS_OF = dt.date(2024, 9, 30)
PRIVACY = PrivacySettings(demo_key=True)
HOW = Reading("CNY")


def contract(name: str, **more: Any) -> dict[str, Any]:
    """Return ann's contract: 10 t of maize at 2,400 a tonne, in force at the harvest, assigned."""
    return {
        "contract_id": name, "farmer_id": "ann", "buyer": "Mill", "crop": "maize",
        "currency": "CNY", "amount": "", "quantity_t": 10, "price_per_t": 2400,
        "signed_on": "2024-06-01", "valid_from": "2024-09-01", "valid_to": "2025-12-31",
        "assigned": "yes", **more,
    }  # fmt: skip


def guarantor(name: str, **more: Any) -> dict[str, Any]:
    return {
        "guarantor_id": name, "name": f"Pool {name}", "share": 0.8, "currency": "CNY",
        "capacity_left": 100000, "stated_on": "2024-09-01", "fee": 0.005,
        "valid_from": "2024-01-01", "valid_to": "", "counties": "", "crops": "", **more,
    }  # fmt: skip


def listed(farmer: str, **more: Any) -> dict[str, Any]:
    return {
        "farmer_id": farmer, "id_number": "", "currency": "CNY", "amount": 20000,
        "valid_from": "2024-01-01", "valid_to": "2024-12-31", "source": "branch 7", **more,
    }  # fmt: skip


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "table.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


LINE_END = dt.date(2025, 12, 31)
SIGNED_BY = dt.date(2024, 10, 30)


def land(*others: dict[str, Any], **more: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two hectares of ann's whose maize brings 6 t each in October 2025, of 2,400 a tonne,
    without spread; others are further crops that may stand there."""
    harvest = {
        "parcel_id": "a", "crop": "maize", "harvest": "standing", "yield_q50_t_ha": 6.0,
        "shared_log_sd": 0.0, "own_log_sd": 0.0, "area_ha": 2.0, "harvest_by": dt.date(2025, 10, 1),
        "price_q50_minor": 240_000, "gross_q50_minor_ha": None, **more,
    }  # fmt: skip
    owner = {"parcel_id": "a", "farmer_id": pseudonymiser(PRIVACY)("ann")}
    return pd.DataFrame([harvest, *(harvest | one for one in others)]), pd.DataFrame([owner])


def counted(
    folder: Path, *rows: dict[str, Any], others: tuple[dict[str, Any], ...] = (), **grown: Any
) -> dict[str, tuple[str, int]]:
    """Return outcome and counted amount, whole yuan, by contract."""
    found = read_contracts(
        written(folder, *rows), *land(*others, **grown), as_of=AS_OF, line_end=LINE_END,
        privacy=PRIVACY, reading=HOW,
    )  # fmt: skip
    return {
        row["contract_id"]: (row["outcome"], row["counted_minor"] // 100)
        for row in found.to_dict("records")
    }


def test_what_a_contract_counts_for_and_why_it_counts_for_less(tmp_path: Path) -> None:
    rows = [
        contract("over", valid_to="2024-09-29"), contract("kept", assigned="no"),
        contract("other", crop="rice"), contract("early", valid_to="2025-09-30"),
        contract("later", signed_on="2024-10-01"), contract("stranger", farmer_id="zoe"),
        contract("sold", amount=15000, quantity_t=8, price_per_t=""),
    ]  # fmt: skip
    # 8 of the 12 t that two hectares bring
    assert counted(tmp_path, *rows) == {
        "over": ("contract_expired", 0), "kept": ("contract_unassigned", 0),
        "other": ("contract_other_crop", 0), "early": ("contract_not_at_harvest", 0),
        "sold": ("ok", 15000),
    }  # fmt: skip
    table = read_input(tmp_path / "table.csv", CONTRACTS, HOW)
    told = [(one.row, one.code) for one in account_contracts(table, AS_OF)]
    assert told == [
        (1, "contract_expired"), (2, "contract_unassigned"), (5, "input_after_as_of"),
    ]  # fmt: skip


def test_contracts_share_what_the_land_can_grow_in_the_order_of_their_names(
    tmp_path: Path,
) -> None:
    rows = [contract("c2"), contract("c1", quantity_t=9), contract("c3")]
    # 12 t: c1 takes 9 (21,600), c2 finds 3 of its 10 (.3 of 24,000), c3 none
    assert counted(tmp_path, *rows) == {
        "c1": ("ok", 21600), "c2": ("contract_beyond_land", 7200),
        "c3": ("contract_beyond_land", 0),
    }  # fmt: skip


def test_a_good_year_is_the_upper_tenth_and_an_amount_alone_is_a_quantity_at_the_price(
    tmp_path: Path,
) -> None:
    # log sd .5 (3-4-5 of .3 and .4): 12 t x e^(1.28155 x .5) = 12 x 1.89797 = 22.776 t
    rows = [contract("c1", amount=48000, quantity_t="", price_per_t="")]  # 20 t at 2,400
    assert counted(tmp_path, *rows, shared_log_sd=0.3, own_log_sd=0.4) == {"c1": ("ok", 48000)}
    rows = [contract("c1", amount=60000, quantity_t="", price_per_t="")]  # 25 t
    found = counted(tmp_path, *rows, shared_log_sd=0.3, own_log_sd=0.4)["c1"]
    assert found == ("contract_beyond_land", 54661)  # 60,000 x 22.77567 / 25


def test_a_contract_counts_that_takes_the_crop_between_its_harvest_and_the_end_of_the_line(
    tmp_path: Path,
) -> None:
    rows = [
        contract("store", valid_from="2025-10-15", valid_to="2025-12-31", quantity_t=1),
        contract("at once", valid_from="2025-10-01", valid_to="2025-10-01", quantity_t=1),
        contract("last day", valid_from="2025-12-31", valid_to="2026-03-01", quantity_t=1),
        contract("spring", valid_from="2026-01-01", valid_to="2026-03-01", quantity_t=1),
        contract("early", valid_from="2025-08-01", valid_to="2025-09-30", quantity_t=1),
    ]
    found = counted(tmp_path, *rows)
    assert {name for name, told in found.items() if told == ("ok", 2400)} == {
        "store", "at once", "last day",
    }  # fmt: skip
    assert found["spring"] == found["early"] == ("contract_not_at_harvest", 0)


def test_land_that_is_valued_by_area_bounds_a_contract_by_that_value(tmp_path: Path) -> None:
    by_area = {"yield_q50_t_ha": None, "price_q50_minor": None, "gross_q50_minor_ha": 1_000_000}
    amount: dict[str, Any] = {"quantity_t": "", "price_per_t": ""}
    # two hectares of 10,000, upper tenth at a log sd of .5: 20,000 x 1.89797 = 37,959.45
    rows = [contract("c1", amount=30000, **amount), contract("c2", amount=30000, **amount)]
    found = counted(tmp_path, *rows, shared_log_sd=0.5, **by_area)
    assert found == {"c1": ("ok", 30000), "c2": ("contract_beyond_land", 7959)}
    assert counted(tmp_path, contract("c", quantity_t=2, price_per_t=9000), **by_area) == {
        "c": ("ok", 18000)
    }


def test_a_contract_that_nothing_bounds_does_not_count(tmp_path: Path) -> None:
    alone = contract("c", amount=50000, quantity_t="", price_per_t="")
    assert counted(tmp_path, alone, price_q50_minor=None) == {"c": ("contract_unbounded", 0)}
    unknown = counted(tmp_path, contract("c"), yield_q50_t_ha=None)
    assert unknown == {"c": ("contract_unbounded", 0)}
    assert counted(tmp_path, contract("c"), area_ha=None) == {"c": ("contract_unbounded", 0)}
    assert counted(tmp_path, contract("c"), harvest="none") == {"c": ("contract_other_crop", 0)}
    assert "contract_unbounded" in outcome_codes()


def test_contracts_for_crops_of_which_a_field_bears_one_sell_the_land_once(tmp_path: Path) -> None:
    rows = [contract("c1", quantity_t=9), contract("c2", crop="rice", quantity_t=8)]
    # c1 takes 9 of the 12 t of maize, so three quarters of the land: 2 of 8 t of rice are left
    rice = {"crop": "rice", "yield_q50_t_ha": 4.0}
    assert counted(tmp_path, *rows, others=(rice,)) == {
        "c1": ("ok", 21600), "c2": ("contract_beyond_land", 4800),
    }  # fmt: skip
    elsewhere = {**rice, "parcel_id": "a2"}
    grown, owners = land(elsewhere)
    owners = pd.concat([owners, owners.assign(parcel_id="a2")])
    found = read_contracts(
        written(tmp_path, *rows), grown, owners, as_of=AS_OF, line_end=LINE_END, privacy=PRIVACY,
        reading=HOW,
    )  # fmt: skip
    assert found["outcome"].tolist() == ["ok", "ok"]


def test_an_amount_alone_sells_what_it_buys_at_the_lower_of_both_prices(tmp_path: Path) -> None:
    amount: dict[str, Any] = {"amount": 48000, "quantity_t": ""}
    # at 4,000 it were 12 t, all of the land; at the harvest's 2,400 it is 20 t
    assert counted(tmp_path, contract("c", price_per_t=4000, **amount)) == {
        "c": ("contract_beyond_land", 28800)
    }
    assert counted(tmp_path, contract("c", price_per_t=2000, **amount)) == {
        "c": ("contract_beyond_land", 24000)
    }


def test_an_amount_is_quantity_times_price_to_the_last_fen(tmp_path: Path) -> None:
    found = read_contracts(
        written(tmp_path, contract("c", quantity_t=4.35, price_per_t=1)), *land(), as_of=AS_OF,
        line_end=LINE_END, privacy=PRIVACY, reading=HOW,
    )  # fmt: skip
    assert found["value_minor"].tolist() == [435]  # 4.35 x 100 is 434.99999999999994 in binary


def covers(folder: Path, *rows: dict[str, Any]) -> list[str]:
    found = read_covers(written(folder, *rows), "C1", as_of=AS_OF, signed_by=SIGNED_BY, reading=HOW)
    return list(found["guarantor_id"])


def test_who_covers_lines_of_a_county_on_a_day(tmp_path: Path) -> None:
    rows = [
        guarantor("all"), guarantor("here", counties="C2 | C1"), guarantor("there", counties="C2"),
        guarantor("over", valid_to="2024-09-29"), guarantor("soon", valid_from="2024-10-01"),
        guarantor("ends", valid_to="2024-10-29"), guarantor("lasts", valid_to="2024-10-30"),
        guarantor("told", stated_on="2024-10-01"), guarantor("all", capacity_left=7),
    ]  # fmt: skip
    assert covers(tmp_path, *rows) == ["here", "lasts", "all"]
    table = read_input(tmp_path / "table.csv", GUARANTORS, HOW)
    told = [
        (one.row, one.column, one.code) for one in account_guarantors(table, "C1", AS_OF, SIGNED_BY)
    ]
    assert told == [
        (1, "guarantor_id", "input_repeated"), (3, "counties", "guarantor_elsewhere"),
        (4, "valid_to", "guarantor_expired"), (5, "valid_from", "input_after_as_of"),
        (6, "valid_to", "guarantor_expired"), (8, "stated_on", "input_after_as_of"),
    ]  # fmt: skip


def test_a_list_spares_whom_it_names_from_its_first_day_to_its_last(tmp_path: Path) -> None:
    hide = pseudonymiser(PRIVACY)
    mark = pseudonymiser(PRIVACY, "id_number")("110105194912310020")
    marks = pd.DataFrame([("F2", "id_number", mark)], columns=CONTACTS.names)
    rows = [
        listed("first", valid_from="2024-09-30"), listed("last", valid_to="2024-09-30"),
        listed("over", valid_to="2024-09-29"), listed("later", valid_from="2024-10-01"),
        listed("", id_number="110105 19491231-0020", amount=5000), listed("twice", amount=9000),
        listed("twice", amount=8000), listed("", id_number="000000"),
        listed("", id_number="000000"), listed("", id_number="110105194912310020", amount=6000),
    ]  # fmt: skip
    found = read_preapproved(
        written(tmp_path, *rows), marks, as_of=AS_OF, privacy=PRIVACY, reading=HOW
    )
    amounts = dict(zip(found["farmer_id"], found["amount_minor"] // 100, strict=True))
    assert amounts == {hide("first"): 20000, hide("last"): 20000, "F2": 5000, hide("twice"): 8000}
    table = read_input(tmp_path / "table.csv", PREAPPROVED, HOW)
    told = [(one.row, one.code) for one in account_preapproved(table, AS_OF)]
    assert told == [
        (3, "preapproval_expired"), (4, "input_after_as_of"), (6, "input_repeated"),
        (10, "input_repeated"),
    ]  # fmt: skip


def test_an_entry_whose_reference_and_number_name_two_people_spares_neither(
    tmp_path: Path,
) -> None:
    hide, number = pseudonymiser(PRIVACY), pseudonymiser(PRIVACY, "id_number")
    anns, bos, nobodys = "110105194912310020", "110105194912310039", "110105194912310055"
    marks = pd.DataFrame(
        [
            (hide("ann"), "id_number", number(anns)),
            (hide("bo"), "id_number", number(bos)),
        ],
        columns=CONTACTS.names,
    )
    rows = [
        listed("ann", id_number=bos), listed("bo", id_number=bos), listed("cy", id_number=nobodys),
    ]  # fmt: skip
    found = read_preapproved(
        written(tmp_path, *rows), marks, as_of=AS_OF, privacy=PRIVACY, reading=HOW
    )
    assert found["farmer_id"].tolist() == [hide("bo")]


def test_a_row_that_is_not_known_yet_or_cannot_be_read_replaces_none(tmp_path: Path) -> None:
    for later in ({"signed_on": "2024-10-01"}, {"quantity_t": -1}):
        rows = [contract("c", quantity_t=1), contract("c", **later)]
        assert counted(tmp_path, *rows) == {"c": ("ok", 2400)}
        table = read_input(tmp_path / "table.csv", CONTRACTS, HOW)
        assert [one for one in account_contracts(table, AS_OF) if one.row == 1] == []
    for later in ({"stated_on": "2024-10-01"}, {"share": 80}):
        assert covers(tmp_path, guarantor("g"), guarantor("g", **later)) == ["g"]
        table = read_input(tmp_path / "table.csv", GUARANTORS, HOW)
        told = account_guarantors(table, "C1", AS_OF, SIGNED_BY)
        assert [one for one in told if one.row == 1] == []


@pytest.mark.parametrize(
    ("schema", "row", "column", "code"),
    [
        (CONTRACTS, contract("c", quantity_t=""), "amount", "input_missing"),
        (CONTRACTS, contract("c", crop="gold"), "crop", "input_unknown_crop"),
        (CONTRACTS, contract("c", currency="USD"), "currency", "input_other_currency"),
        (CONTRACTS, contract("c", valid_to="2024-08-01"), "valid_to", "input_inconsistent"),
        (CONTRACTS, contract("c", assigned="perhaps"), "assigned", "input_not_yes_or_no"),
        (CONTRACTS, contract("c", quantity_t=0), "quantity_t", "input_out_of_range"),
        (CONTRACTS, contract("c", price_per_t=0), "price_per_t", "input_out_of_range"),
        (CONTRACTS, contract("c", amount=0), "amount", "input_out_of_range"),
        (CONTRACTS, contract("c", amount=24300), "amount", "input_inconsistent"),
        (GUARANTORS, guarantor("g", share=80), "share", "input_out_of_range"),
        (GUARANTORS, guarantor("g", crops="maize|gold"), "crops", "input_unknown_crop"),
        (GUARANTORS, guarantor("g", capacity_left=-1), "capacity_left", "input_out_of_range"),
        (PREAPPROVED, listed(""), "farmer_id", "input_missing"),
        (PREAPPROVED, listed("ann", amount=""), "amount", "input_missing"),
    ],
)
def test_a_row_that_cannot_be_read_is_coded_and_the_others_stand(
    tmp_path: Path, schema: InputSchema, row: dict[str, Any], column: str, code: str
) -> None:
    good = {"contracts": contract("d"), "guarantors": guarantor("d"), "preapproved": listed("d")}
    table = read_input(written(tmp_path, row, good[schema.name]), schema, HOW)
    problem = table.problems_of_rows()[1]
    assert (problem.column, problem.code) == (column, code)
    assert code in outcome_codes()
    assert list(table.good.index) == [1]
