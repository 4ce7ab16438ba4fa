import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0018_client_threads"),
        ("streaming", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="GatewayConversation",
            fields=[
                (
                    "conversation",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="gateway_conversation",
                        serialize=False,
                        to="chat.conversation",
                    ),
                ),
                ("metadata", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="GatewayResponse",
            fields=[
                (
                    "stream",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="streaming.stream",
                    ),
                ),
                (
                    "parameters",
                    models.JSONField(
                        default=dict,
                        help_text="Those of the request that are no settings of the reply.",
                    ),
                ),
                (
                    "input_count",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Messages before the answer that the request has added.",
                    ),
                ),
                (
                    "developer_text",
                    models.TextField(
                        blank=True,
                        default="",
                        help_text="Messages of the developer up to this reply, which the next one inherits.",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                models.F("user"),
                models.OrderBy(models.F("updated_at"), descending=True),
                condition=models.Q(("door", "")),
                name="conversation_listed",
            ),
        ),
        migrations.AddField(
            model_name="gatewayconversation",
            name="user",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="gatewayresponse",
            name="answer",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="chat.message",
            ),
        ),
        migrations.AddField(
            model_name="gatewayresponse",
            name="conversation",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="gateway_responses",
                to="chat.conversation",
            ),
        ),
        migrations.AddField(
            model_name="gatewayresponse",
            name="user",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
