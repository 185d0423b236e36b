"""Whether the files that a table of scenes names still lie where it says.

Owns one question that a stage asks before it reads scenes again for parcels that were observed on
them. A file that cannot be read is the reader's affair, and costs its date alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from fieldline.pipeline.imagery.addresses import is_remote
from fieldline.pipeline.imagery.scene_days import SceneDay
from fieldline.pipeline.records.errors import UserError


def need_some_file(days: Iterable[SceneDay], scenes: Path) -> None:
    """Refuse a table of scenes of which no file is there any more.

    Its paths are relative to the results, so this is what moved results look like: without the
    question every date would count as lost, and what the images said before would be forgotten.

    Args:
        days: Scenes, as `read_scene_days` returns them.
        scenes: The table that names them, for the sentence.

    Raises:
        UserError: All of its files are local and none exists.
    """
    first, count = "", 0
    for address in _addresses(days):
        if is_remote(address) or Path(address).exists():
            return
        first, count = first or address, count + 1
    if count:
        raise UserError(
            f"none of the {count} files that {scenes} names is there, such as {first}",
            "bring results and scenes back to where they lay, or choose the scenes again: "
            "fieldline run --from scenes",
        )


def _addresses(days: Iterable[SceneDay]) -> Iterator[str]:
    return (asset.href for day in days for item in day.items for asset in item.assets.values())
