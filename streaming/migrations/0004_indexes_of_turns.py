"""Two indexes over the table of streams. On PostgreSQL they are built beside running replies: a plain
CREATE INDEX would hold up every append for as long as it takes, which may be longer than a lease."""

from typing import Any

from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class AddIndexBesideWriters(AddIndexConcurrently):
    """Concurrently on PostgreSQL, and as always elsewhere."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        # An interrupted attempt leaves an index that nothing uses.
        name = schema_editor.quote_name(self.index.name)
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.AddIndex.database_forwards(
                self, app_label, schema_editor, from_state, to_state
            )

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.AddIndex.database_backwards(
                self, app_label, schema_editor, from_state, to_state
            )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("streaming", "0003_fair_turns"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexBesideWriters(
            model_name="stream",
            index=models.Index(
                condition=models.Q(("ended_at", None)),
                fields=["state", "owner", "id"],
                name="stream_turns",
            ),
        ),
        AddIndexBesideWriters(
            model_name="stream",
            index=models.Index(fields=["owner", "created_at"], name="stream_recent"),
        ),
    ]
