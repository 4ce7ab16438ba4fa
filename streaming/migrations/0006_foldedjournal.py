"""A table for the cuts of folded streams."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def delete_with_stream(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A process of the version before deletes streams and knows no such table. Only PostgreSQL has
    such processes beside it."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "ALTER TABLE streaming_foldedjournal ADD CONSTRAINT folded_journal_of_stream"
            " FOREIGN KEY (stream_id) REFERENCES streaming_stream (id) ON DELETE CASCADE"
        )


class Migration(migrations.Migration):
    dependencies = [("streaming", "0005_reword_help_texts")]

    operations = [
        migrations.CreateModel(
            name="FoldedJournal",
            fields=[
                (
                    "stream",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="folded_journal",
                        serialize=False,
                        to="streaming.stream",
                    ),
                ),
                (
                    "cuts",
                    models.BinaryField(help_text="As streaming/journal/cuts.py packs them."),
                ),
            ],
        ),
        migrations.RunPython(delete_with_stream, migrations.RunPython.noop),
    ]
