"""A double of Apache Fineract's API on loopback, with rules of its own reading.

It takes loan applications, keeps them in a file of its own and answers as Fineract does: which
fields there are, which are needed, of which kind and in which range (LoanApplicationValidator,
LoanScheduleValidator, JsonParserHelper), how a duplicate external id, an unknown client or product
and a wrong user are told. Nothing of it comes from the code that makes applications.

Faults are planned by the number of the POST: `hang` takes the application and lets the answer wait
longer than anybody does, `lose` takes it and drops the connection, `fail` answers 500 without
taking, `late` answers 500 after taking, `busy` answers 425, `kill` takes it and kills whoever asks.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = "/fineract-provider/api/v1"
KNOWN = {
    "dateFormat", "locale", "id", "clientId", "groupId", "loanType", "productId", "principal",
    "totalLoan", "isParentAccount", "loanTermFrequency", "loanTermFrequencyType",
    "numberOfRepayments", "repaymentEvery", "repaymentFrequencyType",
    "repaymentFrequencyNthDayType", "repaymentFrequencyDayOfWeekType", "interestRatePerPeriod",
    "amortizationType", "amortizationTypeOptions", "interestType", "isFloatingInterestRate",
    "interestRateDifferential", "interestCalculationPeriodType",
    "allowPartialPeriodInterestCalcualtion", "interestRateFrequencyType",
    "expectedDisbursementDate", "repaymentsStartingFromDate", "graceOnPrincipalPayment",
    "graceOnInterestPayment", "graceOnInterestCharged", "interestChargedFromDate",
    "submittedOnDate", "submittedOnNote", "accountNo", "externalId", "fundId", "loanOfficerId",
    "loanPurposeId", "inArrearsTolerance", "charges", "collateral",
    "transactionProcessingStrategyCode", "daysInYearType",
}  # fmt: skip
"""Fields that `POST /loans` knows, those of groups and tranches left out."""
STRATEGIES = {"mifos-standard-strategy", "early-repayment-strategy", "rbi-india-strategy",
              "interest-principal-penalties-fees-order-strategy"}  # fmt: skip


@dataclass
class CoreBank:
    """What the double knows; `file` outlives it."""

    file: Path
    today: dt.date
    user: str = "ann"
    password: str = "pässwort"
    tenant: str = "county-bank"
    clients: dict[int, tuple[str, dt.date]] = field(default_factory=dict)
    """External id and day of activation by client id."""
    products: dict[int, dict[str, Any]] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    posts: int = 0
    requests: list[str] = field(default_factory=list)
    rights: set[str] = field(default_factory=lambda: {"GET", "POST"})
    victim: int = 0
    hang_s: float = 1.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Open the books."""
        with self.books() as books:
            books.execute(
                "CREATE TABLE IF NOT EXISTS loans (id INTEGER PRIMARY KEY, "
                "external TEXT UNIQUE, status INTEGER, body TEXT)"
            )
            books.execute(
                "CREATE TABLE IF NOT EXISTS guarantors (id INTEGER PRIMARY KEY, loan INTEGER, "
                "body TEXT, active INTEGER DEFAULT 1)"
            )

    @contextmanager
    def books(self) -> Iterator[sqlite3.Connection]:
        """Yield the books; what is written in them stays."""
        connection = sqlite3.connect(self.file)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def guarantors(self, loan: int) -> list[dict[str, Any]]:
        """Return what guarantors of a loan were entered, as they were sent."""
        with self.books() as books:
            rows = books.execute("SELECT body FROM guarantors WHERE loan = ? ORDER BY id", (loan,))
            return [json.loads(body) for (body,) in rows.fetchall()]

    def loans(self) -> list[tuple[str, dict[str, Any]]]:
        """Return external ids and bodies of all loans, in order of their numbers."""
        with self.books() as books:
            rows = books.execute("SELECT external, body FROM loans ORDER BY id").fetchall()
        return [(external, json.loads(body)) for external, body in rows]

    def put(self, external: str, body: dict[str, Any], status: int = 100) -> None:
        """Enter a loan that somebody else brought."""
        with self.books() as books:
            books.execute("INSERT INTO loans (external, status, body) VALUES (?, ?, ?)",
                          (external, status, json.dumps(body)))  # fmt: skip


