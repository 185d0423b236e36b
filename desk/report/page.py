"""The page of the county report as one file: its scripts, its policy and its two languages.

Owns what lets the file be opened from a disk or a mail and run nothing but what Fieldline put into
it: the page's own content security policy names its two scripts by their hashes and allows no
address at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from fieldline.desk.app.words import LANGUAGES, words


def part(name: str) -> str:
    """Return a script or style that the page holds."""
    return (files("fieldline") / "desk" / "report" / "templates" / name).read_text("utf-8")


def policy_of(scripts: Sequence[str]) -> str:
    """Return a content security policy under which these scripts run and no other.

    Plotly writes style sheets of its own, so styles are free; nothing can be fetched for them.
    """
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
        for script in scripts
    ]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def both(key: str, **values: object) -> Markup:
    """Return words in both languages; the page shows the one that is chosen."""
    return in_both({name: words(name)(key, **values) for name in LANGUAGES})


def in_both(told: Mapping[str, str]) -> Markup:
    """Return a text in both languages, by language."""
    spans = (Markup('<span lang="{}">{}</span>').format(name, text) for name, text in told.items())
    return Markup("").join(spans)


def as_data(value: Any) -> Markup:
    """Return a value as JSON that cannot end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))
