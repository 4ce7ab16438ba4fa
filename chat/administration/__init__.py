"""Django's admin for conversations, replies and models."""
