"""Mutation points: every place of a module where one small defect could be planted.

Owns the list of defects (a boundary moved, a sum turned round, a filter forgotten, an empty answer)
and how one is put into a parsed module and taken out again. Runs nothing. The one idea: a defect is
an exchange of one child of one syntax node, so planting and undoing it are the same assignment.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""Each comparison with its boundary moved, and turned round."""
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_OPPOSITE = {"min": "max", "any": "all", "minimum": "maximum", "argmin": "argmax", "first": "last"}
_OPPOSITE |= {other: name for name, other in _OPPOSITE.items()}
_EMPTY = {"str": "''", "int": "0", "float": "0.0", "Decimal": "Decimal(0)", "list": "[]"}
_EMPTY |= {"tuple": "()", "dict": "{}", "set": "set()", "frozenset": "frozenset()"}
"""The empty answer of a function by what it promises to return; None for any other."""
_UNTOUCHED = {"annotation", "returns", "decorator_list", "type_params"}
"""Parts of a node that state types or wrap a definition, and decide nothing."""
_UNTOUCHED_KEYWORDS = {"strict"}
"""`zip(strict=True)` guards against a defect elsewhere; no right input can tell it from False."""


@dataclass(frozen=True)
class Point:
    """One defect that can be planted in a parsed module."""

    parent: ast.AST
    """Node whose child is exchanged."""
    field: str
    index: int | None
    """Place in the field where the field is a list."""
    new: Any
    """What takes the child's place; a list where it is taken out of a list."""
    shown: ast.AST
    """Node printed before and after."""
    function: str
    """Qualified name of the function around it; empty at module level."""
    line: int

    def exchange(self, new: Any) -> Any:
        """Put a node in the child's place and return what was there."""
        old = getattr(self.parent, self.field)
        if self.index is None or isinstance(new, list):
            setattr(self.parent, self.field, new)
            return old
        old, old_list = old[self.index], old
        old_list[self.index] = new
        return old

    def plant(self) -> Any:
        """Put the defect in; return what `exchange` takes to take it out again."""
        return self.exchange(self.new)

    def texts(self) -> tuple[str, str]:
        """Return the shown code before and after, in one line each."""
        before = _line(self.shown)
        old = self.plant()
        after = "pass" if isinstance(self.new, ast.Pass) else _line(self.shown)
        self.exchange(old)
        return before, after


def points(tree: ast.Module) -> list[Point]:
    """Return the mutation points of a module in the order of its text."""
    found = [point for place in _nodes(tree, []) for point in _of_node(*place)]
    return sorted(found, key=lambda point: point.line)


def _nodes(
    node: ast.AST, scope: list[ast.AST], around: ast.AST | None = None
) -> Iterator[tuple[ast.AST, ast.AST, list[ast.AST]]]:
    """Yield every node that can decide something, what tells it apart, the definitions around it.

    A number is told apart by the expression that it stands in: `-1` is everywhere, `day[1:-1]` not.
    """
    yield node, around or node, scope
    inner = [*scope, node] if isinstance(node, ast.FunctionDef | ast.ClassDef) else scope
    for name, value in ast.iter_fields(node):
        if name in _UNTOUCHED:
            continue
        for child in value if isinstance(value, list) else [value]:
            told = isinstance(child, ast.keyword) and child.arg in _UNTOUCHED_KEYWORDS
            if isinstance(child, ast.AST) and not told:
                thin = around is not None and isinstance(node, ast.UnaryOp | ast.Slice)
                yield from _nodes(child, inner, around if thin else node)


def _of_node(node: ast.AST, around: ast.AST, scope: list[ast.AST]) -> Iterator[Point]:
    function = ".".join(getattr(outer, "name", "") for outer in scope)

    def point(field: str, new: Any, index: int | None = None, of: ast.AST = node) -> Point:
        number = node.operand if isinstance(node, ast.UnaryOp) else node
        shown = around if isinstance(number, ast.Constant) else node
        placed = node.target if isinstance(node, ast.comprehension) else node
        return Point(of, field, index, new, shown, function, getattr(placed, "lineno", 0))

    if isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            yield from (point("ops", new(), i) for new in _COMPARED[type(operator)])
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _COMPUTED:
        yield point("op", _COMPUTED[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield point("op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield point("value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield point("value", node.value + 1)
    elif isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.USub):
            yield point("op", ast.UAdd())
        else:  # `not not x` is x as far as a condition goes, `~~x` is x
            yield point("operand", ast.UnaryOp(node.op, node.operand))
    elif isinstance(node, ast.Call):
        name = "id" if isinstance(node.func, ast.Name) else "attr"
        called = getattr(node.func, name, None)
        if called in _OPPOSITE:
            yield point(name, _OPPOSITE[called], of=node.func)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield from (point("value", new) for new in _other_answers(node.value, scope))
    elif isinstance(node, ast.Set | ast.comprehension):
        field = "elts" if isinstance(node, ast.Set) else "ifs"
        items = getattr(node, field)
        yield from (point(field, [*items[:i], *items[i + 1 :]], i) for i in range(len(items)))
    yield from _conditions(node, function)
    yield from _statements(node, function)


def _other_answers(value: ast.expr, scope: Sequence[ast.AST]) -> Iterator[ast.expr]:
    """Return the empty answer of the function's kind, unless it is what stands there."""
    promise = getattr(scope[-1], "returns", None) if scope else None
    kind = ast.unparse(promise).split("[")[0] if promise is not None else ""
    if kind == "bool":
        yield ast.UnaryOp(ast.Not(), value)
        return
    text = _EMPTY.get(kind, "None")
    if ast.unparse(value) != text:
        yield ast.parse(text, mode="eval").body


def _conditions(node: ast.AST, function: str) -> Iterator[Point]:
    """Turn round the conditions that no comparison inside them turns round already."""
    if not isinstance(node, ast.If | ast.IfExp | ast.While):
        return
    if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        new = ast.UnaryOp(ast.Not(), node.test)
        yield Point(node, "test", None, new, node, function, node.lineno)


def _statements(node: ast.AST, function: str) -> Iterator[Point]:
    """Forget each statement that acts: a call, a yield, an addition, a jump, a raise."""
    acts = (ast.Expr, ast.AugAssign, ast.Continue, ast.Break, ast.Raise, ast.Delete)
    for field in ("body", "orelse", "finalbody"):
        body = getattr(node, field, None)
        for i, statement in enumerate(body if isinstance(body, list) else []):
            text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            ends = isinstance(statement, ast.Return) and statement.value is None
            if (isinstance(statement, acts) and not text) or ends:
                yield Point(node, field, i, ast.Pass(), statement, function, statement.lineno)


def _line(node: ast.AST) -> str:
    """Return a node as one line; of a compound statement or clause its head."""
    if isinstance(node, ast.comprehension):
        node = ast.GeneratorExp(ast.Name("_"), [node])
    return " ".join(ast.unparse(node).split("\n")[0].split())
