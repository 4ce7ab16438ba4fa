"""Plain `migrate` creates every table."""

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import DatabaseError, connection

from accounts.models import User


def tables() -> list[str]:
    with connection.cursor() as cursor:
        return connection.introspection.table_names(cursor)


def test_the_table_of_the_cache_comes_and_goes_with_its_migration(committed: None) -> None:
    try:
        call_command("migrate", "accounts", "0001", verbosity=0)
        assert "accounts_cacheentry" not in tables()
        with pytest.raises(DatabaseError):
            cache.set("tide", "high")
    finally:
        call_command("migrate", "accounts", verbosity=0)
    cache.set("tide", "low")
    assert cache.get("tide") == "low"


def test_the_models_have_no_change_without_a_migration(db: None) -> None:
    call_command("makemigrations", "accounts", check=True, dry_run=True, verbosity=0)


def test_users_are_added_by_processes_that_write_an_avatar_and_by_those_that_do_not(
    committed: None,
) -> None:
    """Both versions run side by side during a deploy."""
    new = User.objects.create_user("new@holdfast.test")
    with connection.cursor() as cursor:
        cursor.execute("SELECT avatar FROM accounts_user WHERE id = %s", [new.pk])
        assert cursor.fetchone() == ("",)
        cursor.execute(
            "INSERT INTO accounts_user (password, is_superuser, email, name, avatar, is_active,"
            " is_staff, date_joined, revision, background_replies)"
            " SELECT password, is_superuser, 'old@holdfast.test', name, 'https://a.test/b.png',"
            " is_active, is_staff, date_joined, revision, background_replies"
            " FROM accounts_user WHERE id = %s",
            [new.pk],
        )
    assert User.objects.filter(email="old@holdfast.test").exists()
