"""Attributes get new names. Their columns keep the old ones, so the database does not change."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0005_rendered_text"),
    ]

    operations = [
        migrations.AlterField(
            model_name="conversation",
            name="leaf",
            field=models.ForeignKey(
                blank=True,
                db_column="leaf_id",
                help_text="The message at the end of the branch that is shown.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="chat.message",
            ),
        ),
        migrations.RenameField(
            model_name="conversation",
            old_name="leaf",
            new_name="current_leaf",
        ),
        migrations.AlterField(
            model_name="conversation",
            name="read",
            field=models.BooleanField(db_column="read", default=True),
        ),
        migrations.RenameField(
            model_name="conversation",
            old_name="read",
            new_name="is_read",
        ),
        migrations.AlterField(
            model_name="conversation",
            name="named",
            field=models.BooleanField(
                db_column="named", default=False, help_text="A person has given the title."
            ),
        ),
        migrations.RenameField(
            model_name="conversation",
            old_name="named",
            new_name="title_is_custom",
        ),
        migrations.AlterField(
            model_name="message",
            name="thought",
            field=models.PositiveIntegerField(
                blank=True,
                db_column="thought",
                help_text="Milliseconds that its reasoning took.",
                null=True,
            ),
        ),
        migrations.RenameField(
            model_name="message",
            old_name="thought",
            new_name="reasoning_ms",
        ),
    ]
