"""Django's log of the admin held `str` of each row, such as an address or a title, and kept it when
the row was deleted. It now holds the model and the id."""

import json

from django.conf import settings
from django.db import migrations

ROWS_PER_UPDATE = 500


def remove_words(apps, schema_editor):
    entries = apps.get_model("admin", "LogEntry").objects.select_related("content_type")
    changed = []
    for entry in entries.order_by("pk").iterator(ROWS_PER_UPDATE):
        model = entry.content_type.model if entry.content_type else "row"
        entry.object_repr = f"{model} {entry.object_id}"[:200]
        entry.change_message = remove_texts(entry.change_message)
        changed.append(entry)
    entries.bulk_update(changed, ["object_repr", "change_message"], batch_size=ROWS_PER_UPDATE)


def remove_texts(message):
    try:
        return json.dumps(
            [
                {action: {key: text for key, text in part.items() if key != "object"}}
                for entry in json.loads(message)
                for action, part in entry.items()
            ]
        )
    except (ValueError, AttributeError, TypeError):
        return message


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0015_account_deletion"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(remove_words, migrations.RunPython.noop, elidable=True)]
