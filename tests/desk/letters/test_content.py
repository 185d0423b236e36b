"""What letters say: every decision in both languages, in its own numbers and plain words."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from fieldline.desk.letters.content import (
    Letter,
    clean_name,
    decision_letter,
    example_cost,
    statement_letter,
)
from fieldline.desk.letters.page import html_of
from fieldline.desk.letters.settings import LetterSettings
from fieldline.lending.codes import EFFECTS, evidence_codes, reason_codes, reason_ways
from fieldline.lending.decision import findings
from fieldline.lending.decision.account import Moved, Terms, statement, terms_of
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.reasons import Finding, Reason, tell
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.records.reference import table_rows
from tests.desk.letters.conftest import SETTINGS, letter_of, offer_of, writer

_CHINESE = re.compile(r"[一-鿿，。：；（）、]")
_RAW = re.compile(r"[a-z]+_[a-z_]+|[{}]|\bNone\b(?! of your)|\bnan\b")
VALUES = {"value": "3", "threshold": "5", "extra": "as told", "parcel": "a", "way": "Ask for less.",
          "remedy": "Ask the lender"}  # fmt: skip
VALUES_ZH = VALUES | {"extra": "如前所述", "way": "可申请更低金额。", "remedy": "请咨询贷款机构"}


def plain(letter: Letter) -> str:
    """Return the text of a letter, held against what no farmer can read."""
    text = "\n".join(letter.texts())
    assert not _RAW.search(text), _RAW.search(text)
    said = text.replace("王小明", "")
    if letter.language == "en":
        assert not _CHINESE.search(said), said
    else:
        unwritten = [
            t for t in letter.texts() if not _CHINESE.search(t) and re.search("[a-z]{4}", t)
        ]
        assert unwritten == []
    return text


@pytest.mark.parametrize("access", ["approve", "decline", "review"])
def test_every_reason_reads_in_a_letter_of_each_kind_in_both_languages(
    case: Case, access: str
) -> None:
    decision = replace(decide_case(case), access=access)  # type: ignore[arg-type]
    for code in reason_codes():
        name, _, variant = code.partition(":")
        reasons = tuple(tell([Finding(name, VALUES, VALUES_ZH, variant)]))
        for language in ("en", "zh"):
            text = plain(letter_of(case, decision, language, reasons))
            told = reasons[0].chinese if language == "zh" else reasons[0].english
            assert told.strip() in text


def test_every_evidence_code_with_every_effect_gives_a_letter_of_what_was_decided(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {"block": "decline", "review": "review"}
    for code, known in evidence_codes().items():
        for effect in EFFECTS:
            table = {**evidence_codes(), code: replace(known, effect=effect)}
            with monkeypatch.context() as patch:
                patch.setattr(findings, "evidence_codes", lambda table=table: table)
                found = {"codes": (code,), "effect": effect}
                parcel = case.parcels[0].model_copy(update=found)
                one = case.model_copy(update={"parcels": (parcel,)})
                decision = decide_case(one)
            for language in ("en", "zh"):
                letter = letter_of(one, decision, language)
                plain(letter)
                assert letter.kind == kinds.get(effect, "approve")


def test_every_outcome_that_stops_a_farmer_gives_a_letter_with_a_remedy(case: Case) -> None:
    for code in outcome_codes():
        none = case.model_copy(update={"parcels": (), "refusals": (code,)})
        decision = decide_case(none)
        for language in ("en", "zh"):
            letter = letter_of(none, decision, language)
            plain(letter)
            assert letter.kind == "decline"


def test_every_way_to_change_an_answer_reads_in_a_letter(case: Case) -> None:
    decision = replace(decide_case(case), access="decline")
    for way in reason_ways().values():
        told = {"what": "CNY 1,000", "most": "CNY 9,000"}
        chinese = {"what": "1000元", "most": "9000元"}
        reason = Reason("limit_need", way.english.format(**told), way.chinese.format(**chinese))
        for language in ("en", "zh"):
            plain(letter_of(case, decision, language, (reason,)))


def test_an_offer_tells_amount_cost_and_days_of_the_decision(case: Case) -> None:
    decision = decide_case(case)
    offer = offer_of(case, decision) | {"limit_minor": 1_360_000, "annual_rate": "0.0735"}
    english = plain(decision_letter(offer, decision.reasons, writer("en")))
    # 1,000 x 7.35 % x 30 / 360 = 6.125, half up to the cent; 330 days after 13 September 2024
    assert "The most you can borrow\nCNY 13,600\n" in english
    assert "The interest is 7.35% a year." in english
    assert "for every CNY 1,000 that you keep for a month (30 days), you pay CNY 6.13." in english
    assert "Sign at the latest on 13 September 2024." in english
    assert "latest 330 days after you sign. If you sign on 13 September 2024, that is 9 August" in (
        english
    )
    chinese = plain(decision_letter(offer, decision.reasons, writer("zh")))
    assert "最多可以借\n1.36万元\n" in chinese
    assert "每借1000元，用一个月（30天），付利息6.13元" in chinese
    assert "最后还款日是2025年8月9日" in chinese
    assert dt.date(2024, 9, 13) + dt.timedelta(days=330) == dt.date(2025, 8, 9)


@pytest.mark.parametrize(("limit", "currency", "unit"), [
    ("5000", "CNY", "1000"), ("999", "CNY", "100"), ("1000", "CNY", "1000"), ("50", "EUR", "10"),
    ("200000", "CNY", "1000"), ("8000000", "VND", "1000000"), ("999999", "CNY", "1000"),
])  # fmt: skip
def test_the_example_is_an_amount_that_the_line_covers_and_people_think_in(
    limit: str, currency: str, unit: str
) -> None:
    day = dt.date(2024, 3, 1)
    terms = Terms(Decimal(limit), Decimal("0.12"), "actual/360", day, day.replace(year=2025),
                  currency)  # fmt: skip
    told, interest = example_cost(terms)
    assert told == Decimal(unit)
    assert interest == Decimal(unit) / 100  # a month of 30 of 360 days at 12 %
    assert told <= terms.limit


def test_letters_without_an_offer_name_no_amount_to_borrow_and_no_rate(case: Case) -> None:
    for access in ("decline", "review"):
        decision = replace(decide_case(case), access=access)  # type: ignore[arg-type]
        for language in ("en", "zh"):
            letter = letter_of(case, decision, language, ())
            text = plain(letter)
            assert all(not part.figures for part in letter.parts)
            assert "CNY" not in text
            assert "%" not in text
            assert "元" not in text


def test_a_decision_of_a_person_says_so_and_one_of_the_rules_does_not(case: Case) -> None:
    decision = replace(decide_case(case), access="decline")
    by_person = (Reason("person_declined", "A person declines it.", "未予批准。"),)
    assert "A person decided this." in plain(letter_of(case, decision, "en", by_person))
    assert "A computer decided this by rules" in plain(letter_of(case, decision, "en", ()))
    review = replace(decision, access="review")
    assert "decided this" not in plain(letter_of(case, review, "en", ()))


def test_every_letter_says_how_to_reach_a_person(case: Case) -> None:
    decision = decide_case(case)
    for access in ("approve", "decline", "review"):
        one = replace(decision, access=access)  # type: ignore[arg-type]
        assert "ask that a person looks at it again" in plain(letter_of(case, one, "en"))
        chinese = plain(letter_of(case, one, "zh"))
        assert "0551-12345" in chinese
        assert "河桥镇车站路12号" in chinese


def test_a_telephone_number_is_never_broken_over_two_lines(case: Case) -> None:
    spaced = SETTINGS.model_copy(update={"phone": "0551 12 345"})
    for access in ("approve", "decline", "review"):
        decision = replace(decide_case(case), access=access)  # type: ignore[arg-type]
        by = writer("zh", settings=spaced)
        text = plain(decision_letter(offer_of(case, decision), (), by))
        assert "0551\u00a012\u00a0345" in text
        assert "0551 12" not in text


def test_a_simulated_county_says_so_first_and_last(case: Case) -> None:
    decision = decide_case(case)
    offer = offer_of(case, decision)
    letter = decision_letter(offer, decision.reasons, writer("en", simulated=True))
    assert letter.texts()[0].startswith("SIMULATED")
    assert html_of(letter).count(b"SIMULATED") == 2
    real = decision_letter(offer, decision.reasons, writer("zh"))
    assert b"\xe6\xa8\xa1\xe6\x8b\x9f" not in html_of(real)


def test_whoever_has_no_name_is_addressed_by_number(case: Case) -> None:
    decision = decide_case(case)
    for name in (None, "", " \u202e\n"):
        letter = decision_letter(offer_of(case, decision), (), writer("en", name=name))
        assert letter.greeting == "To the farmer with the number F1,"


def test_a_name_stays_text_and_turns_nothing_around(case: Case) -> None:
    decision = decide_case(case)
    name = "=1+1 <script>alert(1)</script> & \u202e王\x00小{offer}"
    assert clean_name(name) == "=1+1 <script>alert(1)</script> & 王 小{offer}"
    letter = decision_letter(offer_of(case, decision), (), writer("en", name=name))
    page = html_of(letter).decode()
    assert "<script" not in page
    assert "Dear =1+1 &lt;script&gt;alert(1)&lt;/script&gt; &amp; 王 小{offer}," in page


def test_a_page_loads_nothing_from_anywhere(case: Case) -> None:
    page = html_of(letter_of(case, decide_case(case), "zh")).decode()
    assert not re.search(r"(?:src|href)=|url\(|@import|https?:", page)
    assert "default-src 'none'" in page
    assert '<html lang="zh">' in page


def test_a_statement_tells_what_is_owed_to_the_cent_and_what_is_left(case: Case) -> None:
    offer = offer_of(case, decide_case(case)) | {"limit_minor": 1_360_000, "annual_rate": "0.0720"}
    terms = terms_of(offer, signed_on=dt.date(2024, 7, 1))
    moved = [Moved(dt.date(2024, 7, 1), draw=Decimal(5000)),
             Moved(dt.date(2024, 7, 31), repay=Decimal(1030))]  # fmt: skip
    lines = statement(terms, moved, dt.date(2024, 8, 30))
    text = plain(statement_letter(offer, terms, lines, writer("en")))
    # 5,000 for 30 nights at 7.2 % of 360: 30; 1,030 pays it and 1,000; 4,000 for 30 nights: 24
    assert Fraction(5000 * 72 * 30, 360 * 1000) == 30
    assert "You have taken and not yet paid back\nCNY 4,000\n" in text
    assert "Interest up to this day\nCNY 24\n" in text
    assert "If you pay back everything on this day, you pay\nCNY 4,024\n" in text
    assert "You can still borrow\nCNY 9,600\n" in text
    assert "31 July 2024\n–\nCNY 1,030\nCNY 30\nCNY 4,000\n" in text
    assert "Pay everything back at the latest on 27 May 2025." in text
    chinese = plain(statement_letter(offer, terms, lines, writer("zh")))
    assert "如果这一天全部还清，要付\n4024元\n" in chinese


def test_a_line_that_is_closed_or_over_promises_no_more_money(case: Case) -> None:
    offer = offer_of(case, decide_case(case))
    day = dt.date(2024, 7, 1)
    closed = terms_of(offer, signed_on=day, closed_on=dt.date(2024, 8, 1))
    ended = terms_of(offer, signed_on=day)
    told = [
        statement_letter(offer, terms, statement(terms, [], until), writer("en"))
        for terms, until in (
            (closed, dt.date(2024, 7, 31)), (closed, dt.date(2024, 8, 1)), (ended, ended.ends),
        )
    ]  # fmt: skip
    assert [plain(one).count("You can still borrow") for one in told] == [1, 0, 0]


def test_a_real_lender_must_say_who_it_is_and_a_simulated_one_need_not() -> None:
    with pytest.raises(UserError, match=r"letters\.lender is not set"):
        LetterSettings().stated(simulated=False)
    with pytest.raises(UserError, match=r"letters\.phone is not set"):
        LetterSettings(lender="A bank").stated(simulated=True)
    assert LetterSettings().stated(simulated=True).lender_in("zh") == "模拟农村银行"
    assert SETTINGS.stated(simulated=True) == SETTINGS


def test_both_languages_of_every_sentence_ask_for_the_same_values() -> None:
    for row in table_rows("letter_words.csv"):
        asked = [sorted(set(re.findall(r"{(\w+)}", row[n]))) for n in ("english", "chinese")]
        steps = [row[n].count("|") for n in ("english", "chinese")]
        assert asked[0] == asked[1], row["key"]
        assert steps[0] == steps[1], row["key"]
        assert _CHINESE.search(row["chinese"]), row["key"]
