"""The lists of models of servers without a key, and results of reading a list."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_longer_model_names"),
    ]

    operations = [
        migrations.CreateModel(
            name="ServerList",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=50, unique=True)),
                (
                    "endpoint",
                    models.CharField(
                        help_text="Hash of the address. The row of another address is void.",
                        max_length=64,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Its models are not listed yet."),
                            ("listed", "It lists no models."),
                            ("unreadable", "Its list of models could not be read."),
                            ("down", "It does not respond."),
                            ("refused", "It refuses to list its models."),
                        ],
                        max_length=20,
                    ),
                ),
                ("listed", models.JSONField(default=list, help_text="The fields of each model.")),
                ("left_out", models.PositiveIntegerField(db_default=0)),
                (
                    "next_check_at",
                    models.DateTimeField(
                        help_text="No worker requests the list again before this time."
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="apikey",
            name="left_out",
            field=models.PositiveIntegerField(
                db_default=0, help_text="Listed models beyond those that are offered."
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="check_result",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Not checked"),
                    ("good", "Verified"),
                    ("invalid", "Rejected"),
                    ("no_permission", "Accepted, but may not list models"),
                    ("no_credit", "Accepted, but out of credit"),
                    ("down", "Not checked: the provider did not respond"),
                    ("unreadable", "Not checked: the list of models could not be read"),
                ],
                max_length=200,
                verbose_name="check result",
            ),
        ),
    ]
