"""Offers at the core system: each once, whatever is killed, lost, repeated or refused."""

from __future__ import annotations

import csv
import datetime as dt
import json
import stat
import subprocess
import sys
import textwrap
from decimal import Decimal
from pathlib import Path

import pytest

from fieldline.lending.handover.application import client_number
from fieldline.lending.handover.settings import FineractGuarantor, FineractProduct
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.vault.access import access_log
from tests.lending.handover.conftest import FARMERS, TODAY, Place, told
from tests.lending.handover.core_bank import errors_of, product

IDS = [f"offer-{n}" for n in range(FARMERS)]


def outcomes(place: Place) -> dict[str, tuple[str, str]]:
    """Return outcome and detail by offer, as the file beside the applications tells them."""
    path = place.out.with_name("applications.jsonl.outcomes.csv")
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert all(row["outcome"] == "ok" or row["outcome"] in outcome_codes() for row in rows)
    return {row["offer_id"]: (row["outcome"], row["detail"]) for row in rows}


def written(place: Place) -> list[dict[str, object]]:
    return [json.loads(line) for line in place.out.read_text(encoding="utf-8").splitlines()]


def arrived(place: Place) -> list[str]:
    return sorted(external for external, _ in place.bank.loans())


def test_every_offer_arrives_with_its_own_client_amount_rate_and_days(place: Place) -> None:
    handed = place.hand_over()
    assert (handed.offers, handed.outcomes) == (FARMERS, {"ok": FARMERS})
    assert arrived(place) == sorted(IDS)
    body = dict(place.bank.loans())["offer-3"]
    told_of = {n: body[n] for n in (
        "clientId", "productId", "principal", "interestRatePerPeriod", "interestRateFrequencyType",
        "loanTermFrequency", "loanTermFrequencyType", "daysInYearType", "submittedOnDate",
    )}  # fmt: skip
    assert told_of == {
        "clientId": 503, "productId": 7, "principal": "13000.50", "interestRatePerPeriod":
        "7.350000", "interestRateFrequencyType": 3, "loanTermFrequency": 330,
        "loanTermFrequencyType": 0, "daysInYearType": 360, "submittedOnDate": "2024-06-15",
    }  # fmt: skip


def test_the_file_holds_what_is_posted_and_passes_the_field_rules_by_itself(place: Place) -> None:
    place.hand_over(post=False)
    assert place.bank.requests == []
    bodies = written(place)
    assert len(bodies) == FARMERS
    assert [errors_of(body, place.bank) for body in bodies] == [[]] * FARMERS
    first = place.out.read_bytes()
    place.hand_over()
    assert place.out.read_bytes() == first
    assert [body for _, body in place.bank.loans()] == bodies
    assert stat.S_IMODE(place.out.stat().st_mode) == 0o600


def test_handed_over_again_nothing_is_double(place: Place) -> None:
    place.hand_over()
    assert place.hand_over().outcomes == {"application_there": FARMERS}
    assert arrived(place) == sorted(IDS)
    assert place.bank.posts == FARMERS


def test_answers_that_are_lost_late_or_never_come_make_no_double(place: Place) -> None:
    place.bank.faults = dict(enumerate(
        ["hang", "lose", "fail", "late", "busy", "fail", "fail", "lose"], start=1
    ))  # fmt: skip
    assert place.hand_over().outcomes == {"ok": FARMERS}
    assert arrived(place) == sorted(IDS)
    amounts = {external: Decimal(body["principal"]) for external, body in place.bank.loans()}
    assert amounts == {f"offer-{n}": Decimal(f"{10 + n}000.50") for n in range(FARMERS)}


def test_a_core_system_that_stays_away_is_tried_a_few_times_and_found_again_later(
    place: Place,
) -> None:
    place.settings = place.settings.model_copy(update={"tries": 3, "pause_s": 2.0})
    place.bank.faults = dict.fromkeys((1, 2, 3), "fail")
    assert place.hand_over().outcomes == {"core_unanswered": 1, "ok": FARMERS - 1}
    assert outcomes(place)["offer-0"] == ("core_unanswered", "last=http_500")
    assert place.waits == [2.0, 4.0]
    assert place.hand_over().outcomes == {"application_there": FARMERS - 1, "ok": 1}
    assert arrived(place) == sorted(IDS)


