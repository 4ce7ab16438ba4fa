"""An attribute gets a new name. Its column keeps the old one, so the database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_plain_texts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="listedmodel",
            name="lifecycle",
            field=models.CharField(blank=True, db_column="lifecycle", max_length=30),
        ),
        migrations.RenameField(
            model_name="listedmodel",
            old_name="lifecycle",
            new_name="availability",
        ),
    ]
