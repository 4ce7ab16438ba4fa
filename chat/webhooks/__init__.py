"""Webhooks: when a reply ends, the addresses of a person's own servers get a signed message."""
