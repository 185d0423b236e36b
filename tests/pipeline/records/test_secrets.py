"""Keys: from a variable or a file, refused where anybody could read or guess them."""

from __future__ import annotations

import secrets as random_keys
from pathlib import Path

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.secrets import KeySource, fingerprint, read_secret

KEY = "5d0c1e7f92ab4836d7e1f05b9c3a6284"
SOURCE = KeySource("the test key", "FIELDLINE_TEST_KEY")


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIELDLINE_TEST_KEY", raising=False)


def in_file(folder: Path, text: str, mode: int = 0o600) -> KeySource:
    path = folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return KeySource("the test key", "FIELDLINE_TEST_KEY", path)


def test_a_key_comes_from_the_variable_or_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_secret(in_file(tmp_path, KEY + "\n")) == KEY.encode()
    monkeypatch.setenv("FIELDLINE_TEST_KEY", KEY)
    assert read_secret(SOURCE) == KEY.encode()
    assert read_secret(in_file(tmp_path, KEY)) == KEY.encode()


def test_two_different_keys_are_refused_and_neither_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = KEY[::-1]
    monkeypatch.setenv("FIELDLINE_TEST_KEY", other)
    with pytest.raises(UserError, match="hold two different keys for the test key") as caught:
        read_secret(in_file(tmp_path, KEY))
    assert KEY not in str(caught.value)
    assert other not in str(caught.value)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o601])
def test_a_file_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UserError, match=rf"mode {mode:o}\): run `chmod 600"):
        read_secret(in_file(tmp_path, KEY, mode))


def test_a_file_of_the_owners_group_is_taken(tmp_path: Path) -> None:
    assert read_secret(in_file(tmp_path, KEY, 0o440)) == KEY.encode()


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    source = KeySource("the test key", "FIELDLINE_TEST_KEY", tmp_path / "absent")
    with pytest.raises(UserError, match=r"cannot be read .*umask 077; openssl rand -hex 32 > "):
        read_secret(source)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "is not set"),
        ("short", "holds 5 characters"),
        (KEY[:-1], "holds 31 characters"),
        (" " * 40, "is not set"),
        ("k" * 40, "a text that repeats itself"),
        ("real data test " * 3, "a text that repeats itself"),
        (KEY[:16] * 2, "a text that repeats itself"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh", "follow each other"),
        ("aabababbabaabbbabaabababbabbabaab", "too few different characters"),
    ],
)
def test_what_can_be_guessed_is_refused(
    monkeypatch: pytest.MonkeyPatch, key: str, said: str
) -> None:
    monkeypatch.setenv("FIELDLINE_TEST_KEY", key)
    with pytest.raises(UserError, match=said) as caught:
        read_secret(SOURCE)
    assert "openssl rand -hex 32" in str(caught.value)
    assert not key.strip() or key not in str(caught.value)


def test_no_random_key_is_called_weak(monkeypatch: pytest.MonkeyPatch) -> None:
    for make in (lambda: random_keys.token_hex(16), lambda: random_keys.token_urlsafe(24)):
        for _ in range(2000):
            monkeypatch.setenv("FIELDLINE_TEST_KEY", make())
            read_secret(SOURCE)


def test_fingerprints_tell_keys_apart_and_hold_no_part_of_them() -> None:
    one, other = fingerprint(KEY.encode()), fingerprint(KEY[::-1].encode())
    assert one != other
    assert len(one) == 12
    assert not any(KEY[i : i + 6] in one for i in range(len(KEY) - 5))
