"""What a relation's remedy asks for, as a fixture: the county that tells it, and what is supplied.

Built of the same county as `tests.lending.remedies`; the farmer is always `ann`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

County = Any
Step = Callable[[County], None]

IDLE = {"planted_fraction": 0.0, "seen_area": 0.0, "idle_seasons": 2}


def apart(*names: str, km: float = 4.0) -> Step:
    """Ann and others with a parcel each, one behind another."""

    def build(county: County) -> None:
        for place, name in enumerate(("ann", *names)):
            own = {"own_log_sd": 0.2, "shared_log_sd": 0.15}
            county.add(f"p-{name}", name, x=1000 * km * place, **own)
            county.apply(name)

    return build


def gave(kind: str, *names: str, mark: str = "one") -> Step:
    """The farmers gave the same contact."""
    return lambda county: county.contacts.extend((name, kind, mark) for name in names)


def vouches(*pairs: str) -> Step:
    """`bob>ann`: bob guarantees for ann."""

    def build(county: County) -> None:
        for pair in pairs:
            by, _, whom = pair.partition(">")
            county.hand_in("guarantee", farmer_id=whom, counterparty_id=by, amount="500")

    return build


def steps(*parts: Step) -> Step:
    def build(county: County) -> None:
        for part in parts:
            part(county)

    return build


def own_contacts(county: County) -> None:
    """Ann gives contacts of her own."""
    county.contacts = [row for row in county.contacts if row[0] != "ann"]


def together(*names: str) -> Step:
    def sign(county: County) -> None:
        for name in names:
            county.hand_in("joint_application", farmer_id=name, document_id="J")

    return sign


def guarantor(name: str) -> Step:
    """Ann names somebody else."""

    def change(county: County) -> None:
        for paper in county.documents:
            if paper["kind"] == "guarantee" and paper["farmer_id"] == "ann":
                paper["counterparty_id"] = name

    return change


def idle(*parcels: str, farmer: str = "ann", x: float = 0.0, village: str = "v") -> Step:
    """Nothing grows on a farmer's parcels, nor did it the season before."""

    def build(county: County) -> None:
        for place, parcel in enumerate(parcels):
            county.add(parcel, farmer, x=x + 300 * place, village=village, **IDLE)

    return build


def photos(*parcels: str) -> Step:
    def show(county: County) -> None:
        for parcel in parcels:
            county.hand_in("field_photo", parcel_id=parcel, crop="maize")

    return show


def idle_village(county: County) -> None:
    """Four farmers with an idle parcel in Ann's village of eight, none of thirty elsewhere."""
    county.add("a", "ann", x=-5000, village="here", own_log_sd=0.2, shared_log_sd=0.15)
    for place in range(8):
        name = "ann" if place == 0 else f"here {place}"
        if place < 4:
            idle(f"i{place}", farmer=name, x=1000 * place, village="here")(county)
        else:
            county.add(f"h{place}", name, x=1000 * place, village="here")
        county.apply(name)
    for place in range(30):
        county.add(f"t{place}", f"there {place}", y=9000, x=1000 * place, village="there")


def zoes_before(county: County) -> None:
    """Zoe claimed Ann's land the season before."""
    apart()(county)
    county.before = [("p-ann", "zoe")]


def certificate(county: County) -> None:
    county.hand_in("land_certificate", parcel_id="p-ann", area_m2="10000")


RELATIONS: dict[str, tuple[Step, Step]] = {
    "review_shared_phone": (
        steps(apart("bob", "cyn"), gave("phone", "ann", "bob", "cyn")), own_contacts,
    ),
    "review_shared_account": (
        steps(apart("bob", "cyn", km=0.3), gave("bank_account", "ann", "bob", "cyn")),
        own_contacts,
    ),
    "review_shared_address": (
        steps(apart("bob", "cyn"), gave("address", "ann", "bob", "cyn")), own_contacts,
    ),
    "review_shared_identity": (
        steps(apart("bob"), gave("id_number", "ann", "bob")), own_contacts,
    ),
    "review_linked_households": (
        steps(
            apart("bob", "cyn", "dan", "eve", km=0.3),
            gave("phone", "ann", "bob"), gave("bank_account", "bob", "cyn"),
            gave("phone", "cyn", "dan", mark="two"), gave("bank_account", "dan", "eve", mark="two"),
        ), own_contacts,
    ),
    "review_guarantor_ring": (
        steps(apart("bob", "cyn"), vouches("bob>ann", "cyn>bob", "ann>cyn")),
        together("ann", "bob", "cyn"),
    ),
    "review_guarantor_chain": (
        steps(apart("bob", "cyn", "dan", "eve"), vouches("bob>ann", "cyn>bob", "dan>cyn",
                                                         "eve>dan")),
        guarantor("company"),
    ),
    "review_fake_farming": (
        steps(apart(), idle("i", "j", x=5000)), photos("i", "j"),
    ),
    "review_ground_moved": (zoes_before, certificate),
    "review_idle_village": (idle_village, photos("i0")),
}  # fmt: skip
"""By reason: the county in which Ann is told it, and what she brings."""
