"""Plain `migrate` makes all there is to make."""

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import DatabaseError, connection


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
