"""An e-mail address identifies a user in any case."""

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import IntegrityError

from accounts.models import User


def test_an_address_is_kept_in_lower_case(db: None) -> None:
    assert User.objects.create_user(" Ann@Example.ORG ").email == "ann@example.org"


def test_signing_in_takes_the_address_in_any_case(owner: User, password: str) -> None:
    assert authenticate(None, username="Owner@Holdfast.TEST", password=password) == owner


def test_two_addresses_that_differ_in_case_are_one_account(owner: User) -> None:
    with pytest.raises(IntegrityError):
        User.objects.create_user("OWNER@holdfast.test")


def test_the_database_itself_refuses_an_address_in_upper_case(owner: User) -> None:
    with pytest.raises(IntegrityError):
        User.objects.filter(pk=owner.pk).update(email="OWNER@holdfast.test")


def test_a_user_without_an_address_is_refused(db: None) -> None:
    with pytest.raises(ValueError, match="e-mail"):
        User.objects.create_user("")


def test_the_command_line_makes_an_administrator(db: None) -> None:
    call_command("createsuperuser", email="Root@Holdfast.test", interactive=False, verbosity=0)
    assert User.objects.get(email="root@holdfast.test").is_superuser


def test_a_person_without_a_name_is_called_by_the_address(owner: User) -> None:
    assert owner.get_short_name() == "Olive Owner"
    assert User(email="ann@example.org").get_short_name() == "ann"
