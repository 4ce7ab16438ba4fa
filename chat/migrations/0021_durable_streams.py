import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0020_webhooks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DurableSpace",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("stream_count", models.PositiveIntegerField(default=0)),
                ("byte_count", models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="DurableStream",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=300)),
                ("content_type", models.CharField(max_length=200)),
                (
                    "tail",
                    models.PositiveBigIntegerField(
                        default=0, help_text="The position after its end."
                    ),
                ),
                (
                    "byte_count",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="Bytes that count for its owner, with the rows themselves.",
                    ),
                ),
                (
                    "anchor",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="The position that the fork named, without its sub-offset.",
                    ),
                ),
                (
                    "fork_position",
                    models.PositiveBigIntegerField(
                        default=0, help_text="Everything before it is read from the source."
                    ),
                ),
                ("depth", models.PositiveSmallIntegerField(default=0, help_text="Forks above it.")),
                ("last_sequence", models.CharField(blank=True, max_length=200)),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "closed_by",
                    models.CharField(
                        blank=True, help_text="The producer that closed it.", max_length=200
                    ),
                ),
                ("ttl_seconds", models.PositiveBigIntegerField(null=True)),
                (
                    "expiry_text",
                    models.CharField(
                        blank=True, help_text="The expiry as its writer named it.", max_length=200
                    ),
                ),
                ("expires_at", models.DateTimeField(null=True)),
                (
                    "deleted_at",
                    models.DateTimeField(
                        help_text="Hidden, because forks still need its content.", null=True
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        help_text="The stream that it was forked from.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="forks",
                        to="chat.durablestream",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DurableRecord",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "stream_id",
                        "end",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("end", models.PositiveBigIntegerField()),
                ("data", models.BinaryField()),
                (
                    "stream",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="records",
                        to="chat.durablestream",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DurableProducer",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "stream_id",
                        "producer",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("producer", models.CharField(max_length=200)),
                ("epoch", models.PositiveBigIntegerField()),
                ("sequence", models.PositiveBigIntegerField()),
                (
                    "stream",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="producers",
                        to="chat.durablestream",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="durablestream",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False)),
                fields=["expires_at"],
                name="durable_stream_expiry",
            ),
        ),
        migrations.AddConstraint(
            model_name="durablestream",
            constraint=models.UniqueConstraint(
                fields=("owner", "name"), name="durable_stream_once"
            ),
        ),
    ]
