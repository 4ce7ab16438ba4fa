from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chat import conversations, deleted_sizes, replies
        from chat.api import commands, idempotency
        from chat.conversations import deletion
        from chat.doors.durable_streams import expiry as durable_expiry
        from chat.drafts import storage
        from chat.model_catalog import unsupported_parameters
        from chat.rendering import cache
        from chat.replies import storage as stored_chars
        from chat.replies import titles
        from chat.retention import expiry
        from chat.webhooks import actions as webhooks
        from chat.webhooks import tasks as webhook_tasks

        replies.register_handler()
        titles.register_handler()
        conversations.register_tasks()
        deletion.register_kinds()
        cache.register_tasks()
        idempotency.register_tasks()
        commands.register_commands()
        durable_expiry.register_tasks()
        storage.register_tasks()
        expiry.register_tasks()
        stored_chars.register_tasks()
        deleted_sizes.register_tasks()
        unsupported_parameters.register_tasks()
        webhooks.register_sealed_secrets()
        webhooks.register_end_of_access()
        webhook_tasks.register_tasks()