KILLED = textwrap.dedent("""
    import datetime as dt, os, sys
    from pathlib import Path
    from fieldline.lending.store.database import open_database
    from fieldline.pipeline.vault.opening import open_vault
    from tests.lending.handover.conftest import DEMO, Place
    from tests.lending.handover.core_bank import CoreBank
    folder, url = Path(sys.argv[1]), sys.argv[2]
    print(os.getpid(), flush=True)
    sys.stdin.readline()
    with open_vault(folder / "vault.sqlite", DEMO) as vault:
        bank = CoreBank(folder / "core.sqlite", dt.date.today())
        Place(folder, open_database(folder / "store.sqlite"), vault, bank, url).hand_over()
""")


def test_a_hand_over_killed_after_the_bank_took_an_offer_goes_on_where_it_was(place: Place) -> None:
    place.bank.faults = {5: "kill"}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(place.folder), place.url], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3],
    ) as killed:  # fmt: skip
        assert killed.stdout is not None
        place.bank.victim = int(killed.stdout.readline())
        killed.communicate("go\n", timeout=60)
    assert killed.returncode == -9
    assert arrived(place) == sorted([*IDS[:3], "offer-10", "offer-11"])
    assert place.hand_over().outcomes == {"application_there": 5, "ok": FARMERS - 5}
    assert arrived(place) == sorted(IDS)


def test_a_duplicate_that_appears_between_look_and_post_is_the_same_application(
    place: Place,
) -> None:
    place.hand_over(post=False)
    body = next(body for body in written(place) if body["externalId"] == "offer-4")
    core = place.core()
    place.bank.put("offer-4", body)
    assert core.submit(body).kind == "duplicate"
    assert place.hand_over().outcomes == {"application_there": 1, "ok": FARMERS - 1}


def test_a_loan_of_another_amount_client_or_rate_under_the_offers_id_is_for_a_person(
    place: Place,
) -> None:
    place.bank.put("offer-4", held(504, "14000.51"))
    place.bank.put("offer-5", held(500, "15000.50"))
    place.bank.put("offer-6", held(506, "16000.50", "7.36"))
    place.bank.put("offer-7", held(507, "17000.5", "7.35"))
    assert place.hand_over().outcomes == {
        "application_differs": 3, "application_there": 1, "ok": FARMERS - 4,
    }  # fmt: skip
    assert [outcomes(place)[f"offer-{n}"][1] for n in (4, 5, 6, 7)] == [
        "loan=1 fields=principal", "loan=2 fields=clientId", "loan=3 fields=annualInterestRate",
        "loan=4",
    ]  # fmt: skip


def held(client: int, principal: str, rate: str = "7.35") -> dict[str, object]:
    """Return a loan as the core system keeps it."""
    return {"clientId": client, "productId": 7, "principal": principal,
            "interestRatePerPeriod": rate}  # fmt: skip


def test_an_application_of_an_earlier_offer_that_stands_keeps_the_new_one_back(
    place: Place,
) -> None:
    statuses = {2: 100, 3: 200, 4: 300, 5: 400, 6: 500, 7: 600}
    for number, status in statuses.items():
        place.change(number, offer_id=f"new-{number}", limit_minor=99_900)
        place.bank.put(f"offer-{number}", held(500 + number, f"{10 + number}000.50"), status)
    place.hand_over()
    found = {number: outcomes(place)[f"new-{number}"][0] for number in statuses}
    assert found == dict.fromkeys((2, 3, 4), "application_earlier") | dict.fromkeys((5, 6, 7), "ok")
    assert arrived(place) == sorted([*IDS, "new-5", "new-6", "new-7"])


def test_without_a_consent_in_force_nothing_leaves_and_each_farmer_has_a_code(
    place: Place,
) -> None:
    place.consents = [
        told("F-0"), told("F-1", expires_on=TODAY - dt.timedelta(days=1)),
        told("F-2", withdrawn_on=TODAY), told("F-3", data="identity"),
        told("F-4", purpose="research"), told("F-5", recipient="Other Bank"),
        told("F-6", given_on=TODAY + dt.timedelta(days=1)),
    ]  # fmt: skip
    place.hand_over()
    assert arrived(place) == ["offer-0"]
    assert [body["clientId"] for body in written(place)] == [500]
    assert [outcomes(place)[f"offer-{n}"][0] for n in range(8)] == [
        "ok", "consent_expired", "consent_withdrawn", "consent_other_data", "consent_absent",
        "consent_absent", "consent_not_yet", "consent_absent",
    ]  # fmt: skip


