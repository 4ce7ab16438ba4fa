from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chat import conversations, replies
        from chat.drafts import storage
        from chat.rendering import cache
        from chat.replies import titles

        replies.register_handler()
        titles.register_handler()
        conversations.register_tasks()
        cache.register_tasks()
        storage.register_tasks()
