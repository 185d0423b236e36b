"""Who acts: the name that logged acts carry."""

from __future__ import annotations

import os
import pwd

ACTOR_VARIABLE = "FIELDLINE_ACTOR"
"""Environment variable that names who acts, where several people share one account."""


def actor() -> str:
    """Return who acts: the account, and before it the name that the environment states.

    The account is the operating system's own answer, which no variable changes.
    """
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = f"user {os.getuid()}"
    stated = os.environ.get(ACTOR_VARIABLE, "").strip()
    return f"{stated} ({account})" if stated and stated != account else account
