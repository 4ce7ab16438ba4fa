from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0021_access_tokens"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="shows_program_chats",
            field=models.BooleanField(
                blank=True,
                help_text="Whether the list shows the chats of programs that use the gateway.",
                null=True,
                verbose_name="show chats of programs",
            ),
        ),
    ]
