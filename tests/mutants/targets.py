"""Targets: the modules whose tests must bite, each with its tests, nearest first.

Owns nothing but the table. A module is tried against `nearest`; what survives those is tried
against `room`, tests that use it from afar, before it is called a survivor.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A module and the tests that ought to notice a defect in it."""

    module: str
    """Path below the root, as the repository spells it."""
    nearest: tuple[str, ...]
    room: tuple[str, ...] = ()
    package: str = "fieldline"

    @property
    def name(self) -> str:
        """Name under which the module is imported."""
        return ".".join([self.package, *self.module.removesuffix(".py").split("/")])


_DECISION = "tests/lending/decision"
_EVIDENCE = "tests/lending/evidence"
_IMAGERY = "tests/pipeline/imagery"
_INPUTS = "tests/pipeline/inputs"
_VAULT = "tests/pipeline/vault"
_WHOLE = (f"{_DECISION}/test_decision.py", f"{_DECISION}/test_decide.py")


def _decision(noun: str) -> Target:
    return Target(f"lending/decision/{noun}.py", (f"{_DECISION}/test_{noun}.py",), _WHOLE)


TARGETS = (
    Target("lending/decision/decision.py", _WHOLE[:1], _WHOLE[1:]),
    *(_decision(noun) for noun in ("limit", "pricing", "findings", "reasons", "tariffs", "case")),
    Target("lending/evidence/crosscheck.py", (f"{_EVIDENCE}/test_crosscheck.py",), _WHOLE[1:]),
    Target(
        "lending/evidence/claims.py",
        (f"{_EVIDENCE}/test_claims.py",),
        (f"{_EVIDENCE}/test_crosscheck.py",),
    ),
    *(
        Target(f"pipeline/inputs/{noun}.py", (f"{_INPUTS}/test_numbers.py",), (_INPUTS,))
        for noun in ("numbers", "dates", "amounts")
    ),
    Target(
        "pipeline/inputs/values.py",
        (f"{_INPUTS}/test_read.py",),
        (_INPUTS, "tests/lending/test_sources.py"),
    ),
    Target("lending/rows.py", ("tests/lending/test_rows.py",), ("tests/lending/test_sources.py",)),
    *(
        Target(f"pipeline/vault/{noun}.py", (f"{_VAULT}/test_{noun}.py",), (_VAULT,))
        for noun in ("consents", "sealing", "persons", "access", "erasure", "opening")
    ),
    *(
        Target(f"lending/store/{noun}.py", (f"tests/lending/store/test_{noun}.py",))
        for noun in ("concerned", "queue", "forgotten")
    ),
    Target("pipeline/records/code_pages.py", ("tests/pipeline/records/test_code_pages.py",)),
    Target("workflows/left_out.py", ("tests/workflows/test_finished.py",)),
    Target("pipeline/records/secrets.py", ("tests/pipeline/records/test_secrets.py",)),
    Target("lending/named_offers.py", ("tests/lending/test_named_offers.py",)),
    Target("crops/series.py", ("tests/crops/test_series.py",), ("tests/crops/growth",)),
    *(
        Target(
            f"pipeline/imagery/{noun}.py",
            (f"{_IMAGERY}/test_scenes.py", f"{_IMAGERY}/test_scenes_as_delivered.py"),
            (_IMAGERY,),
        )
        for noun in ("scenes", "scene_days")
    ),
)
