"""Which passwords a person may choose: long ones of any characters, and none that is easily
guessed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from pytest_django import Settings

from accounts.models import User

HOSTS = ["kelpforest.example.org", ".tides.example.org", "10.0.0.7", "[::1]"]


@pytest.fixture(autouse=True)
def hosts(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = HOSTS


def is_accepted(password: str) -> bool:
    person = User(email="ann.barnacle@example.net", name="Ann Barnacle")
    try:
        password_validation.validate_password(password, person)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "password",
    ["holdfast", "Holdfast2026!", "2holdfast7", "HOLDFASTholdfast", "kelpforest1", "tides.example"],
)
def test_the_name_of_the_site_is_no_password(password: str) -> None:
    assert not is_accepted(password)


@pytest.mark.parametrize("password", ["holdfast of a giant kelp", "kelpforest-and-frond"])
def test_a_longer_password_may_contain_the_name(password: str) -> None:
    assert is_accepted(password)


@pytest.mark.parametrize("digits", ["20260301", "19840704", "01234567890"])
def test_few_digits_are_no_password(digits: str) -> None:
    assert not is_accepted(digits)


@pytest.mark.parametrize(
    "password",
    [
        "830175926401",
        "qmzvtrkw",
        "QMZVTRKW",
        "—…€漢字かなカ",
        "  three   blanks  ",
        "🐚🦀🐙🦑🐡🐠🐟🐬",
        "a long sentence of small letters " * 4,
        "z" * 63 + "y",
    ],
)
def test_a_password_may_consist_of_any_characters(password: str) -> None:
    assert is_accepted(password)


@pytest.mark.parametrize("password", ["annbarnacle", "ann.barnacle", "Barnacle1"])
def test_the_name_of_the_person_is_no_password(password: str) -> None:
    assert not is_accepted(password)


def test_thousands_of_breached_passwords_of_eight_characters_are_refused() -> None:
    """Django's list was made from those of breaches; a third of them would be long enough."""
    file = Path(password_validation.__file__).parent / "common-passwords.txt.gz"
    words = gzip.decompress(file.read_bytes()).decode().split()
    long_enough = [word for word in words if len(word) >= 8]
    assert len(long_enough) > 8_000
    assert not any(map(is_accepted, long_enough[::100]))
