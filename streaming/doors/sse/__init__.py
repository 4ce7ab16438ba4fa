"""The door of server-sent events, for clients that no socket reaches."""
