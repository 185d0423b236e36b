"""What families, neighbours and a village office do is no relation; planted rings are found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.codes import reason_codes, relation_codes
from fieldline.lending.relations.judge import Known, relations_of
from fieldline.lending.relations.people import People
from fieldline.lending.relations.settings import RelationSettings
from tests.benchmarks.relations import scores

SETTINGS = RelationSettings()
NO_GUARANTEES = pd.DataFrame({"farmer_id": [], "guarantor_id": []}, dtype="str")


def folk(count: int, km: float, households: list[int] | None = None) -> People:
    names = np.array([f"F{i}" for i in range(count)], dtype=object)
    homes = np.array(range(count) if households is None else households, dtype=np.int64)
    return People(names, homes, np.arange(count) * km, np.zeros(count))


def found(people: People, *rows: tuple[int, str, str]) -> dict[str, set[str]]:
    """Return the codes and who has them, from contacts alone."""
    frame = pd.DataFrame([(f"F{i}", kind, mark) for i, kind, mark in rows],
                         columns=["farmer_id", "kind", "mark"], dtype="str")  # fmt: skip
    table = relations_of(people, Known(frame, NO_GUARANTEES), SETTINGS)
    return {code: set(part["farmer_id"]) for code, part in table.groupby("code")}


def test_a_family_that_has_divided_shares_everything_and_is_not_asked() -> None:
    rows = [(i, kind, "x") for i in (0, 1) for kind in ("phone", "bank_account", "address")]
    assert found(folk(2, 10.0), *rows) == {}


def test_a_household_of_five_counts_once() -> None:
    rows = [(i, "phone", "x") for i in range(5)]
    assert found(folk(5, 10.0, [0] * 5), *rows) == {}


def test_the_office_of_a_village_has_one_phone_and_one_address() -> None:
    rows = [(i, kind, "x") for i in range(9) for kind in ("phone", "address")]
    assert found(folk(9, 0.3), *rows) == {}  # 2.4 km from end to end
    far = found(folk(9, 0.5), *rows)  # 4 km
    assert set(far) == {"shared_phone", "shared_address"}
    assert far["shared_phone"] == {f"F{i}" for i in range(9)}


def test_an_account_of_three_neighbours_is_asked_about() -> None:
    assert set(found(folk(3, 0.1), *((i, "bank_account", "x") for i in range(3)))) == {
        "shared_account"
    }


def test_pairs_that_evade_every_count_are_tied_together() -> None:
    # 0-1 by phone, 1-2 by account, 2-3 by phone: four households, no contact given by three
    rows = [(0, "phone", "a"), (1, "phone", "a"), (1, "bank_account", "b"),
            (2, "bank_account", "b"), (2, "phone", "c"), (3, "phone", "c")]  # fmt: skip
    assert found(folk(4, 0.1), *rows) == {"linked_households": {"F0", "F1", "F2", "F3"}}
    assert found(folk(4, 0.1), *rows[:4]) == {}
    # the brother of one of them lives in the same household and gave nothing
    assert "F4" not in found(folk(5, 0.1, [0, 1, 2, 3, 3]), *rows)["linked_households"]


def test_a_person_under_two_numbers_is_asked_even_in_one_household() -> None:
    one = [(0, "id_number", "x"), (1, "id_number", "x")]
    assert found(folk(2, 0.1, [0, 0]), *one) == {"shared_identity": {"F0", "F1"}}


@pytest.mark.parametrize(("seasons", "asked"), [([2, 2], True), ([2, 1], False)])
def test_several_parcels_in_several_seasons_are_fake_farming(
    seasons: list[int], asked: bool
) -> None:
    idle = pd.DataFrame({"farmer_id": "F0", "parcel_id": ["p", "q"], "area_m2": 1000.0,
                         "seasons": seasons})  # fmt: skip
    contacts = pd.DataFrame({"farmer_id": [], "kind": [], "mark": []}, dtype="str")
    known = Known(contacts, NO_GUARANTEES, idle=idle,
                  claimed_m2=pd.Series({"F0": 4000.0, "F1": 1.0}))  # fmt: skip
    table = relations_of(folk(2, 1.0), known, SETTINGS)
    assert table["code"].tolist() == (["fake_farming"] if asked else [])
    if asked:
        assert table["parcels"].iloc[0] == ["p", "q"]
        least = relations_of(folk(2, 1.0), known, RelationSettings(idle_share=0.6))
        assert least.empty  # half of the land that is claimed


def test_every_code_has_its_words_and_asks_a_person_or_nobody() -> None:
    for code in relation_codes().values():
        assert code.effect in ("none", "review")
        assert reason_codes()[f"review_{code.code}"].rank == 2


def test_planted_rings_are_found_and_the_honest_left_alone() -> None:
    (row,) = scores(1, 2400)
    assert row["recall"] >= 0.85
    assert row["honest_asked"] < 0.01
