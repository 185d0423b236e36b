"""The sampler on a module of two functions, one of which is tested to the last boundary."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.__main__ import equivalents, mutants_of, sample
from tests.mutants.points import points
from tests.mutants.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''
def fare(age: int) -> int:
    """Children below six ride free."""
    return 0 if age < 6 else 2


def late(minutes: int) -> bool:
    return minutes > 5
'''
COMPLETE = """
from fieldline.lending.tiny import fare, late


def test_fare():
    assert [fare(5), fare(6)] == [0, 2]


def test_late():
    assert late(6) and not late({known})
"""


def texts(code: str) -> list[tuple[str, str]]:
    return [point.texts() for point in points(ast.parse(code))]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a < b", [("a < b", "a <= b"), ("a < b", "a >= b")]),
        ("a == b", [("a == b", "a != b")]),
        ("x = a + b", [("a + b", "a - b")]),
        ("x = a and b", [("a and b", "a or b")]),
        ("x = not a", [("not a", "not not a")]),
        ("x = 7", [("x = 7", "x = 8")]),
        ("x = a[1:-1]", [("a[1:-1]", "a[2:-1]"), ("a[1:-1]", "a[1:+1]"), ("a[1:-1]", "a[1:-2]")]),
        ("x: bool = True", [("x: bool = True", "x: bool = False")]),
        ("x = min(a, b)", [("min(a, b)", "max(a, b)")]),
        ("x = {a, b}", [("{a, b}", "{b}"), ("{a, b}", "{a}")]),
        ("x = [a for a in b if a]", [("(_ for a in b if a)", "(_ for a in b)")]),
        ("def f() -> frozenset[str]:\n    return a", [("return a", "return frozenset()")]),
        ("def f() -> list[int]:\n    return []", []),
        ("def f():\n    yield a", [("yield a", "pass")]),
        ("if a:\n    b = c", [("if a:", "if not a:")]),
        ("while x:\n    raise a", [("while x:", "while not x:"), ("raise a", "pass")]),
        ("@cache(1)\ndef f(a: Literal[1]):\n    '''Text.'''", []),
        ("x = zip(a, b, strict=True)", []),
    ],
)
def test_each_kind_of_defect(code: str, expected: list[tuple[str, str]]) -> None:
    # a lone comparison is a statement without effect, which is no call to forget
    found = [pair for pair in texts(code) if pair[1] != "pass" or code.count("\n")]
    assert found == expected


def test_a_defect_is_planted_and_taken_out_again() -> None:
    tree = ast.parse(MODULE)
    before = ast.dump(tree)
    for point in points(tree):
        old = point.plant()
        assert ast.dump(tree) != before
        point.exchange(old)
        assert ast.dump(tree) == before


def test_a_sample_is_spread_over_the_modules_and_repeats_with_its_seed() -> None:
    every = [mutant for target in TARGETS for mutant in mutants_of(ROOT, target)]
    chosen = sample(every, 60, 7)
    assert chosen == sample(every, 60, 7) != sample(every, 60, 8)
    assert len(chosen) == 60
    assert {mutant.target.module for mutant in chosen} == {t.module for t in TARGETS}


def test_every_equivalent_mutant_still_exists_and_says_why() -> None:
    every = [mutant.key for target in TARGETS for mutant in mutants_of(ROOT, target)]
    for key, reason in equivalents().items():
        assert every.count(key) == 1, f"{key} names no or several mutants: mend equivalent.csv"
        assert len(reason) > 10


def test_every_target_and_its_tests_exist() -> None:
    for target in TARGETS:
        for path in (target.module, *target.nearest, *target.room):
            assert (ROOT / path).exists(), path


def run(root: Path, known: int) -> tuple[int, dict[str, object]]:
    """Run the sampler on the tiny module with a test that knows a number of minutes."""
    (root / "fieldline" / "lending").mkdir(parents=True, exist_ok=True)
    (root / "tests").mkdir(exist_ok=True)
    for package in ("fieldline", "fieldline/lending"):
        (root / package / "__init__.py").touch()
    (root / "fieldline" / "lending" / "tiny.py").write_text(MODULE)
    (root / "lending").symlink_to("fieldline/lending") if known == 5 else None
    (root / "tests" / "test_tiny.py").write_text(COMPLETE.format(known=known))
    before = sorted(root.rglob("*"))
    command = [
        sys.executable, "-m", "tests.mutants", "--all", "--root", str(root), "--jobs", "2",
        "--module", "lending/tiny.py", "--tests", "tests/test_tiny.py", "--out",
        str(root.parent / "mutants.json"),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert sorted(root.rglob("*")) == before
    return done.returncode, json.loads((root.parent / "mutants.json").read_text())


def test_complete_tests_leave_no_survivor_and_a_hole_leaves_exactly_its_own(tmp_path: Path) -> None:
    code, found = run(tmp_path / "tree", 5)
    assert found["survivors"] == []
    assert code == 0
    # 4 > 5 and 4 >= 5 are both false: nobody asks what five minutes are
    code, found = run(tmp_path / "tree", 4)
    assert code == 1
    survivors = found["survivors"]
    assert isinstance(survivors, list)
    assert [(row["place"], row["before"], row["after"]) for row in survivors] == [
        ("lending/tiny.py:8", "minutes > 5", "minutes >= 5"),
    ]
