"""Settings of letters: who writes, and where a farmer can ask back."""

from __future__ import annotations

from pathlib import Path

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Section

_SIMULATED = {
    "lender": "Simulated Rural Bank",
    "lender_chinese": "模拟农村银行",
    "phone": "000 0000",
}


class LetterSettings(Section):
    """Letters to farmers."""

    lender: str = ""
    """Name of the lender; a must in a real county."""
    lender_chinese: str = ""
    """Its name in Chinese letters, where it is another one."""
    phone: str = ""
    """Telephone where a person answers questions and complaints; a must in a real county."""
    office: str = ""
    """Address of the office, where farmers may come."""
    office_chinese: str = ""
    """Its address in Chinese letters, where it is written otherwise."""
    font: Path | None = None
    """TrueType font (.ttf, .ttc) that PDF letters carry within them; it must hold every character
    of the farmers' names. Empty: Chinese is left to the reader's own Song font, as on any computer
    set up for Chinese."""

    def stated(self, *, simulated: bool) -> LetterSettings:
        """Return the settings with which a county's letters are written.

        Raises:
            UserError: A real county's letters would not say who writes and where to ask.
        """
        if simulated and not self.lender and not self.phone:
            return self.model_copy(update=_SIMULATED)
        for name in ("lender", "phone"):
            if not getattr(self, name).strip():
                raise UserError(
                    f"letters.{name} is not set, so a farmer would not know whom to ask",
                    "set letters.lender and letters.phone in the configuration",
                )
        return self

    def lender_in(self, language: str) -> str:
        """Return the lender's name in a language."""
        return self.lender_chinese or self.lender if language == "zh" else self.lender

    def office_in(self, language: str) -> str:
        """Return the address in a language; empty where none is known."""
        return self.office_chinese or self.office if language == "zh" else self.office
