"""What `fieldline desk` does: opens the desk on a results folder.

Owns finding the folder, the offer store and the counties' names in the configuration; the desk
itself is `fieldline.desk.app`, imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.config.load import load_config
from fieldline.workflows.stages import STAGES


def open_desk(config_files: Sequence[Path], results: Path | None, port: int) -> None:
    """Serve the desk until it is stopped.

    Args:
        config_files: Configuration of the run.
        results: Folder of results; that of the configuration where None.
        port: Port on loopback; 0 for any.

    Raises:
        UserError: The extra `desk` is not installed, the folder is not there, or the port is taken.
    """
    try:
        from fieldline.desk.app.desk import Desk
        from fieldline.desk.app.places import Shelf, StageName
        from fieldline.desk.app.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("fieldline"):
            raise
        raise UserError(
            f"the desk needs {error.name}, which is not installed",
            "pip install 'fieldline[desk]'",
        ) from error
    overrides = {} if results is None else {"results": str(results)}
    config = load_config(config_files, overrides)
    if not config.results.is_dir():
        raise UserError(
            f"there is no results folder {config.results}",
            "name one (--results), or start a run first (`fieldline demo`)",
        )
    shelf = Shelf(
        config.results.resolve(),
        tuple(StageName(stage.name, stage.title) for stage in STAGES),
        {name: county.title for name, county in config.county.items()},
    )
    desk = Desk(shelf, config.database_url(), config.audit.key_file, config.suppress_below)
    serve(desk, port)
