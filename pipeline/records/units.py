"""Units of area: square metres in every table, mu and hectares where people read or write them.

Owns the one statement of what a mu is. Money is reckoned with the exact conversion, statistics
with the float.

Source: State Council of China, order on legal units of measurement (1984): 1 mu = 1/15 ha.
"""

from __future__ import annotations

from decimal import Decimal

M2_PER_HA = 10_000
MU_PER_HA = 15
M2_PER_MU = M2_PER_HA / MU_PER_HA
"""m2 in one mu, the nearest float; exact arithmetic takes `in_mu`."""


def in_mu(area_m2: Decimal) -> Decimal:
    """Return an area in mu, exactly: 1 mu is no finite decimal of m2, but 1 m2 is one of mu."""
    return area_m2 * MU_PER_HA / M2_PER_HA
