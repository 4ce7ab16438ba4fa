"""Names of models may have 300 characters."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_rename_lifecycle"),
    ]

    operations = [
        migrations.AlterField(
            model_name="listedmodel",
            name="model_id",
            field=models.CharField(max_length=300),
        ),
    ]
