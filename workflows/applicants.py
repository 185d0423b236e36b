"""Applicants: what farmers who applied one by one leave for later runs of their county.

Owns the folder of each (by pseudonym, one a season and county): tables of the land drawn and the
application as the stages wrote them. The newest application of a farmer stands for earlier ones; a
consent taken back ends it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

APPLICATION = "application.parquet"
PARCELS = "parcels.parquet"
_FOLDER = ".applications"


def applicants_folder(results: Path, county: str, season: str) -> Path:
    """Return where the applicants of a county and season lie."""
    return results / _FOLDER / season / county


def applicants_tables(results: Path, county: str, season: str, name: str) -> list[Path]:
    """Return a table of every applicant who left it, ordered by pseudonym."""
    return sorted(applicants_folder(results, county, season).glob(f"[!.]*/{name}"))


def keep_applicant(own: Path, names: list[str], target: Path) -> None:
    """Keep an applicant's tables for later runs and for those who come after.

    Args:
        own: Folder of this application: land drawn in it stands for all drawn before, so does what
            was stated in it; what it does not touch stays.
        names: Tables to keep, relative to it.
        target: The applicant's folder.
    """
    if not any((own / name).is_file() for name in (PARCELS, APPLICATION)):
        return
    draft = target.with_name(f".{target.name}")
    shutil.rmtree(draft, ignore_errors=True)
    drawn = (own / PARCELS).is_file()
    for name in [*names, APPLICATION]:
        former = target if name == APPLICATION or not drawn else own
        source = own / name if (own / name).is_file() else former / name
        if source.is_file():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, draft / name)
    shutil.rmtree(target, ignore_errors=True)
    draft.replace(target)


def forget_everywhere(results: Path, farmer_id: str) -> None:
    """Drop what an applicant left in any county and season."""
    for own in (results / _FOLDER).glob(f"*/*/{farmer_id}"):
        shutil.rmtree(own, ignore_errors=True)


def forget_applicant(results: Path, county: str, season: str, farmer_id: str) -> None:
    """Drop what an applicant left: later runs know nothing of it."""
    shutil.rmtree(applicants_folder(results, county, season) / farmer_id, ignore_errors=True)
