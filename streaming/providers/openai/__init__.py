"""OpenAI's two wires, Responses and Chat Completions, over one SDK."""
