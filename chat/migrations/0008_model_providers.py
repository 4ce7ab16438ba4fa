"""A model is its provider and its name, and names are longer."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0007_plain_help_texts"),
    ]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="provider",
            field=models.CharField(blank=True, db_default="", max_length=50),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="model",
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AlterField(
            model_name="message",
            name="model",
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AlterField(
            model_name="modeloverride",
            name="model_id",
            field=models.CharField(max_length=300, verbose_name="model"),
        ),
        migrations.AlterField(
            model_name="modeloverride",
            name="provider",
            field=models.CharField(
                blank=True,
                help_text="Its id. Empty for the first provider that has a model of this name.",
                max_length=50,
            ),
        ),
        migrations.AlterField(
            model_name="refusedparameter",
            name="model_id",
            field=models.CharField(max_length=300, verbose_name="model"),
        ),
        migrations.AddConstraint(
            model_name="modeloverride",
            constraint=models.UniqueConstraint(
                fields=("provider", "model_id"),
                name="model_override_once",
                violation_error_message="There is already an entry for this model.",
            ),
        ),
    ]