def test_where_nobody_consents_nothing_is_asked_written_or_logged_but_why(place: Place) -> None:
    place.consents = [told("F-0", purpose="research"), told("F-1", withdrawn_on=TODAY)]
    said = r"none of the 12 farmers with an offer allows 'Rural Bank' .* for 'credit offer' on 2024"
    with pytest.raises(UserError, match=said):
        place.hand_over()
    assert outcomes(place)["offer-1"] == ("consent_withdrawn", "day=2024-06-15")
    assert len(outcomes(place)) == FARMERS
    assert not place.out.exists()
    assert place.bank.requests == []
    assert [entry["act"] for entry in access_log(place.vault)] == ["store"]


def test_an_earlier_day_of_the_applications_revives_no_consent(place: Place) -> None:
    place.consents = [told("F-0", withdrawn_on=TODAY), told("F-1")]
    place.hand_over(on=dt.date(2024, 6, 10))
    assert outcomes(place)["offer-0"][0] == "consent_withdrawn"
    assert dict(place.bank.loans())["offer-1"]["submittedOnDate"] == "2024-06-10"


def test_offers_that_are_none_ran_out_or_fit_no_product_say_so_and_the_rest_goes_on(
    place: Place,
) -> None:
    place.change(0, access="decline", limit_minor=None, annual_rate=None)
    place.change(1, valid_to=TODAY - dt.timedelta(days=1))
    place.change(2, valid_from=TODAY + dt.timedelta(days=1))
    place.change(3, currency="VND")
    place.change(4, product="tea-line")
    place.change(5, valid_to=TODAY, valid_from=TODAY)
    place.settings = place.settings.model_copy(update={"products": (
        *place.settings.products, FineractProduct(product="tea-line", product_id=8, day_basis=365),
    )})  # fmt: skip
    place.bank.products[8] = product(daysInYearType={"id": 365})
    place.hand_over()
    found = outcomes(place)
    assert [found[f"offer-{n}"] for n in range(5)] == [
        ("no_offer", "access=decline"), ("offer_expired", "valid_to=2024-06-14"),
        ("offer_not_yet", "valid_from=2024-06-16"),
        ("product_unmapped", "product=season-line currency=VND"),
        ("day_basis_differs", "offer=360 core=365"),
    ]  # fmt: skip
    assert arrived(place) == sorted(IDS[5:])


def test_an_amount_that_the_product_cannot_hold_is_kept_back_never_rounded(place: Place) -> None:
    whole = FineractProduct(product="season-line", product_id=7, digits=0)
    place.settings = place.settings.model_copy(update={"products": (whole,)})
    place.bank.products[7] = product(decimals=0)
    place.change(2, limit_minor=1_200_000)
    assert place.hand_over().outcomes == {"amount_inexact": FARMERS - 1, "ok": 1}
    assert dict(place.bank.loans())["offer-2"]["principal"] == "12000"


FIXED = {"interestType": False, "repaymentEvery": False, "interestCalculationPeriodType": False,
         "transactionProcessingStrategyCode": False}  # fmt: skip


@pytest.mark.parametrize(("there", "said"), [
    (product("VND", 0), r"counts in VND with 0 decimals, .* says CNY with 2"),
    (None, "Fineract has no loan product 7"),
    (product(interestRateFrequencyType={"id": 2}), "takes rates as of months"),
    (product(interestType={"id": 1}, allowAttributeOverrides=FIXED, repaymentEvery=330),
     "fixes interestType at 1, and the offers need 0"),
    (product(allowAttributeOverrides=FIXED, repaymentEvery=30), "fixes repaymentEvery at 30"),
    (product(allowAttributeOverrides=FIXED, repaymentEvery=330,
             transactionProcessingStrategyCode="rbi-india-strategy"), "need mifos-standard-str"),
    (product(daysInYearType={"id": 365}), "has daysInYearType 365, the configuration says"),
])  # fmt: skip
def test_a_product_that_would_lend_on_other_terms_takes_nothing_at_all(
    place: Place, there: dict[str, object] | None, said: str
) -> None:
    fixed = place.settings.products[0].model_copy(update={"day_basis": 360})
    place.settings = place.settings.model_copy(update={"products": (fixed,)})
    place.bank.products = {} if there is None else {7: there}
    with pytest.raises(UserError, match=said):
        place.hand_over()
    assert place.bank.posts == 0
    assert not place.out.exists()


def test_a_product_that_fixes_just_these_terms_takes_all(place: Place) -> None:
    place.bank.products[7] = product(allowAttributeOverrides=FIXED, repaymentEvery=330)
    assert place.hand_over().outcomes == {"ok": FARMERS}


