"""What every letter keeps to, over thousands of random farmers and not one chosen case."""

from __future__ import annotations

import os
import re
from decimal import Decimal

import pytest

from fieldline.lending.codes import reason_codes
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import Decision, decide_case
from fieldline.lending.settings import PolicySettings
from tests.lending.decision.population import judge_of, population

COUNT = int(os.environ.get("FIELDLINE_PROMISES", "3000"))
"""Random farmers asked."""

_PERSON = re.compile(r"person|officer|人工|客户经理")
_OPERATOR = re.compile(r"\.csv|\brerun\b|YAML|\b(inputs|observe|scenes|lending)\.|loan_history")


@pytest.fixture(scope="module")
def letters() -> list[tuple[Case, Decision]]:
    judge = judge_of()
    policies = (PolicySettings(), PolicySettings(max_limit=Decimal(9000), pd_decline=0.12))
    return [
        (case, decide_case(case))
        for i, policy in enumerate(policies)
        for case in population(COUNT // 2, 40 + i).cases(judge, policy)
    ]


def text(decision: Decision) -> str:
    return " ".join(f"{reason.english} {reason.chinese}" for reason in decision.reasons)


def test_one_to_four_reasons_the_strongest_kind_first(
    letters: list[tuple[Case, Decision]],
) -> None:
    for _, decision in letters:
        ranks = [reason_codes()[reason.code].rank for reason in decision.reasons]
        assert 1 <= len(ranks) <= 4
        assert ranks == sorted(ranks)


def test_no_decline_says_that_a_person_decides(letters: list[tuple[Case, Decision]]) -> None:
    declined = [d for _, d in letters if d.access == "decline"]
    assert len(declined) > COUNT / 10
    assert [text(d) for d in declined if _PERSON.search(text(d))] == []


def test_every_review_names_its_cause_first(letters: list[tuple[Case, Decision]]) -> None:
    reviews = [d for _, d in letters if d.access == "review"]
    assert len(reviews) > COUNT / 20
    for decision in reviews:
        first = decision.reasons[0].code
        assert first.startswith("review_") or first == "risk_of_default"


def test_only_debtors_are_told_of_debts(letters: list[tuple[Case, Decision]]) -> None:
    told = re.compile(
        r"[Ll]ower other debts|[Ww]ithout your other|debt service of at most|降低其他债务"
    )
    free = [d for case, d in letters if case.farmer.debt_service_minor == 0]
    assert len(free) > COUNT / 4
    assert [text(d) for d in free if told.search(text(d))] == []
    assert any(told.search(text(d)) for _, d in letters)


def test_amounts_and_areas_read_as_their_readers_expect(
    letters: list[tuple[Case, Decision]],
) -> None:
    for _, decision in letters:
        for reason in decision.reasons:
            assert not re.search(r"CNY|\d,\d|mu\b", reason.chinese), reason.chinese
            assert not re.search(r"[一-鿿]|元|亩", reason.english), reason.english
            for mu, hectares in re.findall(r"([\d.]+) mu \(([\d.]+) ha\)", reason.english):
                assert abs(float(mu) / 15 - float(hectares)) < 0.011
                assert f"{mu}亩" in reason.chinese
            for amount in re.findall(r"CNY ([\d,.]*\d)", reason.english):
                yuan = Decimal(amount.replace(",", ""))
                plain = f"{yuan}元" if yuan % 100 or yuan < 10_000 else None
                wan = f"{(yuan / 10_000).normalize():f}万元"
                assert (plain or wan) in reason.chinese


def test_no_remedy_of_an_operator_and_no_claim_of_images(
    letters: list[tuple[Case, Decision]],
) -> None:
    for _, decision in letters:
        assert not _OPERATOR.search(text(decision)), text(decision)
        assert "{" not in text(decision)
        for reason in decision.reasons:
            assert "images show" not in reason.english
            assert "影像显示" not in reason.chinese


def test_no_risk_reason_reads_as_what_is_usual(letters: list[tuple[Case, Decision]]) -> None:
    found = 0
    for _, decision in letters:
        for reason in decision.reasons:
            if reason.code.startswith("risk_") and "usual" in reason.english:
                compared = re.sub(r" of \d+( finished)?", "", reason.english)
                value, usual = re.findall(r"-?[\d.]*\d%?", compared)[:2]
                assert value != usual, reason.english
                found += 1
    assert found > COUNT / 20
