"""The count of existing rows, and of rows of an older process, stays empty. Workers fill it in small
batches, because counting all messages at once may take minutes."""

from django.db import migrations, models

HELP_TEXT = "Characters of its messages. Empty until a worker has counted them."


class Migration(migrations.Migration):
    dependencies = [("chat", "0011_administration")]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="stored_chars",
            field=models.PositiveBigIntegerField(null=True, editable=False, help_text=HELP_TEXT),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="stored_chars",
            field=models.PositiveBigIntegerField(
                default=0, null=True, editable=False, help_text=HELP_TEXT
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                fields=["id"],
                name="conversation_uncounted",
                condition=models.Q(("stored_chars__isnull", True)),
            ),
        ),
    ]