def test_a_refusal_is_told_by_its_code_and_field_and_never_by_its_text(place: Place) -> None:
    place.bank.products[7] = product(maxPrincipal=20000)
    place.bank.clients[501] = ("", TODAY + dt.timedelta(days=1))
    del place.bank.clients[502]
    place.hand_over()
    found = outcomes(place)
    assert found["offer-10"] == (
        "application_refused",
        "code=validation.msg.loan.principal.amount.is.not.within.min.max.range,principal",
    )
    assert found["offer-1"] == (
        "application_refused",
        "code=error.msg.loan.submittal.cannot.be.before.client.activation.date",
    )
    assert found["offer-2"] == ("application_refused", "code=error.msg.client.id.invalid")
    assert "9988776" not in place.out.with_name("applications.jsonl.outcomes.csv").read_text()
    assert len(arrived(place)) == FARMERS - 4


def test_clients_are_found_by_their_external_ids_at_the_core_system_alone(place: Place) -> None:
    place.settings = place.settings.model_copy(update={"clients": "external_id"})
    with pytest.raises(UserError, match="external ids, which only the core system can look up"):
        place.hand_over(post=False)
    place.bank.clients = {900 + n: (str(500 + n), dt.date(2020, 1, 1)) for n in range(1, FARMERS)}
    assert place.hand_over().outcomes == {"client_unknown": 1, "ok": FARMERS - 1}
    assert dict(place.bank.loans())["offer-3"]["clientId"] == 903


def test_a_reference_that_is_no_client_number_is_none_of_them() -> None:
    assert client_number("503") == 503
    for text in ("0", "-3", "P-1", "5 3", "٣", "1e3", "", "9" * 30):
        assert client_number(text) is None


def test_wrong_credentials_or_rights_stop_everything_with_one_sentence(place: Place) -> None:
    place.bank.rights = {"GET"}
    with pytest.raises(UserError, match="FIELDLINE_FINERACT_USER may not do this"):
        place.hand_over()
    assert {code for code, _ in outcomes(place).values()} == {"handover_stopped"}
    place.bank.tenant = "another"
    with pytest.raises(UserError, match="does not know this user of tenant 'county-bank'"):
        place.hand_over()
    assert arrived(place) == []


@pytest.mark.parametrize(("url", "said"), [
    ("http://core.example/api/v1", "would send password and applications in clear"),
    ("core.example", "takes the address"),
    ("https://ann:secret@core.example/api/v1", "holds a user, a password"),
])  # fmt: skip
def test_addresses_that_betray_the_password_are_refused(place: Place, url: str, said: str) -> None:
    place.url = url
    with pytest.raises(UserError, match=said) as refused:
        place.hand_over()
    assert "secret" not in str(refused.value)


def test_a_server_that_does_not_prove_who_it_is_gets_nothing(place: Place) -> None:
    place.url = place.url.replace("http://", "https://")
    with pytest.raises(UserError, match=r"does not prove who it is .*REQUESTS_CA_BUNDLE"):
        place.hand_over()
    assert place.bank.requests == []


def test_an_address_that_is_not_the_api_is_one_sentence(place: Place) -> None:
    place.url = place.url.removesuffix("/v1")
    with pytest.raises(UserError, match=r"/loanproducts answers 404, and not as Fineract does"):
        place.hand_over()


def test_the_log_says_whose_applications_left_before_any_is_posted(place: Place) -> None:
    place.consents = place.consents[:2]
    place.bank.rights = {"GET"}
    with pytest.raises(UserError):
        place.hand_over()
    entry = access_log(place.vault)[-1]
    assert (entry["act"], entry["purpose"], entry["recipient"]) == (
        "export", "credit offer", "Rural Bank",
    )  # fmt: skip
    assert entry["farmers"] == ["F-0", "F-1"]


def test_no_name_or_phone_leaves_and_the_simulated_say_so(place: Place) -> None:
    place.hand_over(simulated=True)
    text = place.out.read_text(encoding="utf-8")
    assert "王" not in text
    assert "13800" not in text
    assert {str(body["submittedOnNote"]) for body in written(place)} == {
        f"SIMULATED, no real farmer: Fieldline offer offer-{n}, decision D{n}"
        for n in range(FARMERS)
    }


