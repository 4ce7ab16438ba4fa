"""Helpers that the adapters of real providers share: one call over HTTP, from request to end."""
