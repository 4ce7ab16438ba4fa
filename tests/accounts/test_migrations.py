"""Plain `migrate` creates every table."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.management import call_command
from django.db import DatabaseError, connection

from accounts.models import User


def list_tables() -> list[str]:
    with connection.cursor() as cursor:
        return connection.introspection.table_names(cursor)


def test_the_migration_creates_and_removes_the_cache_table(commit_for_real: None) -> None:
    try:
        call_command("migrate", "accounts", "0001", verbosity=0)
        assert "accounts_cacheentry" not in list_tables()
        with pytest.raises(DatabaseError):
            cache.set("tide", "high")
    finally:
        call_command("migrate", "accounts", verbosity=0)
    cache.set("tide", "low")
    assert cache.get("tide") == "low"


def test_every_change_of_a_model_has_a_migration(db: None) -> None:
    call_command("makemigrations", "accounts", check=True, dry_run=True, verbosity=0)


def test_users_are_added_by_processes_that_write_an_avatar_and_by_those_that_do_not(
    commit_for_real: None,
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


def test_the_log_of_the_admin_loses_the_words_of_rows(administrator: User) -> None:
    message = '[{"changed": {"name": "message", "object": "user: my secret", "fields": ["A"]}}]'
    entry = LogEntry.objects.create(
        user=administrator,
        content_type=ContentType.objects.get_for_model(User),
        object_id="7",
        object_repr="secret@holdfast.test",
        action_flag=CHANGE,
        change_message=message,
    )
    other = LogEntry.objects.create(user=administrator, object_id="8", action_flag=CHANGE)
    migration = import_module("accounts.migrations.0016_plain_admin_log")
    migration.remove_words(apps, None)
    entry.refresh_from_db()
    other.refresh_from_db()
    assert (entry.object_repr, other.object_repr) == ("user 7", "row 8")
    assert entry.change_message == '[{"changed": {"name": "message", "fields": ["A"]}}]'
    assert other.change_message == ""


OLDER_TABLES = {
    "account_emailaddress",
    "accounts_apikey",
    "accounts_user_groups",
    "accounts_user_user_permissions",
    "chat_conversation",
    "django_admin_log",
    "streaming_stream",
}
TABLES_OF_ALLAUTH = {
    "mfa_authenticator",
    "socialaccount_socialaccount",
    "usersessions_usersession",
}
"""docs/self-hosting.md says that older processes delete no account that has rows there."""


def test_no_new_table_stops_an_older_process_from_deleting_an_account() -> None:
    """An older process does not know the table, so a constraint would refuse the deletion."""
    tables = {
        field.model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_fields
        if field.related_model is User and getattr(field, "db_constraint", False)
    }
    assert tables == OLDER_TABLES | TABLES_OF_ALLAUTH
