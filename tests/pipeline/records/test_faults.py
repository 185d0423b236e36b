"""What is raised of a connection that was cut is the operator's business, not a defect."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import sqlalchemy as sa

from fieldline.pipeline.records.faults import DatabaseError, told

SERVER = "postgresql+pg8000://fieldline:secret@127.0.0.1:1/offers"


class DriverError(Exception):
    """An error of a driver, with the fields of a server's answer."""


def of_driver(code: str | None, *, cut: bool = False) -> sa.exc.DBAPIError:
    orig = DriverError({"C": code, "M": "as the server says"} if code else "half an answer")
    return sa.exc.DBAPIError("SELECT 1", {}, orig, connection_invalidated=cut)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionResetError(104, "reset"), "lost the connection"),
        (BrokenPipeError(32, "broken"), "lost the connection"),
        (struct.error("unpack requires a buffer of 4 bytes"), "lost the connection"),
        (sa.exc.PendingRollbackError("invalid transaction"), "lost the connection"),
        (of_driver("08006"), "lost the connection"),
        (of_driver("40P01"), "was changed by another program at the same moment"),
        (of_driver("57P02"), "was stopped"),
        (of_driver(None, cut=True), "cannot be opened"),
    ],
)
def test_a_cut_connection_is_one_sentence_without_the_password(error: Exception, says: str) -> None:
    with pytest.raises(DatabaseError, match=says) as found, told(sa.create_engine(SERVER)):
        raise error
    assert "secret" not in str(found.value)


@pytest.mark.parametrize(
    "error", [of_driver("23505"), of_driver(None), OSError(28, "no room"), KeyError("farmer_id")]
)
def test_a_broken_rule_and_what_is_no_databases_business_keep_their_names(error: Exception) -> None:
    with pytest.raises(type(error)) as found, told(sa.create_engine(SERVER)):
        raise error
    assert found.value is error


def test_a_file_has_no_connection_to_lose(tmp_path: Path) -> None:
    with (
        pytest.raises(ConnectionResetError),
        told(sa.create_engine(f"sqlite:///{tmp_path / 's.sqlite'}")),
    ):
        raise ConnectionResetError(104, "reset")
