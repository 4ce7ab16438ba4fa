"""A sealed key can be opened for its user and provider only, and only unchanged."""

import base64
import os
from dataclasses import replace

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from accounts.sealing import (
    MasterKeyError,
    SealBroken,
    open_sealed,
    parse_master_keys,
    seal_secret,
)

SECRET = "sk-sealed-0123456789"
OLD, NEW = os.urandom(32), os.urandom(32)


def format_master_key(id: str, key: bytes) -> str:
    return f"{id}:{base64.b64encode(key).decode()}"


@given(st.text(st.characters(codec="utf-8")))
def test_a_sealed_value_can_be_opened(secret: str) -> None:
    sealed = seal_secret(secret, 1, "openai")
    assert open_sealed(sealed, 1, "openai") == secret


@pytest.mark.parametrize(("user_id", "provider"), [(2, "openai"), (1, "google"), (11, "penai")])
def test_a_row_moved_to_another_user_or_provider_does_not_open(user_id: int, provider: str) -> None:
    sealed = seal_secret(SECRET, 1, "openai")
    with pytest.raises(SealBroken):
        open_sealed(sealed, user_id, provider)


def test_a_sealed_value_with_any_byte_altered_does_not_open() -> None:
    sealed = seal_secret(SECRET, 1, "openai")
    for at in range(len(sealed.ciphertext)):
        blob = bytearray(sealed.ciphertext)
        blob[at] ^= 1
        with pytest.raises(SealBroken):
            open_sealed(replace(sealed, ciphertext=bytes(blob)), 1, "openai")


def test_a_sealed_value_cut_anywhere_does_not_open() -> None:
    sealed = seal_secret(SECRET, 1, "openai")
    for length in range(len(sealed.ciphertext)):
        with pytest.raises(SealBroken):
            open_sealed(replace(sealed, ciphertext=sealed.ciphertext[:length]), 1, "openai")


def test_sealing_the_same_key_twice_gives_different_values() -> None:
    assert seal_secret(SECRET, 1, "a").ciphertext != seal_secret(SECRET, 1, "a").ciphertext


def test_the_newest_master_key_seals_and_an_older_one_still_opens() -> None:
    with override_settings(MASTER_KEYS={"old": OLD}):
        before = seal_secret(SECRET, 1, "openai")
    with override_settings(MASTER_KEYS={"new": NEW, "old": OLD}):
        after = seal_secret(SECRET, 1, "openai")
        assert open_sealed(before, 1, "openai") == SECRET
    assert (before.master_key_id, after.master_key_id) == ("old", "new")


def test_without_its_master_key_a_value_asks_for_the_key_again() -> None:
    with override_settings(MASTER_KEYS={"old": OLD}):
        sealed = seal_secret(SECRET, 1, "openai")
    with (
        override_settings(MASTER_KEYS={"new": NEW}),
        pytest.raises(SealBroken, match="Please enter it again"),
    ):
        open_sealed(sealed, 1, "openai")


def test_the_repr_of_a_sealed_value_hides_it() -> None:
    sealed = seal_secret(SECRET, 1, "openai")
    assert "blob" not in repr(sealed)


def test_master_keys_are_read_newest_first_in_either_alphabet() -> None:
    url_safe = f"2:{base64.urlsafe_b64encode(NEW).decode()}"
    keys = parse_master_keys([url_safe, f" {format_master_key('1', OLD)} ", ""])
    assert list(keys.items()) == [("2", NEW), ("1", OLD)]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [""],
        ["no-colon"],
        [f"a b:{base64.b64encode(NEW).decode()}"],
        ["1:not base64!"],
        [format_master_key("1", NEW[:31])],
        [format_master_key("1", NEW), format_master_key("1", OLD)],
        [format_master_key("1", bytes(32))],
        [format_master_key("1", b"change-me-change-me-change-me-ch")],
    ],
)
def test_master_keys_that_cannot_be_used_are_refused(entries: list[str]) -> None:
    with pytest.raises(MasterKeyError):
        parse_master_keys(entries)


def test_an_error_contains_nothing_of_the_master_key() -> None:
    text = base64.b64encode(NEW[:31]).decode()
    with pytest.raises(MasterKeyError) as error_info:
        parse_master_keys([f"1:{text}"])
    assert text[:8] not in str(error_info.value)
