"""Names and help texts that can be translated, in plain English. The database does not change."""

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_forget_avatars"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="apikey",
            options={
                "ordering": ["user", "provider"],
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
            },
        ),
        migrations.AlterModelOptions(
            name="user",
            options={"verbose_name": "user", "verbose_name_plural": "users"},
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
                ],
                max_length=200,
                verbose_name="check result",
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="created_at",
            field=models.DateTimeField(
                help_text="When it was added or last replaced.", verbose_name="added"
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="last_checked_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="last checked"),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="last_used_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="last used"),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="master_key_id",
            field=models.CharField(
                help_text="The id of the master key that decrypts it.",
                max_length=32,
                verbose_name="master key",
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="provider",
            field=models.CharField(max_length=50, verbose_name="provider"),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="api_keys",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="background_replies",
            field=models.BooleanField(
                default=False,
                help_text="Whether OpenAI keeps a copy of each reply, from which it resumes after a crash. OpenAI then stores the conversation, and replies may take longer to begin.",
                verbose_name="resume from OpenAI after a crash",
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="date_joined",
            field=models.DateTimeField(
                default=django.utils.timezone.now, editable=False, verbose_name="date joined"
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="email",
            field=models.EmailField(
                error_messages={"unique": "There is already an account with this address."},
                max_length=254,
                unique=True,
                verbose_name="email address",
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="is_active",
            field=models.BooleanField(
                default=True,
                help_text="Whether this person may sign in. Use this instead of deleting them.",
                verbose_name="active",
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="is_staff",
            field=models.BooleanField(
                default=False,
                help_text="Whether this person may use the administration.",
                verbose_name="staff",
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="name",
            field=models.CharField(blank=True, max_length=150, verbose_name="name"),
        ),
        migrations.AlterField(
            model_name="user",
            name="revision",
            field=models.BigIntegerField(
                default=0,
                editable=False,
                help_text="Counts the changes of this person’s conversations, so that their open pages know whether they are up to date.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="user",
            name="user_email_in_lower_case",
            constraint=models.CheckConstraint(
                condition=models.Q(("email", django.db.models.functions.text.Lower("email"))),
                name="user_email_in_lower_case",
                violation_error_message="Write the email address in lower case.",
            ),
        ),
    ]
