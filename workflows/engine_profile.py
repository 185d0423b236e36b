"""Where the engine runs its jobs: this machine's cores, or what a Snakemake profile names.

Owns the profiles that Fieldline brings and what a person is told of one that cannot be used; what a
profile says is Snakemake's and the site's business.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import yaml

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.config.load import variables_of
from fieldline.workflows.config.model import Config

_FOLDER = Path(__file__).with_name("profiles")
_FILE = "config.yaml"
KUBERNETES = "kubernetes"
"""The executor whose jobs have nothing of the environment of whoever starts the run."""
_OURS = "FIELDLINE_"
_OF_SERVERS = ("FIELDLINE_OIDC_", "FIELDLINE_FINERACT_")
"""Variables that the desk and the handover read and no job does."""
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
    _check_executor(executor_of(folder))
    return folder.absolute()


def executor_of(folder: Path) -> str:
    """Return the executor that a profile names, `local` where it names none.

    Raises:
        UserError: The profile cannot be read.
    """
    file = folder / _FILE
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = str(error).splitlines()[0]
        raise UserError(f"the profile {file} cannot be read ({problem})", "mend it") from error
    return str(said.get("executor", "local")) if isinstance(said, dict) else "local"


def handed_over(config: Config, files: Sequence[Path], environment: Mapping[str, str]) -> list[str]:
    """Return the variables of an environment that jobs need, where they have none of it otherwise.

    Args:
        config: The run.
        files: Its configuration files.
        environment: Of whoever starts it.
    """
    keys = (config.privacy.key_env, config.privacy.vault_key_env)
    wanted = variables_of(files).union(keys)
    return sorted(
        name
        for name in environment
        if name in wanted or (name.startswith(_OURS) and not name.startswith(_OF_SERVERS))
    )


def share_volume() -> None:
    """Have Snakemake's executor of Kubernetes take results to lie on a volume that all pods mount.

    By itself it copies every input into a job's pod and every output back, packs up the rules and
    has each pod install a storage plugin from an index, which an intranet has not. Tables name
    scenes by where they lie, so copies of tables alone would not do either.
    """
    from snakemake_executor_plugin_kubernetes import common_settings

    # In place: the engine holds these very settings since it was imported.
    common_settings.implies_no_shared_fs = False
    common_settings.job_deploy_sources = False
    common_settings.auto_deploy_default_storage_provider = False


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
