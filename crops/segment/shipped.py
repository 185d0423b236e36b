"""The network that ships with Fieldline, and the approved one that a configuration names.

Owns where the folder lies. It learnt from simulated counties alone, by the command in its card.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from fieldline.crops.networks.folder import StoredNetwork, approved, read_network
from fieldline.crops.segment.pairs import KIND


def shipped_network() -> StoredNetwork:
    """Return the network that ships.

    Raises:
        UserError: torch is not installed, or the installation is damaged.
    """
    return read_network(shipped_folder(), KIND)


def shipped_folder() -> Path:
    """Return where the network that ships lies."""
    with as_file(files("fieldline") / "data" / "field_network") as folder:
        return Path(folder)


def approved_network(folder: Path) -> StoredNetwork:
    """Return the approved network of a folder.

    Args:
        folder: `crops.segment.model`.

    Raises:
        UserError: torch is not installed, the folder is damaged or not approved.
    """
    gate = f"run `fieldline fields gate {folder}`, or name another in crops.segment.model"
    return approved(folder, KIND, gate)
