"""Keys appear in no repr, and are removed from any text."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.providers.redaction import MAX_DETAIL_CHARS, Secret, make_redactor

KEY = "sk-proj-AbCdEfGhIjKlMnOp"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Wrong key {KEY}.", "Wrong key [key]."),
        (f"{KEY}{KEY}", "[key]"),
        ("It starts with sk-proj-AbCd", "It starts with [key]"),
        ("It ends with GhIjKlMnOp!", "It ends with [key]!"),
        ("Somebody's: sk-othersecret1234", "Somebody's: [key]"),
        ("Authorization: Bearer abc.def", "Authorization: [key]"),
        ("Nothing to hide", "Nothing to hide"),
        ("", ""),
    ],
)
def test_keys_are_redacted_from_text(text: str, expected: str) -> None:
    assert make_redactor(Secret(KEY))(text) == expected


@pytest.mark.parametrize(
    "written",
    ["sk%2Fab%2Bcd%2F%2Fef", "sk%2fab%2bcd%2f%2fef", r"sk\/ab+cd\/\/ef", "sk/ab+cd//ef"],
)
def test_a_key_is_redacted_in_every_encoding(written: str) -> None:
    assert make_redactor(Secret("sk/ab+cd//ef"))(f"Wrong key {written}.") == "Wrong key [key]."


@pytest.mark.parametrize("before", ["", "u", "me:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.b16encode])
def test_a_key_is_redacted_in_base64_and_hex(encode: Callable[[bytes], bytes], before: str) -> None:
    written = encode(f"{before}{KEY}>>?".encode()).decode()
    pieces = {written[at : at + 10] for at in range(len(written) - 9)}
    for text in (written, written.lower() if encode is base64.b16encode else written):
        shown = make_redactor(Secret(KEY))(f"Wrong credentials {text}.")
        assert not any(piece in shown for piece in pieces), shown


@given(st.text("abcdef0123", min_size=8, max_size=40), st.text("abcdef0123"), st.text("abcdef0123"))
def test_no_long_piece_of_a_key_survives(key: str, before: str, after: str) -> None:
    scrubbed = make_redactor(Secret(key))(f"{before}{key}{after}")
    assert not any(key[at : at + 8] in scrubbed for at in range(len(key) - 7))


def test_very_short_placeholder_keys_do_not_break_the_redaction() -> None:
    assert make_redactor(Secret("none"))("none of it") == "[key] of it"
    assert make_redactor(Secret("x"))("x of it") == "x of it"


def test_a_long_detail_is_truncated() -> None:
    assert len(make_redactor(Secret(KEY))("word " * 1000)) == MAX_DETAIL_CHARS


def test_a_redactor_does_not_show_its_key() -> None:
    assert KEY not in repr(make_redactor(Secret(KEY)))


def test_a_secret_is_shown_only_by_reveal() -> None:
    secret = Secret(KEY)
    assert secret.reveal() == KEY
    assert KEY not in f"{secret} {secret!r} {[secret]}"
    with pytest.raises(TypeError):
        vars(secret)
    assert (bool(secret), bool(Secret("")), repr(Secret(""))) == (True, False, "Secret()")
