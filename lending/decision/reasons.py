"""Reasons: at most four, specific, with the applicant's own number and what would change it.

Owns how findings become sentences in English and Chinese (texts are data) and how contributions to
the default margin become findings: against the cohort that repaid, worst first, and only where the
applicant's own value really is worse. "Score too low" is no reason and cannot be produced here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from fieldline.lending.codes import reason_codes
from fieldline.lending.decision.case import RiskCase
from fieldline.lending.risk.features import FEATURES, loans_behind

MOST = 4
"""Reasons told at most: a farmer reads four, a page of twenty explains nothing."""


@dataclass(frozen=True)
class Finding:
    """One reason before it is put in words."""

    code: str
    values: dict[str, str] = field(default_factory=dict)
    """Numbers and names for the text's placeholders."""
    chinese: dict[str, str] = field(default_factory=dict)
    """Replacements where a placeholder reads differently in Chinese."""
    variant: str = ""
    """Which of several texts of the code is told; a text is no term of a decision."""


@dataclass(frozen=True)
class Reason:
    """A reason in words."""

    code: str
    english: str
    chinese: str


def tell(findings: Iterable[Finding]) -> list[Reason]:
    """Return at most four reasons: vetoes, then reviews, then risk, then limits; order kept within.

    Args:
        findings: Findings in order of importance; one that repeats is told once. What is told is
            chosen by codes and numbers alone, so other words never choose otherwise.
    """
    ranked = sorted(findings, key=lambda finding: reason_codes()[finding.code].rank)
    chosen: list[Finding] = []
    for finding in ranked:
        if finding not in chosen:
            chosen.append(finding)
    return [_worded(finding) for finding in _one_per_code_first(chosen)[:MOST]]


def _one_per_code_first(findings: Sequence[Finding]) -> list[Finding]:
    """Put the first of every code before repetitions: four parcels must not hide four causes."""
    seen: set[str] = set()
    first: list[Finding] = []
    again: list[Finding] = []
    for finding in findings:
        (again if finding.code in seen else first).append(finding)
        seen.add(finding.code)
    return first + again


def _worded(finding: Finding) -> Reason:
    text = reason_codes()[f"{finding.code}:{finding.variant}".removesuffix(":")]
    english, chinese = finding.values, {**finding.values, **finding.chinese}
    return Reason(
        finding.code,
        f"{text.english} {text.change_english}".format(**english),
        f"{text.chinese}{text.change_chinese}".format(**chinese),
    )


def _percent(value: float, more: int = 0) -> str:
    return f"{value:.{more}%}"


def _count(value: float, more: int = 0) -> str:
    return f"{value:.{more}f}"


_SHOWN: dict[str, Callable[[float, int], str]] = {
    "hazard_index": _count,
    "conflicts": _count,
    "prior_loans": _count,
}


def shown_feature(name: str) -> Callable[[float, int], str]:
    """Return how a feature's value is written: a share in percent or a plain count.

    The function takes the value and how many decimals more than usual are written.
    """
    return _SHOWN.get(name, _percent)


def risk_findings(risk: RiskCase, *, told_apart: bool = True) -> Iterator[Finding]:
    """Yield what raised this applicant's risk above the cohort that repaid, worst first.

    Args:
        risk: The model's answer with contributions, features and cohort.
        told_apart: Whether a value that reads as the usual one is passed over.
    """
    excess = {
        name: part - (risk.cohort[name]["contribution"] or 0.0)
        for name, part in risk.contributions.items()
    }
    for name in sorted(excess, key=lambda name: (-excess[name], name)):
        finding = _risk_finding(name, risk) if excess[name] > 0 else None
        if finding is None:
            continue
        values = finding.values
        if not (told_apart and values and values["value"] == values["threshold"]):
            yield finding


def _risk_finding(name: str, risk: RiskCase) -> Finding | None:
    value, usual = risk.features[name], risk.cohort[name]["median"]
    if name == "thin_file":
        return Finding("risk_thin_file") if value else None
    if value is None or usual is None or _SIGNS[name] * (value - usual) <= 0:
        return None
    if name == "late_share":
        return _late_loans(risk, value, usual)
    show = shown_feature(name)
    values = {"value": show(value, 0), "threshold": show(usual, 0)}
    return Finding(f"risk_{name}", values, variant=_variant(risk))


def _variant(risk: RiskCase) -> str:
    """Points that no loan has tested say nothing of farmers who repaid."""
    return "expert" if risk.by_expert else ""


def _late_loans(risk: RiskCase, value: float, usual: float) -> Finding:
    """Tell the late share as the loans that it is made of: a share of two loans says little."""
    finished = risk.finished_loans
    if finished is None:
        finished = round(risk.features["prior_loans"] or 0)
    found = loans_behind(value, finished)
    if found is None:
        return Finding("risk_late_share", variant="unknown")
    late, among = found
    most = f"{usual * (among + 1):.1f}".removesuffix(".0")
    values = {"value": str(late), "extra": str(among), "threshold": most}
    return Finding("risk_late_share", values, variant=_variant(risk))


_SIGNS = {feature.name: feature.sign for feature in FEATURES}