def product(currency: str = "CNY", decimals: int = 2, **others: Any) -> dict[str, Any]:
    """Return a loan product: rates by year, declining balance, by the day, all overridable."""
    return {
        "currency": {"code": currency, "decimalPlaces": decimals},
        "interestRateFrequencyType": {"id": 3, "value": "Per year"},
        "interestType": {"id": 0}, "interestCalculationPeriodType": {"id": 0},
        "daysInYearType": {"id": 360}, "repaymentEvery": 1,
        "transactionProcessingStrategyCode": "mifos-standard-strategy",
        "allowAttributeOverrides": {
            "repaymentEvery": True, "interestType": True, "interestCalculationPeriodType": True,
            "transactionProcessingStrategyCode": True,
        }, **others,
    }  # fmt: skip


def wrong(code: str, name: str = "id") -> dict[str, str]:
    """Return one error of an answer; like the real one it repeats what was sent."""
    return {"userMessageGlobalisationCode": code, "parameterName": name,
            "defaultUserMessage": f"Failed: {code}, value 9988776"}  # fmt: skip


def errors_of(body: Any, bank: CoreBank) -> list[dict[str, str]]:
    """Return what is wrong with the fields of an application."""
    if not isinstance(body, dict):
        return [wrong("error.msg.invalid.request.body")]
    found = [wrong("error.msg.parameter.unsupported", name) for name in sorted(set(body) - KNOWN)]
    if found:
        return found
    needed = ("loanType", "principal", "loanTermFrequency", "loanTermFrequencyType",
              "numberOfRepayments", "repaymentEvery", "repaymentFrequencyType", "interestType",
              "interestCalculationPeriodType", "interestRatePerPeriod", "amortizationType",
              "expectedDisbursementDate", "submittedOnDate",
              "transactionProcessingStrategyCode")  # fmt: skip
    found = [wrong(f"validation.msg.loan.{name}.cannot.be.blank", name)
             for name in needed if str(body.get(name, "")).strip() == ""]  # fmt: skip
    if found:
        return found
    if body["loanType"] not in ("individual", "group", "jlg", "glim"):
        found.append(wrong("validation.msg.loan.loanType.is.not.within.expected.range", "loanType"))
    found += _of_numbers(body) + _of_texts(body) + _of_days(body)
    return found or _of_product(body, bank.products[int(body["productId"])])


def _of_numbers(body: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    ranges = {"loanTermFrequencyType": (0, 3), "repaymentFrequencyType": (0, 3),
              "interestType": (0, 1), "interestCalculationPeriodType": (0, 1),
              "amortizationType": (0, 1)}  # fmt: skip
    for name, (least, most) in ranges.items():
        if not str(body[name]).isdigit() or not least <= int(body[name]) <= most:
            found.append(wrong(f"validation.msg.loan.{name}.is.not.within.expected.range", name))
    for name in ("loanTermFrequency", "numberOfRepayments", "repaymentEvery"):
        if not re.fullmatch(r"[0-9,]+", str(body[name])) or int(str(body[name])) <= 0:
            found.append(wrong(f"validation.msg.loan.{name}.not.greater.than.zero", name))
    for name in ("principal", "interestRatePerPeriod"):
        number = _decimal(body[name], body.get("locale"))
        if number is None:
            found.append(wrong("validation.msg.invalid.decimal.format", name))
        elif number < 0:
            found.append(wrong(f"validation.msg.loan.{name}.not.zero.or.greater", name))
    if "daysInYearType" in body and body["daysInYearType"] not in (1, 360, 364, 365):
        found.append(wrong("validation.msg.loan.daysInYearType.is.not.one.of", "daysInYearType"))
    if not found:
        term, every, times = (int(body[n]) for n in (
            "loanTermFrequency", "repaymentEvery", "numberOfRepayments"))  # fmt: skip
        if str(body["loanTermFrequencyType"]) != str(body["repaymentFrequencyType"]):
            found.append(wrong("validation.msg.loan.loanTermFrequencyType.not.the.same.as."
                               "repaymentFrequencyType", "loanTermFrequencyType"))  # fmt: skip
        elif term != every * times:
            less = "less" if term < every * times else "greater"
            found.append(wrong(f"validation.msg.loan.loanTermFrequency.{less}.than.repayment."
                               "structure.suggests", "loanTermFrequency"))  # fmt: skip
    return found


def _decimal(value: Any, locale: Any) -> Decimal | None:
    """Read a number as it stands, a text by its locale, of which the double speaks one."""
    if isinstance(value, str) and locale != "en":
        return None
    text = str(value)
    if isinstance(value, str) and not re.fullmatch(r"-?\d{1,3}(,?\d{3})*(\.\d+)?", text):
        return None
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None


def _of_texts(body: dict[str, Any]) -> list[dict[str, str]]:
    most = {"externalId": 100, "submittedOnNote": 500, "accountNo": 20}
    return [wrong(f"validation.msg.loan.{name}.exceeds.max.length", name)
            for name, length in most.items() if len(str(body.get(name, ""))) > length]  # fmt: skip


def _of_days(body: dict[str, Any]) -> list[dict[str, str]]:
    if not body.get("locale") or body.get("dateFormat") != "yyyy-MM-dd":
        return [wrong("validation.msg.missing.dateFormat.parameter", "dateFormat")]
    return [wrong("validation.msg.invalid.date.format", name)
            for name in ("submittedOnDate", "expectedDisbursementDate")
            if _day(body[name]) is None]  # fmt: skip


def _day(text: Any) -> dt.date | None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(text)):
        return None
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError:
        return None


