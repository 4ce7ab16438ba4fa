import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0017_deleted_sizes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ClientThread",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("door", models.CharField(max_length=20)),
                ("name", models.CharField(help_text="Any text.", max_length=200)),
            ],
        ),
        migrations.AddField(
            model_name="conversation",
            name="door",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The protocol of the programs that it belongs to; empty for a chat.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="conversation",
            name="expires_at",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="When workers delete it.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False)),
                fields=["expires_at"],
                name="conversation_expiring",
            ),
        ),
        migrations.AddField(
            model_name="clientthread",
            name="conversation",
            field=models.ForeignKey(
                db_constraint=False,
                help_text="Empty until its first message.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="client_threads",
                to="chat.conversation",
            ),
        ),
        migrations.AddField(
            model_name="clientthread",
            name="user",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="clientthread",
            constraint=models.UniqueConstraint(
                fields=("user", "door", "name"), name="client_thread_once"
            ),
        ),
    ]