def covered(place: Place) -> None:
    """Let two companies cover three lines: one is a client of the bank's, one is not."""
    place.bank.clients[900] = ("company", dt.date(2020, 1, 1))
    known = (
        FineractGuarantor(guarantor="G1", client_id=900),
        FineractGuarantor(guarantor="pool-7", name="县风险补偿金"),
    )
    place.settings = place.settings.model_copy(update={"guarantors": known})
    for number, who in ((1, "G1"), (2, "pool-7"), (4, "pool-7")):
        place.change(number, offer_id=f"covered-{number}", guarantor=who, covered_minor=500_025)


def guarantors(place: Place) -> dict[str, list[dict[str, object]]]:
    """Return what is entered, by offer."""
    found = {name: place.bank.guarantors(n) for n, (name, _) in enumerate(place.bank.loans(), 1)}
    return {name: bodies for name, bodies in found.items() if bodies}


def test_who_covers_a_line_is_entered_once_as_a_client_or_by_name(place: Place) -> None:
    covered(place)
    assert place.hand_over().outcomes == {"ok": FARMERS}
    first = guarantors(place)
    assert first == {
        "covered-1": [{"guarantorTypeId": 1, "entityId": 900, "locale": "en"}],
        **{
            name: [{
                "guarantorTypeId": 3, "firstname": "县风险补偿金", "lastname": "pool-7",
                "comment": "pool-7 covers CNY 5000.25", "locale": "en",
            }]
            for name in ("covered-2", "covered-4")
        },
    }  # fmt: skip
    notes = {name: str(body["submittedOnNote"]) for name, body in place.bank.loans()}
    assert notes["covered-1"].endswith("; G1 covers CNY 5000.25")
    assert "covers" not in notes["offer-0"]
    beside = place.out.with_name("applications.jsonl.guarantors.jsonl")
    lines = [json.loads(line) for line in beside.read_text(encoding="utf-8").splitlines()]
    assert {line["loanExternalId"]: [line["guarantor"]] for line in lines} == first
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert place.hand_over().outcomes == {"application_there": FARMERS}
    assert guarantors(place) == first


@pytest.mark.parametrize("fault", ["hang", "lose", "late", "fail", "busy"])
def test_a_guarantor_whose_answer_was_lost_is_not_entered_twice(place: Place, fault: str) -> None:
    covered(place)
    # applications go in the order of the farmers: F-0, F-1 and its guarantor, F-10, F-11, F-2, ...
    place.bank.faults = {3: fault, 7: fault}
    assert place.hand_over().outcomes == {"ok": FARMERS}
    assert {name: len(bodies) for name, bodies in guarantors(place).items()} == {
        "covered-1": 1, "covered-2": 1, "covered-4": 1,
    }  # fmt: skip


def test_one_who_was_taken_off_the_loan_is_entered_again_and_a_closed_loan_is_left(
    place: Place,
) -> None:
    covered(place)
    place.hand_over()
    number = {name: n for n, (name, _) in enumerate(place.bank.loans(), 1)}
    with place.bank.books() as books:
        books.execute("UPDATE guarantors SET active = 0 WHERE loan != ?", (number["covered-1"],))
        books.execute("UPDATE loans SET status = 600 WHERE external = 'covered-4'")
    assert place.hand_over().outcomes == {"application_there": FARMERS}
    assert {name: len(bodies) for name, bodies in guarantors(place).items()} == {
        "covered-1": 1, "covered-2": 2, "covered-4": 1,
    }  # fmt: skip


def test_a_guarantor_that_is_refused_or_unknown_waits_for_a_person(place: Place) -> None:
    covered(place)
    del place.bank.clients[900]
    known = place.settings.guarantors[:1]
    place.settings = place.settings.model_copy(update={"guarantors": known})
    assert place.hand_over().outcomes == {
        "guarantor_refused": 1, "guarantor_unmapped": 2, "ok": FARMERS - 3,
    }  # fmt: skip
    number = {name: n for n, (name, _) in enumerate(place.bank.loans(), 1)}["covered-1"]
    assert outcomes(place)["covered-1"][1] == f"loan={number} code=error.msg.client.id.invalid"
    assert outcomes(place)["covered-2"] == ("guarantor_unmapped", "guarantor=pool-7")
    assert "covered-2" not in arrived(place)  # never lent without the cover that its price is of


def test_a_guarantor_is_a_client_or_a_name_and_not_both_or_neither() -> None:
    for wrong in ({}, {"client_id": 3, "name": "x"}, {"name": " "}):
        with pytest.raises(ValueError, match="give either client_id or name"):
            FineractGuarantor(guarantor="G", **wrong)