def _of_product(body: dict[str, Any], there: dict[str, Any]) -> list[dict[str, str]]:
    amount = Decimal(str(body["principal"]).replace(",", ""))
    if amount > there.get("maxPrincipal", amount) or amount < there.get("minPrincipal", amount):
        code = "validation.msg.loan.principal.amount.is.not.within.min.max.range"
        return [wrong(code, "principal")]
    return []


GUARANTOR_FIELDS = {
    "loanId", "clientRelationshipTypeId", "guarantorTypeId", "entityId", "firstname", "lastname",
    "addressLine1", "addressLine2", "city", "state", "zip", "country", "mobileNumber",
    "housePhoneNumber", "comment", "dob", "amount", "savingsId", "locale", "dateFormat",
}  # fmt: skip


def guarantor_errors(body: Any) -> list[dict[str, str]]:
    """Return what is wrong with the fields of a guarantor."""
    strange = sorted(set(body) - GUARANTOR_FIELDS)
    if strange:
        return [wrong("error.msg.parameter.unsupported", name) for name in strange]
    kind = body.get("guarantorTypeId")
    if kind not in (1, 2, 3):
        code = "validation.msg.Guarantor.guarantorTypeId.is.not.within.expected.range"
        return [wrong(code, "guarantorTypeId")]
    if kind != 3:
        good = isinstance(body.get("entityId"), int) and body["entityId"] > 0
        return (
            [] if good else [wrong("validation.msg.Guarantor.entityId.cannot.be.blank", "entityId")]
        )
    most = {"firstname": 50, "lastname": 50, "comment": 500}
    return [
        wrong(f"validation.msg.Guarantor.{name}.cannot.be.blank", name)
        for name in ("firstname", "lastname") if not str(body.get(name, "")).strip()
    ] + [
        wrong(f"validation.msg.Guarantor.{name}.exceeds.max.length", name)
        for name, length in most.items() if len(str(body.get(name, ""))) > length
    ]  # fmt: skip


