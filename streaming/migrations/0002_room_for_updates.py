"""Room in the pages of streams. Every commit moves `next_index` in the rows of all streams that
had something to say; where the new version does not fit beside the old one, all indexes have to
learn where it went, which at a thousand streams costs three times as much."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def leave_room(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE streaming_stream SET (fillfactor = 50)")


def fill(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE streaming_stream RESET (fillfactor)")


class Migration(migrations.Migration):
    dependencies = [("streaming", "0001_initial")]
    operations = [migrations.RunPython(leave_room, fill)]
