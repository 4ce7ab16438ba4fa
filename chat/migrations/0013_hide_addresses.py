"""Rows hold the host and a hash of a server's address, which may contain a password.

Processes of the version before don't find such a row and store the whole address again once. Workers
rewrite that as well.
"""

import hashlib
from urllib.parse import urlsplit

from django.db import migrations, models


def describe_address(address):
    """As in accounts/providers.py at this version."""

    def hash_text(text):
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return hash_text(address)
    place = f"{host}:{port}" if port else host
    return f"{place} {hash_text(f'{parts.scheme}://{place}{parts.path}')}"


def hide_addresses(apps, schema_editor):
    parameter_model = apps.get_model("chat", "RefusedParameter")
    for row in parameter_model.objects.filter(endpoint__contains="://"):
        provider, _, address = row.endpoint.partition(" ")
        row.endpoint = f"{provider} {describe_address(address)}"[:300]
        same = {"model_id": row.model_id, "parameter": row.parameter, "endpoint": row.endpoint}
        if parameter_model.objects.filter(**same).exists():
            row.delete()
        else:
            row.save(update_fields=["endpoint"])


class Migration(migrations.Migration):
    dependencies = [("chat", "0012_stored_chars")]

    operations = [
        migrations.AlterField(
            model_name="refusedparameter",
            name="endpoint",
            field=models.CharField(
                help_text="The provider, and the host and a hash of its address if set.",
                max_length=300,
            ),
        ),
        migrations.RunPython(hide_addresses, migrations.RunPython.noop),
    ]
