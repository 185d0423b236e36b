"""Which counties the engine is given at once, and the command by which it is.

Owns the size of a batch and every word of the engine's command line; what comes of it is
`workflows.runner`'s.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from fieldline.workflows.config.load import COPIES
from fieldline.workflows.config.model import Config
from fieldline.workflows.config.narrow import Narrow
from fieldline.workflows.engine_profile import KUBERNETES, executor_of, handed_over
from fieldline.workflows.plan import FILES

SNAKEFILE = Path(__file__).with_name("Snakefile")
_AT_ONCE = 100


def batches(
    config_files: Sequence[Path], config: Config, counties: Sequence[str]
) -> Iterator[tuple[Sequence[Path], Sequence[str]]]:
    """Yield the counties that the engine plans together, with the files that their jobs read.

    It holds a graph of every job, 0.1 s and 0.8 MB a county, before the first one starts. Counties
    share nothing but the store, so the later ones may be planned when the earlier ones are done.
    """
    many = len(config.county) > _AT_ONCE
    narrow = Narrow(config_files, config.results / COPIES) if many else None
    for start in range(0, len(counties), _AT_ONCE):
        part = counties[start : start + _AT_ONCE]
        yield config_files if narrow is None else narrow.files(part), part


def command_of(
    config_files: Sequence[Path],
    config: Config,
    *,
    start: str | None,
    cores: int,
    profile: Path | None = None,
    counties: Sequence[str] = (),
    more: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """Return the command that has the engine work on counties of a run.

    Args:
        config_files: YAML files that its jobs read.
        config: The run.
        start: Stage to redo with everything after it, `None` for what changed.
        cores: Processor cores.
        profile: Folder of a Snakemake profile, instead of `cores`.
        counties: Those of one batch; all of the run where empty.
        more: Variables of the environment that the engine is started with besides.
    """
    command = [sys.executable, "-m", "fieldline.workflows.engine", "--snakefile", str(SNAKEFILE)]
    command += ["--cores", str(cores)] if profile is None else ["--profile", str(profile)]
    if profile is not None and executor_of(profile) == KUBERNETES:
        names = handed_over(config, config_files, {**os.environ, **more})
        command += ["--envvars", *names] if names else []
    command += ["--nolock", "--rerun-incomplete", "--keep-going"]
    results = json.dumps(str(config.results), ensure_ascii=False)
    files = json.dumps([str(file.absolute()) for file in config_files], ensure_ascii=False)
    chosen = counties or config.counties
    # A batch knows its own counties alone, and refuses a season that none of them has.
    own = {season for name in chosen for season in config.county[name].seasons}
    seasons = ",".join(season for season in config.seasons if season in own)
    command += ["--config", f"counties={','.join(chosen)}"]
    command += [f"seasons={seasons}", f"results={results}", f"{FILES}={files}"]
    if start is not None:
        command += ["--forcerun", start]
    return command
