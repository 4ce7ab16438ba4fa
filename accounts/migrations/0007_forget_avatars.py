"""Users have no avatar any more: nothing showed it. The column stays, with a default.

During a deploy, processes of the version before still read and write the column, and those of this
version add users without naming it. A later version may drop it, in SQL and only if it exists: on
SQLite, any later change of this table leaves the column out.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_rename_attributes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="avatar",
            field=models.URLField(blank=True, db_default=""),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="user", name="avatar")],
        ),
    ]
