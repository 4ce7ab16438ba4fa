"""Attributes get new names. Their columns keep the old ones, so the database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_cache_of_json"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="listedmodel",
            options={"ordering": ["key", "position"]},
        ),
        migrations.AlterField(
            model_name="listedmodel",
            name="place",
            field=models.PositiveIntegerField(db_column="place"),
        ),
        migrations.RenameField(
            model_name="listedmodel",
            old_name="place",
            new_name="position",
        ),
    ]
