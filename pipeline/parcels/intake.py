"""The intake stage: from one drawn file to trusted parcels, farmers and a personal vault.

Owns what intake writes and what `fieldline parcels check` shows; the rules are in `screening`. This
is the last place that sees a person: names, phones and id numbers go to the vault, everything else
carries pseudonyms.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.parcels.antimeridian import in_one_piece
from fieldline.pipeline.parcels.applied import (
    Applied,
    farmers_with,
    of_new_land,
    outcomes_with,
    parcels_with,
)
from fieldline.pipeline.parcels.contacts import contact_marks
from fieldline.pipeline.parcels.fiboa import read_parcels, write_parcels
from fieldline.pipeline.parcels.layers import Layer
from fieldline.pipeline.parcels.parcel_files import Choices
from fieldline.pipeline.parcels.positions import projector
from fieldline.pipeline.parcels.readers import read_layers, read_parcel_files
from fieldline.pipeline.parcels.schemas import CONTACTS, FARMERS
from fieldline.pipeline.parcels.screening import Screened, screen
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, outcome_codes, write_outcome_columns
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.reference import crop_named
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table, write_table
from fieldline.pipeline.vault.erasure import erased_farmers
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import Person, persons_of, store_persons
from fieldline.pipeline.vault.vault import Vault

__all__ = [
    "Check",
    "check_file",
    "check_files",
    "read_boundary",
    "read_parcels",
    "run_intake",
]

STAGE = "intake"
_LOG = logging.getLogger(__name__)
_DRAWN_BY_HAND = "manual"


def run_intake(
    *,
    sources: Sequence[Path],
    county: str,
    season: str,
    columns: Mapping[str, str],
    crs: str | None,
    settings: IntakeSettings,
    privacy: PrivacySettings,
    parcels: Path,
    farmers: Path,
    vault: str | Path,
    outcomes: Path,
    contacts: Path | None = None,
    boundary: Path | None = None,
    layers: Sequence[str] = (),
    prefixes: Mapping[str, str] | None = None,
    applied: Sequence[Path] = (),
) -> None:
    """Read a parcel file, give every row one outcome, and write what later stages may see.

    Args:
        sources: Parcel files of the county, rows numbered in this order.
        county: County code.
        season: Season name.
        columns: The files' own column names by Fieldline name.
        crs: CRS of files that carry none; None refuses them.
        settings: Limits of what counts as a parcel.
        privacy: Keys of pseudonyms and of the vault.
        parcels: Output, GeoParquet (`PARCEL_COLUMNS`).
        farmers: Output, one row per farmer (`FARMERS`).
        vault: SQLite file or database URL that receives the personal data, sealed.
        outcomes: Output, one row per input row.
        contacts: Output, keyed marks of what farmers gave as contacts (`CONTACTS`).
        boundary: County boundary; parcels outside are refused.
        layers: Layers of GeoPackages to read; all where empty.
        prefixes: Prefix of the parcel ids by file or layer name.
        applied: `parcels.parquet` of every farmer who drew outlines in an application of the own,
            as an earlier intake wrote it; the file's own parcels of the same name stand back.

    Raises:
        UserError: Unreadable file, missing column or CRS; a key that is missing or not the vault's.
    """
    pseudonym = pseudonymiser(privacy)
    choices = Choices(columns, crs, layers, prefixes or {})
    with open_vault(vault, privacy, create=True) as opened:
        screened = _screen_files(sources, choices, settings, boundary)
        for sentence in screened.said:
            _LOG.info(sentence)
        frame = screened.frame
        places, people = pd.factorize(frame["farmer_id"])
        frame["pseudonym"] = np.array([*map(pseudonym, people), ""], dtype=object)[places]
        erased = erased_farmers(opened)
        _refuse_erased(screened, erased)
        drawn = [Applied.of(path).without(erased) for path in applied]
        persons = _persons(frame)
        applicants = {name for one in drawn for name in one.farmers["farmer_id"]}
        known = _known_already(opened, (county, season), applicants, persons)
        store_persons(opened, county, season, [*persons, *known])
    collection = f"{county}_{season}"
    drawn_here = _parcel_frame(screened, collection)
    laid = parcels_with(drawn_here, [one.parcels for one in drawn])
    write_parcels(laid, collection, parcels)
    fresh = of_new_land(drawn_here["parcel_id"], drawn)
    write_table(farmers_with(_farmer_frame(screened), fresh), FARMERS, farmers)
    if contacts is not None:
        _write_contacts(frame, applied, erased, privacy, contacts)
    told = outcomes_with(pd.DataFrame(_outcomes(screened)), [one.outcomes for one in drawn])
    write_outcome_columns({str(name): told[name].tolist() for name in told}, outcomes)


def _write_contacts(
    frame: pd.DataFrame,
    applied: Sequence[Path],
    erased: Mapping[str, str],
    privacy: PrivacySettings,
    out: Path,
) -> None:
    """Write the marks of all contacts: a farmer who gives another has not given up the old one."""
    there = [path.with_name("contacts.parquet") for path in applied]
    parts = [read_table(path) for path in there if path.is_file()]
    rows = pd.concat([contact_marks(frame, privacy), *parts], ignore_index=True)
    kept = rows[~rows["farmer_id"].isin(list(erased))].drop_duplicates()
    write_table(kept, CONTACTS, out)


def _known_already(
    vault: Vault, shelf: tuple[str, str], applicants: Collection[str], people: Sequence[Person]
) -> list[Person]:
    """Return the records of applicants whom no file names: they stay in the vault."""
    named = {person.farmer_id for person in people}
    if named.issuperset(applicants):
        return []
    wanted = set(applicants) - named
    return [person for person in persons_of(vault, *shelf) if person.farmer_id in wanted]


@dataclass(frozen=True)
class Check:
    """What intake would make of parcel files."""

    rows: pd.DataFrame
    """Frame `row` (from 1, all files numbered through), `parcel_id`, `outcome`, `effect` (`ok`,
    `continue` or `stop`), `detail`, `meaning`, `remedy`, in file order."""
    said: tuple[str, ...]
    """What was read and how it was understood, one sentence each."""
    farmers: frozenset[str] = frozenset()
    """Numbers of the farmers whom the rows name."""


def check_file(
    source: Path,
    *,
    columns: Mapping[str, str],
    crs: str | None,
    boundary: Path | None,
    settings: IntakeSettings,
) -> pd.DataFrame:
    """Say what intake would make of each row of one file: `Check.rows` of `check_files`."""
    return check_files([source], Choices(columns, crs), boundary=boundary, settings=settings).rows


def check_files(
    sources: Sequence[Path], choices: Choices, *, boundary: Path | None, settings: IntakeSettings
) -> Check:
    """Say what intake would make of each row; writes nothing and needs no key.

    Args:
        sources: Parcel files.
        choices: What the county says about them.
        boundary: County boundary; parcels outside are refused.
        settings: Limits.

    Raises:
        UserError: Unreadable file, missing column or CRS.
    """
    screened = _screen_files(sources, choices, settings, boundary)
    ledger, codes = screened.ledger, outcome_codes()
    ids = screened.frame["row_id"].tolist()
    outcomes = ledger.outcomes()
    known = [codes.get(outcome) for outcome in outcomes]
    rows = pd.DataFrame(
        {
            "row": range(1, len(ids) + 1),
            "parcel_id": ids,
            "outcome": outcomes,
            "effect": [code.effect if code else OK for code in known],
            "detail": ledger.details(),
            "meaning": [code.english if code else "" for code in known],
            "remedy": [code.remedy if code else "" for code in known],
        }
    )
    farmers = screened.frame["farmer_id"].dropna()
    return Check(rows, screened.said, frozenset(farmers))


def accepted_outlines(
    sources: Sequence[Path], choices: Choices, *, boundary: Path | None, settings: IntakeSettings
) -> gpd.GeoDataFrame:
    """Return the outlines that intake would accept, EPSG:4326; writes nothing and needs no key.

    Args:
        sources: Parcel files.
        choices: What the county says about them.
        boundary: County boundary; parcels outside are refused.
        settings: Limits.

    Returns:
        Frame `parcel_id` and geometry.

    Raises:
        UserError: Unreadable file, missing column or CRS.
    """
    screened = _screen_files(sources, choices, settings, boundary)
    rows = screened.ledger.rows
    ids = screened.frame["row_id"].iloc[rows].to_numpy()
    outlines = {"parcel_id": ids}
    return gpd.GeoDataFrame(outlines, geometry=screened.geometries[rows], crs="EPSG:4326")


def read_boundary(path: Path) -> BaseGeometry:
    """Read a county boundary, all polygons of all its layers, as one lon/lat geometry.

    Raises:
        UserError: Unreadable file, no CRS or no polygon.
    """
    layers = read_layers(path, setting="inputs.boundary")
    merged = shapely.union_all([_boundary_part(layer, path) for layer in layers])
    if merged.area == 0:
        raise UserError(f"{path} holds no polygon", "check inputs.boundary")
    return merged


def _boundary_part(layer: Layer, path: Path) -> BaseGeometry:
    own = [layer.shapes.crs[i] for i in np.unique(layer.shapes.crs_index) if i >= 0]
    crs = layer.crs or (own[0] if len(own) == 1 else None)
    if crs is None:
        said = f" that places anything ({layer.own_crs})" if layer.own_crs else ""
        raise UserError(f"{path} has no CRS{said}", "save the boundary with its CRS")
    drawn = layer.shapes.geometries
    drawn = shapely.make_valid(drawn[shapely.area(drawn) > 0])
    return shapely.union_all(in_one_piece(shapely.transform(drawn, projector(crs))))


def _screen_files(
    sources: Sequence[Path], choices: Choices, settings: IntakeSettings, boundary: Path | None
) -> Screened:
    file = read_parcel_files(sources, choices)
    outline = read_boundary(boundary) if boundary is not None else None
    return screen(file, settings, crop_named=crop_named, boundary=outline)


def _refuse_erased(screened: Screened, erased: Mapping[str, str]) -> None:
    """Refuse the rows of farmers who had their data erased and have not consented anew."""
    if erased:
        rows = np.flatnonzero(screened.frame["pseudonym"].isin(set(erased)))
        screened.ledger.refuse_all(rows.tolist(), "farmer_erased")


def _persons(frame: pd.DataFrame) -> list[Person]:
    """Return one person per farmer: the first non-empty name, phone and id number in file order."""
    known = frame[frame["pseudonym"] != ""]
    columns = ["farmer_id", "name", "phone", "id_number"]
    firsts = known.groupby("pseudonym", sort=True)[columns].first().astype(object)
    firsts = firsts.where(firsts.notna(), None).reset_index()
    return [Person(*row) for row in firsts.itertuples(index=False, name=None)]


def _parcel_frame(screened: Screened, collection: str) -> gpd.GeoDataFrame:
    rows = screened.ledger.rows
    accepted = screened.frame.iloc[rows]
    return gpd.GeoDataFrame(
        {
            "id": accepted["row_id"].to_numpy(),
            "parcel_id": accepted["row_id"].to_numpy(),
            "collection": collection,
            "farmer_id": accepted["pseudonym"].to_numpy(),
            "village": accepted["village"].to_numpy(),
            "declared_crop": accepted["declared_crop"].to_numpy(),
            "declared_area_m2": accepted["declared_area_m2"].to_numpy(dtype=float, na_value=np.nan),
            "metrics:area": screened.area_m2[rows].astype(np.float32),
            "metrics:perimeter": screened.perimeter_m[rows].astype(np.float32),
            "determination:method": _DRAWN_BY_HAND,
            "repair": screened.ledger.all_repairs()[rows],
        },
        geometry=screened.geometries[rows],
        crs="EPSG:4326",
    )


def _farmer_frame(screened: Screened) -> pd.DataFrame:
    ledger = screened.ledger
    owners = screened.frame["pseudonym"].to_numpy()
    refusals: dict[str, list[str]] = {}
    for row in np.flatnonzero(~ledger.alive).tolist():
        refusals.setdefault(owners[row], []).append(ledger.outcome(row))
    table = pd.DataFrame({"farmer_id": owners, "accepted": ledger.alive})
    counts = table[table["farmer_id"] != ""].groupby("farmer_id")["accepted"].agg(["size", "sum"])
    return pd.DataFrame(
        {
            "farmer_id": counts.index,
            "parcels_declared": counts["size"].to_numpy(dtype=np.int32),
            "parcels_accepted": counts["sum"].to_numpy(dtype=np.int32),
            "refusals": [sorted(refusals.get(farmer, [])) for farmer in counts.index],
        }
    )


def _outcomes(screened: Screened) -> dict[str, list[str]]:
    return {
        "stage": [STAGE] * len(screened.frame),
        "parcel_id": screened.frame["row_id"].tolist(),
        "farmer_id": screened.frame["pseudonym"].tolist(),
        "outcome": screened.ledger.outcomes(),
        "detail": screened.ledger.details(),
    }
