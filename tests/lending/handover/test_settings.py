"""What the settings of the hand-over refuse."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from fieldline.lending.handover.settings import FineractSettings


def test_a_guarantor_is_named_once_for_nobody_can_say_which_of_two_entries_counts() -> None:
    entries = [
        {"guarantor": "G1", "client_id": 1},
        {"guarantor": "pool-7", "name": "pool"},
        {"guarantor": "G1", "name": "the same"},
    ]
    with pytest.raises(ValidationError, match="guarantor 'G1' stands twice: keep one entry"):
        FineractSettings.model_validate({"guarantors": entries})
    assert len(FineractSettings.model_validate({"guarantors": entries[:2]}).guarantors) == 2
