"""A table for tool calls and their outputs."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def delete_with_message(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A process of the version before deletes messages and knows no such table. Only PostgreSQL has
    such processes beside it."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "ALTER TABLE chat_toolpart ADD CONSTRAINT tool_part_of_message"
            " FOREIGN KEY (message_id) REFERENCES chat_message (id) ON DELETE CASCADE"
        )


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0021_durable_streams"),
    ]

    operations = [
        migrations.CreateModel(
            name="ToolPart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("call", "Call"), ("output", "Output")], max_length=6
                    ),
                ),
                ("call_id", models.CharField(db_index=True, max_length=200)),
                ("name", models.CharField(blank=True, max_length=128)),
                (
                    "text",
                    models.TextField(blank=True, help_text="The arguments in JSON, or the output."),
                ),
                (
                    "state",
                    models.TextField(
                        blank=True, help_text="What the provider wants back with the call."
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tool_parts",
                        to="chat.message",
                    ),
                ),
            ],
        ),
        migrations.RunPython(delete_with_message, migrations.RunPython.noop),
    ]
