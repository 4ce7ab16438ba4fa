"""The table of the new cache. The old one, `holdfast_cache`, stays: processes of the version before
keep their limits in it during a deploy. It may be dropped by a later version."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_background_replies"),
    ]

    operations = [
        migrations.CreateModel(
            name="CacheEntry",
            fields=[
                ("key", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.TextField(help_text="JSON.")),
                ("expires_at", models.FloatField(db_index=True, help_text="Seconds since 1970.")),
            ],
        ),
    ]
