"""Narrow: a province's configuration files as the jobs of some of its counties read them.

Every job reads the configuration, and 3,000 counties take it two seconds: as long as many a stage.
Owns copies that hold the counties of one batch alone, in a folder of each batch's own, since jobs
of a cluster may outlive the run that began them. They stay as the lender wrote them, variables of
the environment unfilled, and say in which folder their relative paths begin.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import yaml

from fieldline.pipeline.records.canonical import content_hash
from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.config.load import RELATIVE_TO, read_yaml

_Dumper: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Narrow:
    """Configuration files, read once.

    Args:
        files: YAML files, each laid over those before it.
        folder: Folder of the copies.

    Raises:
        UserError: One of them cannot be read.
    """

    def __init__(self, files: Sequence[Path], folder: Path) -> None:
        self._documents = [
            {RELATIVE_TO: str(file.absolute().parent)} | read_yaml(file) for file in files
        ]
        self._folder = folder

    def files(self, counties: Collection[str]) -> list[Path]:
        """Write and return the copies that hold these counties alone."""
        folder = self._folder / content_hash(sorted(counties), 12)
        folder.mkdir(parents=True, exist_ok=True)
        found = []
        for number, document in enumerate(self._documents, start=1):
            path = folder / f"{number}.yaml"
            text = yaml.dump(_only(document, set(counties)), Dumper=_Dumper, allow_unicode=True)
            write_text(path, text)
            found.append(path)
        return found


def _only(document: dict[str, Any], counties: Collection[str]) -> dict[str, Any]:
    """Return a document without the other counties and without the list of those to run, which
    the command line of a batch gives."""
    kept = {name: value for name, value in document.items() if name != "counties"}
    known = kept.get("county")
    if isinstance(known, dict):
        kept["county"] = {name: known[name] for name in known if str(name) in counties}
    return kept
