"""One value has one canonical text, by the slow way and by the fast one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldline.pipeline.records.canonical import (
    canonical,
    canonical_document,
    content_hash,
    joined,
    text_hash,
)
from fieldline.pipeline.records.errors import SchemaError

_keys = st.text(max_size=4)
_leaves = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.dates()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False, places=4)
)  # fmt: skip
_values = st.recursive(
    _leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(_keys, v, max_size=3), max_leaves=9
)


@given(st.dictionaries(_keys, _values, max_size=4))
def test_a_document_has_one_text_however_it_is_written(value: dict[str, Any]) -> None:
    assert canonical_document(value) == canonical(value)
    assert joined({name: canonical(part) for name, part in value.items()}) == canonical(value)
    assert text_hash(canonical(value)) == content_hash(value)


@pytest.mark.parametrize("value", [{"a": float("nan")}, {"a": [float("inf")]}, {"a": {1, 2}}])
def test_what_has_no_text_is_refused_by_both(value: dict[str, Any]) -> None:
    for write in (canonical, canonical_document):
        with pytest.raises(SchemaError, match="has no canonical JSON"):
            write(value)