def broken_rule(body: dict[str, Any], bank: CoreBank) -> str:
    """Return the code of the rule that an application with good fields breaks."""
    submitted = _day(body["submittedOnDate"])
    expected = _day(body["expectedDisbursementDate"])
    assert submitted is not None
    assert expected is not None
    if submitted > bank.today:
        return "error.msg.loan.submittal.cannot.be.a.future.date"
    if submitted < bank.clients[int(body["clientId"])][1]:
        return "error.msg.loan.submittal.cannot.be.before.client.activation.date"
    if submitted > expected:
        return "error.msg.loan.submittal.cannot.be.after.expected.disbursement.date"
    return ""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # heading and body in one packet: the second would wait for an answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer what is asked for."""
        if not self._known("GET"):
            return
        bank, path = self.server.bank, self.path.removeprefix(ROOT)
        if found := re.fullmatch(r"/loans/external-id/([^/?]+)(\?associations=guarantors)?", path):
            self._loan(found[1], guarantors=bool(found[2]))
        elif found := re.fullmatch(r"/clients/external-id/([^/?]+)", path):
            ids = [one for one, (external, _) in bank.clients.items() if external == found[1]]
            self._or_not_found({"id": ids[0]} if ids else None, "error.msg.client.id.invalid")
        elif found := re.fullmatch(r"/loanproducts/(\d+)", path):
            self._or_not_found(bank.products.get(int(found[1])), "error.msg.loanproduct.id.invalid")
        else:
            self._answer(404, None)

    def do_POST(self) -> None:
        """Take an application, or say why not."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._known("POST"):
            return
        bank = self.server.bank
        with bank.lock:
            bank.posts += 1
            fault = bank.faults.get(bank.posts, "")
            if fault == "fail":
                self._answer(500, None)
                return
            if fault == "busy":
                self._answer(425, {})
                return
            path = self.path.removeprefix(ROOT)
            if found := re.fullmatch(r"/loans/(\d+)/guarantors", path):
                status, document = self._guaranteed(int(found[1]), body)
            elif path == "/loans":
                status, document = self._judged(body)
            else:
                self._answer(404, None)
                return
        self._spoiled(fault, status, document)

    def _judged(self, body: Any) -> tuple[int, dict[str, Any]]:
        bank = self.server.bank
        number, client = body.get("productId"), body.get("clientId")
        if number is None or int(number) not in bank.products:
            return 404, {"errors": [wrong("error.msg.loanproduct.id.invalid")]}
        if client is None or int(client) not in bank.clients:
            return 404, {"errors": [wrong("error.msg.client.id.invalid")]}
        if errors := errors_of(body, bank):
            return 400, {"userMessageGlobalisationCode": "validation.msg.validation.errors.exist",
                         "errors": errors}  # fmt: skip
        if code := broken_rule(body, bank):
            return 403, {"errors": [wrong(code)]}
        if body["transactionProcessingStrategyCode"] not in STRATEGIES:
            code = "error.msg.transactions.processing.strategy.code.invalid"
            return 404, {"errors": [wrong(code)]}
        try:
            bank.put(body["externalId"], body)
        except sqlite3.IntegrityError:
            return 403, {
                "userMessageGlobalisationCode": "validation.msg.domain.rule.violation",
                "errors": [wrong("error.msg.loan.with.externalId.already.used")],
            }
        number = next(i for i, (e, _) in enumerate(bank.loans(), 1) if e == body["externalId"])
        return 200, {"loanId": number, "resourceId": number, "clientId": int(body["clientId"])}

    def _guaranteed(self, loan: int, body: Any) -> tuple[int, dict[str, Any]]:
        """Take a guarantor: a client once, an outsider as often as one is told of."""
        bank = self.server.bank
        with bank.books() as books:
            row = books.execute("SELECT status, body FROM loans WHERE id = ?", (loan,)).fetchone()
        if row is None:
            return 404, {"errors": [wrong("error.msg.loan.id.invalid")]}
        if errors := guarantor_errors(body):
            return 400, {"errors": errors}
        if row[0] >= 400:
            return 400, {"errors": [wrong("validation.msg.loan.guarantor.loan.is.closed")]}
        there = [(one["guarantorTypeId"], one.get("entityId")) for one in bank.guarantors(loan)]
        who = (body["guarantorTypeId"], body.get("entityId"))
        if who[0] == 1 and who[1] not in bank.clients:
            return 404, {"errors": [wrong("error.msg.client.id.invalid")]}
        if who[0] == 1 and who in there:
            return 403, {"errors": [wrong("error.msg.client.guarantor.is.already.exist.same.loan")]}
        if who == (1, int(json.loads(row[1])["clientId"])):
            return 403, {"errors": [wrong("error.msg.loan.guarantor.can.not.be.own")]}
        with bank.books() as books:
            made = books.execute(
                "INSERT INTO guarantors (loan, body) VALUES (?, ?)", (loan, json.dumps(body))
            )
        return 200, {"loanId": loan, "resourceId": made.lastrowid}

    def _spoiled(self, fault: str, status: int, document: dict[str, Any]) -> None:
        if fault == "hang":
            time.sleep(self.server.bank.hang_s)
        if fault == "kill":
            os.kill(self.server.bank.victim, signal.SIGKILL)
        if fault in ("hang", "lose", "kill"):
            self.close_connection = True
            return
        self._answer(*((500, None) if fault == "late" else (status, document)))

    def _loan(self, external: str, *, guarantors: bool) -> None:
        with self.server.bank.books() as books:
            row = books.execute("SELECT id, status, body FROM loans WHERE external = ?",
                                (external,)).fetchone()  # fmt: skip
        if row is None:
            self._or_not_found(None, "error.msg.loan.external.id.invalid")
            return
        body = json.loads(row[2])
        rate = Decimal(body["interestRatePerPeriod"])
        period = self.server.bank.products[int(body["productId"])]["interestRateFrequencyType"]
        # Whatever the application says, the product tells which period its rate is of.
        yearly = rate * {0: 365, 1: 52, 2: 12, 3: 1}[period["id"]]
        more = {}
        if guarantors and (there := self._guarantors(row[0])):
            more = {"guarantors": there}  # an empty list is left out, as Fineract does
        self._answer(200, {
            **more, "annualInterestRate": float(yearly),
            "id": row[0], "externalId": external, "status": {"id": row[1]},
            "clientId": int(body["clientId"]), "loanProductId": int(body["productId"]),
            "principal": float(body["principal"]), "proposedPrincipal": float(body["principal"]),
        })  # fmt: skip

    def _guarantors(self, loan: int) -> list[dict[str, Any]]:
        """Return guarantors as they are told: those that were taken off too, of clients the names
        that the books of clients have."""
        with self.server.bank.books() as books:
            rows = books.execute(
                "SELECT id, body, active FROM guarantors WHERE loan = ? ORDER BY id", (loan,)
            ).fetchall()
        told = []
        for number, text, active in rows:
            body = json.loads(text)
            kind = body.pop("guarantorTypeId")
            body = (
                {"entityId": 0} | body if kind == 3 else body | {"firstname": "A", "lastname": "B"}
            )
            told.append({
                "id": number, "loanId": loan, "guarantorType": {"id": kind}, "status": bool(active),
                **{name: value for name, value in body.items() if name != "locale"},
            })  # fmt: skip
        return told

    def _known(self, method: str) -> bool:
        bank = self.server.bank
        bank.requests.append(f"{method} {self.path}")
        told = f"{bank.user}:{bank.password}".encode()
        if self.headers["Authorization"] != f"Basic {base64.b64encode(told).decode()}":
            self._answer(401, {"userMessageGlobalisationCode": "error.msg.not.authenticated"})
            return False
        if self.headers["Fineract-Platform-TenantId"] != bank.tenant:
            self._answer(401, {"userMessageGlobalisationCode": "error.msg.invalid.tenant"})
            return False
        if method not in bank.rights:
            self._answer(403, {"userMessageGlobalisationCode": "error.msg.not.authorized",
                               "errors": [wrong("error.msg.not.authorized")]})  # fmt: skip
            return False
        return True

    def _or_not_found(self, document: dict[str, Any] | None, code: str) -> None:
        if document is None:
            self._answer(404, {"userMessageGlobalisationCode": "error.msg.resource.not.found",
                               "errors": [wrong(code)]})  # fmt: skip
        else:
            self._answer(200, document)

    def _answer(self, status: int, document: dict[str, Any] | None) -> None:
        content = b"<html>oops</html>" if document is None else json.dumps(document).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, bank: CoreBank) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bank = bank


@contextmanager
def served(bank: CoreBank) -> Iterator[str]:
    """Yield the root of the API of a bank."""
    server = _Server(bank)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{ROOT}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
