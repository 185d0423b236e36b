"""The named errors of Fieldline.

Two families and no more: the user's mistake (one sentence with the remedy, exit code 2) and a
provider's bad moment (retried, then an outcome). Anything else is a defect and keeps its traceback.
"""

from __future__ import annotations

from typing import Any


class FieldlineError(Exception):
    """Root of every error that Fieldline raises on purpose."""


class UserError(FieldlineError):
    """Input, configuration or usage that only a person can put right.

    Args:
        problem: What is wrong, with the file, row and value.
        remedy: What to do about it, as one imperative clause.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem.rstrip(".")
        self.remedy = remedy.rstrip(".")
        end = "" if self.remedy.endswith("?") else "."
        super().__init__(f"{self.problem}: {self.remedy}{end}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel from another process as its sentence."""
        return UserError, (self.problem, self.remedy)

    @classmethod
    def sentence(cls, text: str) -> UserError:
        """Return the error that another process printed as one sentence."""
        problem, _, remedy = text.rpartition(": ")
        return cls(problem, remedy)


class InterruptedRunError(FieldlineError):
    """A person stopped the run (Ctrl-C); what is finished stays and the next run goes on."""


class StageError(FieldlineError):
    """A stage stopped at a defect of Fieldline or of the machine, not at the user's input."""


class ProviderError(FieldlineError):
    """A scene, weather or registry source that failed for now; a retry may succeed."""


class SchemaError(FieldlineError):
    """A table that breaks its declared schema; raised before anything is written."""
