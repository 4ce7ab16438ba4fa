"""The door for front ends of the AI SDK: its UI message stream over HTTP and over a socket. See
docs/doors-ai-sdk.md."""
