"""Conversations and overrides get the provider of their model.

A conversation's is that of its last reply, or of its newest one by this model, otherwise that of
the catalog. An override's is that of the catalog, because a bare name belonged to the catalog's
model in any case. Whatever stays empty is resolved by the bare name, as before. Queued streams are
not changed: their message has the provider.
"""

from django.db import migrations
from django.db.models import OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from streaming.providers import catalog

BATCH_SIZE = 1_000
"""Conversations in one statement, which locks them for processes of the version before."""


def fill_conversations(apps, schema_editor):
    conversation_model = apps.get_model("chat", "Conversation")
    message_model = apps.get_model("chat", "Message")
    same_model = message_model.objects.filter(model=OuterRef("model")).exclude(provider="")
    last = same_model.filter(pk=OuterRef("current_leaf_id")).values("provider")
    newest = same_model.filter(conversation=OuterRef("pk")).order_by("-created_at")
    provider = Coalesce(Subquery(last[:1]), Subquery(newest.values("provider")[:1]), Value(""))
    unfilled = conversation_model.objects.filter(provider="").exclude(model="")
    after = None
    while True:
        following = unfilled.filter(pk__gt=after) if after else unfilled
        ids = list(following.order_by("pk").values_list("pk", flat=True)[:BATCH_SIZE])
        if not ids:
            break
        unfilled.filter(pk__in=ids).update(provider=provider)
        after = ids[-1]
    for name in unfilled.order_by().values_list("model", flat=True).distinct():
        unfilled.filter(model=name).update(provider=find_provider(name))


def fill_overrides(apps, schema_editor):
    override_model = apps.get_model("chat", "ModelOverride")
    for override in override_model.objects.all():
        override.provider = find_provider(override.model_id) or override.provider
        override.save(update_fields=["provider"])


def find_provider(name):
    """Of the bare name. A router's “openai/gpt-4.1” is no model of OpenAI's."""
    return next((model.provider for model in catalog.all_models() if model.id == name), "")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("chat", "0008_model_providers"),
    ]

    operations = [
        migrations.RunPython(fill_conversations, migrations.RunPython.noop),
        migrations.RunPython(fill_overrides, migrations.RunPython.noop),
    ]
