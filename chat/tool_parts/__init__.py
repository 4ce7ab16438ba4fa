"""Tool calls and their outputs, as parts of messages."""
