"""Where the engine runs its jobs: this machine's cores, or what a Snakemake profile names.

Owns the profiles that Fieldline brings and what a person is told of one that cannot be used; what a
profile says is Snakemake's and the site's business.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import yaml

from fieldline.pipeline.records.errors import UserError

_FOLDER = Path(__file__).with_name("profiles")
_FILE = "config.yaml"
_SUBMITS = {"slurm": "sbatch"}
"""Command by which an executor hands jobs over, by executor."""


def profile_folder(asked: str) -> Path:
    """Return the folder of a profile, given by its path or by the name of one of Fieldline's own.

    Raises:
        UserError: There is none, it cannot be read, or what its executor needs is not here.
    """
    own = {folder.name: folder for folder in sorted(_FOLDER.iterdir()) if folder.is_dir()}
    folder = Path(asked) if (Path(asked) / _FILE).is_file() else own.get(asked)
    if folder is None:
        raise UserError(
            f"there is no profile {asked!r}",
            f"give a folder that holds a {_FILE}, or one of {', '.join(own)}",
        )
    _check_executor(_executor(folder / _FILE))
    return folder.absolute()


def _executor(file: Path) -> str:
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = str(error).splitlines()[0]
        raise UserError(f"the profile {file} cannot be read ({problem})", "mend it") from error
    return str(said.get("executor", "local")) if isinstance(said, dict) else "local"


def _check_executor(name: str) -> None:
    if name in ("local", "dryrun", "touch"):
        return
    if find_spec(f"snakemake_executor_plugin_{name.replace('-', '_')}") is None:
        raise UserError(
            f"the profile's executor {name} is not installed",
            "pip install 'fieldline[cluster]' has those of SLURM and Kubernetes",
        )
    program = _SUBMITS.get(name)
    if program is not None and shutil.which(program) is None:
        raise UserError(
            f"the profile hands jobs to {name}, but there is no {program} on this machine",
            "run it on the cluster's login node, or without --profile",
        )
