from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chat import conversations, rendered, replies, titles

        replies.register()
        titles.register()
        conversations.register()
        rendered.register()
