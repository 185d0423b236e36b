"""One stage of a finished run again, on other files, in this process and another folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fieldline.workflows.config.load import load_config
from fieldline.workflows.job import arguments
from fieldline.workflows.plan import Plan
from fieldline.workflows.stage import Source
from fieldline.workflows.stages import stage
from tests.workflows.conftest import ChainRun


class SingleStage:
    """Runs stages of a finished chain with some of its files replaced.

    Args:
        run: The finished chain.
        out: Where artifacts go; those of stages that ran here before are read from here.
        replaced: Other files by the name of the input.
    """

    def __init__(self, run: ChainRun, out: Path, replaced: Mapping[str, Path]) -> None:
        self._plan = Plan(load_config([run.config]))
        self._out = out
        self._replaced = dict(replaced)
        self._wildcards = SimpleNamespace(county="SIM001", season="2024")

    def __call__(self, name: str) -> Path:
        """Run a stage; return the file of its outcomes."""
        row = stage(name)
        inputs = {
            key: self._replaced_input(row.reads.get(key), self._asked(value))
            for key, value in self._plan.reads(row).items()
        }
        outputs = {key: str(self._here(path)) for key, path in self._plan.makes(row).items()}
        for path in outputs.values():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        settings = {key: self._asked(value) for key, value in self._plan.settings(row).items()}
        settings |= {"threads": 1, "database": f"sqlite:///{self._out / 'store.sqlite'}"}
        if "vault" in settings:
            settings["vault"] = str(self._out / "vault.sqlite")
        function, given = arguments(row.run, inputs, outputs, settings)
        function(**given)
        return Path(outputs["outcomes"])

    def _asked(self, value: Any) -> Any:
        return value(self._wildcards) if callable(value) else value

    def _replaced_input(self, read: object, value: Any) -> Any:
        if isinstance(read, Source) and not read.earlier and read.name in self._replaced:
            return str(self._replaced[read.name])
        return [self._found(v) for v in value] if isinstance(value, list) else self._found(value)

    def _here(self, path: str) -> Path:
        return self._out / path.format(**vars(self._wildcards))

    def _found(self, path: str) -> str:
        made = self._here(path)
        return str(
            made if made.exists() else self._plan.results / path.format(**vars(self._wildcards))
        )
