"""Django looks for the pages of the admin here."""

from chat.administration import conversations, errors, grants, model_data, webhooks

__all__ = ["conversations", "errors", "grants", "model_data", "webhooks"]
