"""What the adapters of real providers share: one call over HTTP, from the request to the end."""
